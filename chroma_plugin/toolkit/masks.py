"""Which rows of a view match a filter."""

from __future__ import annotations

from functools import reduce

import numpy as np

from chroma_plugin.filters.ast import And, Expr, Leaf, Not, Or, conjuncts, leaves
from chroma_plugin.filters.python import compile_filter, needed_fields
from chroma_plugin.toolkit.columns import Column, Mask
from chroma_plugin.toolkit.table import View


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


def _evaluate(expr: Expr, columns: dict[str, Column], rows: int) -> Mask:
    """Post-order with a stack of our own: a deep filter can't exhaust Python's."""
    results: list[Mask] = []
    pending: list[tuple[Expr, bool]] = [(expr, False)]
    while pending:
        node, ready = pending.pop()
        if isinstance(node, Not):
            if ready:
                results.append(~results.pop())
            else:
                pending += [(node, True), (node.operand, False)]
        elif isinstance(node, (And, Or)):
            if ready:
                results.append(_combine(node, results, rows))
            else:
                pending += [(node, True), *((operand, False) for operand in node.operands)]
        else:
            results.append(_leaf(node, columns, rows))
    return results.pop()


def _combine(node: And | Or, results: list[Mask], rows: int) -> Mask:
    every = isinstance(node, And)
    operands = [results.pop() for _ in node.operands]
    return reduce(np.logical_and if every else np.logical_or, operands, np.full(rows, every))


def _leaf(leaf: Leaf, columns: dict[str, Column], rows: int) -> Mask:
    return columns[leaf.path.parts[0]].mask(leaf, rows)


def _ask_each(view: View, part: Expr, among: Mask) -> Mask:
    table = view.table
    matches = compile_filter(part)
    reads_metadata = "metadatas" in needed_fields(part)
    found = np.zeros(view.length, dtype=np.bool_)
    rows = np.flatnonzero(among)
    found[rows] = [
        matches(table.ids[row], table.metadata(row) if reads_metadata else None, table.documents[row])
        for row in rows.tolist()
    ]
    return found
