"""Filters between processes: our own JSON form, which says everything, and Chroma's ``where``, which says a part.

Our form, one object per node::

    {"path": ["author", "name"], "op": "$eq", "value": "Ada"}     path: "#id" and "#document" are those
    {"and": [...]}  {"or": [...]}  {"not": ...}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import (
    And,
    Compare,
    Contains,
    Exists,
    Expr,
    In,
    Leaf,
    Not,
    Or,
    Path,
    Regex,
)
from chroma_plugin.filters.build import FIELD_OPERATORS, SPECIAL_PATHS, field_filter, field_path
from chroma_plugin.filters.fold import fold
from chroma_plugin.filters.operands import shown
from chroma_plugin.filters.parse import MAX_NODES, parse_where
from chroma_plugin.frozen import frozen
from chroma_plugin.wording import did_you_mean

Wire: TypeAlias = dict[str, Any]

_BRANCHES: Final[Mapping[str, type[And] | type[Or] | type[Not]]] = {"and": And, "or": Or, "not": Not}
_BRANCH_NAMES: Final = {kind: name for name, kind in _BRANCHES.items()}
_LEAF_KEYS: Final = {"path", "op", "value"}


def to_wire(expr: Expr) -> Wire:
    """The filter as a JSON value that `from_wire` reads back as an equal one."""
    return fold(expr, _leaf_to_wire, _branch_to_wire)


def from_wire(value: object) -> Expr:
    """The filter that `to_wire` wrote, checked and bounded as `parse_where` does.

    Raises InvalidArgumentError for anything else.
    """
    pending: list[object] = [value]
    done: list[Expr] = []
    count = 0
    while pending:
        node = pending.pop()
        if isinstance(node, _Join):
            node.apply(done)
            continue
        branch = _branch_in(node)
        if branch is None:
            done.append(_leaf_from_wire(node))
            count += 1
        else:
            kind, operands = branch
            # The operands count before they are read.
            count += 1
            _check_size(count + len(operands))
            pending.append(_Join(kind, len(operands)))
            pending.extend(reversed(operands))
        _check_size(count)
    checked = parse_where(done.pop())
    assert checked is not None
    return checked


def path_to_wire(path: Path) -> str | list[str]:
    return path.special or list(path.parts)


def path_from_wire(value: object) -> Path:
    """Raises InvalidArgumentError for what is no path."""
    if isinstance(value, str) and value in SPECIAL_PATHS:
        return SPECIAL_PATHS[value]
    if not isinstance(value, list):
        raise InvalidArgumentError(f'The path of a filter is a list of keys, "#id" or "#document", not {shown(value)}.')
    return field_path(tuple(value))


@frozen
class _Join:
    """A step of reading: the last ``count`` filters become one."""

    kind: type[And] | type[Or] | type[Not]
    count: int

    def apply(self, done: list[Expr]) -> None:
        start = len(done) - self.count
        operands = tuple(done[start:])
        del done[start:]
        done.append(Not(operands[0]) if self.kind is Not else _several(self.kind, operands))


def _several(kind: type[And] | type[Or] | type[Not], operands: tuple[Expr, ...]) -> Expr:
    return And(operands) if kind is And else Or(operands)


def _leaf_to_wire(leaf: Leaf) -> Wire:
    operator, value = _condition(leaf)
    return {"path": path_to_wire(leaf.path), "op": operator, "value": value}


def _condition(leaf: Leaf) -> tuple[str, Any]:
    match leaf:
        case Compare():
            return leaf.op.value, leaf.value
        case In():
            return "$in", list(leaf.values)
        case Exists():
            return "$exists", True
        case Contains():
            return "$contains", leaf.value
        case Regex():
            return "$regex", leaf.pattern


def _branch_to_wire(kind: type[And] | type[Or] | type[Not], operands: Sequence[Wire]) -> Wire:
    return {_BRANCH_NAMES[kind]: operands[0] if kind is Not else list(operands)}


def _branch_in(node: object) -> tuple[type[And] | type[Or] | type[Not], Sequence[object]] | None:
    """The kind and the operands of a branch, or None for anything else."""
    if not isinstance(node, dict) or len(node) != 1:
        return None
    ((name, inner),) = node.items()
    kind = _BRANCHES.get(name)
    if kind is None or kind is Not:
        return None if kind is None else (Not, (inner,))
    if not isinstance(inner, list):
        raise InvalidArgumentError(f"{name!r} needs a list of filters, got {shown(inner)}.")
    return kind, inner


def _leaf_from_wire(node: object) -> Expr:
    if not isinstance(node, dict) or node.keys() != _LEAF_KEYS:
        raise InvalidArgumentError(
            f'A filter is {{"path", "op", "value"}}, {{"and": [...]}}, {{"or": [...]}} or {{"not": ...}}, '
            f"not {shown(node)}."
        )
    operator = node["op"]
    if not isinstance(operator, str) or operator not in FIELD_OPERATORS:
        near = did_you_mean(str(operator), sorted(FIELD_OPERATORS))
        raise InvalidArgumentError(f"There is no operator {shown(operator)}.{near}")
    return field_filter(path_from_wire(node["path"]), operator, node["value"])


def _check_size(count: int) -> None:
    if count > MAX_NODES:
        raise InvalidArgumentError(f"The filter is too large: at most {MAX_NODES:,} parts are possible.")
