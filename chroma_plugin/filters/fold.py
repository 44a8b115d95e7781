"""An `Expr` turned into something else from the leaves up, without recursion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from chroma_plugin.filters.ast import LEAVES, And, Expr, Leaf, Not, Or

_T = TypeVar("_T")
Branch: TypeAlias = type[And] | type[Or] | type[Not]


def fold(expr: Expr, leaf: Callable[[Leaf], _T], branch: Callable[[Branch, Sequence[_T]], _T]) -> _T:
    """What ``branch`` makes of the root, given what it made of the operands, and ``leaf`` of the leaves."""
    pending: list[Expr | tuple[Branch, int]] = [expr]
    done: list[_T] = []
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            kind, count = node
            start = len(done) - count
            operands = done[start:]
            del done[start:]
            done.append(branch(kind, operands))
        elif isinstance(node, LEAVES):
            done.append(leaf(node))
        else:
            inner = (node.operand,) if isinstance(node, Not) else node.operands
            pending.append((type(node), len(inner)))
            pending.extend(reversed(inner))
    return done.pop()
