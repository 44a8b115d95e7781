"""Which rows of a view match a filter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

import numpy as np
from orjson import loads

from chroma_plugin.filters.ast import DOCUMENT, And, Contains, Expr, Not, Regex, conjuncts, leaves
from chroma_plugin.filters.bigrams import required_bigrams
from chroma_plugin.filters.fold import Branch, fold
from chroma_plugin.filters.literals import is_local, required_literal
from chroma_plugin.filters.python import compile_filter, needed_fields
from chroma_plugin.filters.regex import expression
from chroma_plugin.toolkit.columns import Column, Mask
from chroma_plugin.toolkit.signatures import with_all
from chroma_plugin.toolkit.table import Table, View
from chroma_plugin.toolkit.texts import Kind
from chroma_plugin.toolkit.vectors import RowNumbers


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
        return reduce(np.logical_and if every else np.logical_or, masks) if masks else np.full(rows, every)

    return fold(part, lambda leaf: columns[leaf.path.parts[0]].mask(leaf, rows), combined)


def _ask_each(view: View, part: Expr, among: Mask) -> Mask:
    found = np.zeros(view.length, dtype=np.bool_)
    rows = np.flatnonzero(among)
    if isinstance(part, Contains | Regex) and part.path == DOCUMENT:
        rows, asked = _holding(view, part, rows)
        if not asked:
            found[rows] = True
            return found
    found[rows] = _answers(view.table, part, rows)
    return found


def _holding(view: View, part: Contains | Regex, rows: RowNumbers) -> tuple[RowNumbers, bool]:
    """Those of the rows whose documents may match, and whether they have to be asked."""
    together = len(rows) >= max(_MANY, _SHARE * view.length)
    if isinstance(part, Regex):
        return _resembling(view, part.pattern, rows) if together else (rows, True)
    if isinstance(part.value, str) and together:
        return _with_text(view, part.value, rows), False
    return rows, True


def _resembling(view: View, pattern: str, rows: RowNumbers) -> tuple[RowNumbers, bool]:
    """The same for many rows and a regular expression."""
    if len(text := required_literal(pattern)) >= _TELLING:
        return _with_text(view, text, rows), True
    if bigrams := required_bigrams(pattern):
        signatures = view.table.signatures.up_to(view.table.texts, view.length)
        rows = rows[with_all(signatures[rows], bigrams)]
    if is_local(pattern) and len(rows) >= _MOST * view.length:
        return view.table.texts.matching(pattern, Kind.DOCUMENT, rows), False
    return rows, True


_MANY: Final = 1_000
_SHARE: Final = 0.1
"""Documents, and their share of all, from which one search through all is quicker than one in each."""
_MOST: Final = 0.2
"""Their share from which this is so of a regular expression: it takes 0.4 us a document together, 1.7 us each."""
_TELLING: Final = 3
"""Characters of a literal that few enough documents hold."""


def _with_text(view: View, text: str, rows: RowNumbers) -> RowNumbers:
    return _among(rows, view.table.texts.holding(text, Kind.DOCUMENT, view.length))


def _among(rows: RowNumbers, found: RowNumbers) -> RowNumbers:
    return np.intersect1d(rows, found, assume_unique=True)


def _answers(table: Table, part: Expr, rows: RowNumbers) -> list[bool]:
    if isinstance(part, Regex) and part.path == DOCUMENT:
        search = expression(part.pattern).search
        texts = table.texts.encoded(rows, Kind.DOCUMENT)
        return [text is not None and search(text) is not None for text in texts]
    matches, needed = compile_filter(part), needed_fields(part)
    kinds = [Kind.ID, Kind.DOCUMENT, *([Kind.METADATA] if "metadatas" in needed else [])]
    ids, documents, *metadatas = table.texts.take(rows, kinds)
    if not metadatas:
        return [matches(str(id), None, document) for id, document in zip(ids, documents, strict=True)]
    return [
        matches(str(id), None if metadata is None else loads(metadata), document)
        for id, document, metadata in zip(ids, documents, metadatas[0], strict=True)
    ]
