"""Which rows of a view match a filter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from chroma_plugin.filters.ast import DOCUMENT, And, Contains, Expr, Not, conjuncts, leaves
from chroma_plugin.filters.fold import Branch, fold
from chroma_plugin.filters.python import compile_filter, needed_fields
from chroma_plugin.toolkit.columns import Column, Mask
from chroma_plugin.toolkit.table import Table, View


def mask(view: View, where: Expr | None) -> Mask:
    """The live rows that match, as booleans of shape (view.length,).

    AND-parts over plain metadata keys are numpy operations; what is left of the rows after them is asked the others
    (documents, ids, nested values), one by one, by the function that defines the filter's meaning.
    """
    parts = conjuncts(where)
    fast = [part for part in parts if _is_columnar(part)]
    columns = view.table.columns({leaf.path.parts[0] for part in fast for leaf in leaves(part)}, view.length)
    found = reduce(np.logical_and, (_evaluate(part, columns, view.length) for part in fast), view.alive)
    for part in parts:
        if not _is_columnar(part):
            found = _ask_each(view, part, found)
    return found


def _is_columnar(part: Expr) -> bool:
    return all(len(leaf.path.parts) == 1 for leaf in leaves(part))


def _evaluate(part: Expr, columns: dict[str, Column], rows: int) -> Mask:
    def combined(kind: Branch, masks: Sequence[Mask]) -> Mask:
        if kind is Not:
            return ~masks[0]
        every = kind is And
        return reduce(np.logical_and if every else np.logical_or, masks, np.full(rows, every))

    return fold(part, lambda leaf: columns[leaf.path.parts[0]].mask(leaf, rows), combined)


def _ask_each(view: View, part: Expr, among: Mask) -> Mask:
    found = np.zeros(view.length, dtype=np.bool_)
    rows = np.flatnonzero(among)
    found[rows] = _answers(view.table, part, rows.tolist())
    return found


def _answers(table: Table, part: Expr, rows: Sequence[int]) -> list[bool]:
    documents = table.documents
    if isinstance(part, Contains) and part.path == DOCUMENT and isinstance(text := part.value, str):
        # What is asked most, without a call for each row: a fifth of the time.
        return [(document := documents[row]) is not None and text in document for row in rows]
    matches = compile_filter(part)
    reads_metadata = "metadatas" in needed_fields(part)
    return [matches(table.ids[row], table.metadata(row) if reads_metadata else None, documents[row]) for row in rows]
