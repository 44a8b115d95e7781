"""Checked nodes: the one way from a field, an operator's name and an operand to an `Expr`.

``where`` dicts, ``Key`` expressions and nodes made by hand all come through here, so they accept and refuse the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import operands
from chroma_plugin.filters.ast import (
    DOCUMENT,
    ID,
    Compare,
    Contains,
    Exists,
    Expr,
    In,
    Leaf,
    Not,
    Op,
    Path,
    Regex,
)
from chroma_plugin.filters.operands import Place, shown
from chroma_plugin.filters.regex import compile_regex
from chroma_plugin.wording import did_you_mean

SPECIAL_PATHS: Final[Mapping[str, Path]] = {path.special: path for path in (DOCUMENT, ID)}

_Builder: TypeAlias = Callable[[Place, object], Expr]


def field_path(parts: tuple[object, ...]) -> Path:
    """The path of a field, or DOCUMENT or ID for their names. Raises InvalidArgumentError for what can't be a key."""
    if len(parts) == 1 and isinstance(parts[0], str) and parts[0] in SPECIAL_PATHS:
        return SPECIAL_PATHS[parts[0]]
    if not parts:
        raise InvalidArgumentError("A field needs a key: a non-empty str.")
    keys = tuple([_key(part) for part in parts])
    if keys[0].startswith("#"):
        raise InvalidArgumentError(f"There is no field {shown('.'.join(keys))}.{did_you_mean(keys[0], SPECIAL_PATHS)}")
    if keys[0].startswith("$"):
        raise InvalidArgumentError(f"{shown(keys[0])} is not a metadata key: keys don't start with '$'.")
    return Path(keys)


def field_filter(path: Path, operator: str, operand: object) -> Expr:
    """A leaf, or Not(leaf) for a negative operator such as ``$nin``.

    Raises InvalidArgumentError for an unknown operator or a wrong operand.
    """
    place = Place(path, operator)
    builder = _BUILDERS.get(operator)
    if builder is None:
        raise place.refusal(f"there is no such operator.{_operator_advice(operator)}")
    return builder(place, operand)


def checked_leaf(leaf: Leaf) -> Expr:
    """The same leaf, as `field_filter` would have made it."""
    path = _checked_path(leaf.path)
    match leaf:
        case Compare():
            return field_filter(path, _checked_op(leaf.op).value, leaf.value)
        case In():
            return field_filter(path, "$in", leaf.values)
        case Exists():
            return field_filter(path, "$exists", True)
        case Contains():
            return field_filter(path, "$contains", leaf.value)
        case Regex():
            return field_filter(path, "$regex", leaf.pattern)


def _compare(op: Op) -> _Builder:
    check = operands.scalar if op in (Op.EQ, Op.NE) else operands.ordered
    return lambda place, operand: Compare(place.path, op, check(place, operand))


def _in(place: Place, operand: object) -> Expr:
    return In(place.path, operands.several(place, operand))


def _contains(place: Place, operand: object) -> Expr:
    return Contains(place.path, operands.contained(place, operand))


def _regex(place: Place, operand: object) -> Expr:
    pattern = operands.text(place, operand)
    compile_regex(pattern)
    return Regex(place.path, pattern)


def _exists(place: Place, operand: object) -> Expr:
    if place.path == ID:
        raise place.refusal("every record has an id.")
    return Exists(place.path) if operands.flag(place, operand) else Not(Exists(place.path))


def _not(builder: _Builder) -> _Builder:
    return lambda place, operand: Not(builder(place, operand))


_BUILDERS: Final[Mapping[str, _Builder]] = {
    **{op.value: _compare(op) for op in Op},
    "$in": _in,
    "$nin": _not(_in),
    "$contains": _contains,
    "$not_contains": _not(_contains),
    "$regex": _regex,
    "$not_regex": _not(_regex),
    "$exists": _exists,
}

FIELD_OPERATORS: Final = frozenset(_BUILDERS)
LOGIC_OPERATORS: Final = frozenset(("$and", "$or", "$not"))


def _key(part: object) -> str:
    if not isinstance(part, str) or not part:
        raise InvalidArgumentError(f"A key must be a non-empty str, got {shown(part)}.")
    return operands.text(Place(Path((part,)), "The operator"), part)


def _checked_path(path: object) -> Path:
    if not isinstance(path, Path):
        raise InvalidArgumentError(f"The path of a filter must be a Path, got {shown(path)}.")
    return path if path in SPECIAL_PATHS.values() else field_path(path.parts)


def _checked_op(op: object) -> Op:
    if not isinstance(op, Op):
        raise InvalidArgumentError(f"The op of a Compare must be an Op, got {shown(op)}.")
    return op


def _operator_advice(operator: str) -> str:
    if operator in LOGIC_OPERATORS:
        return f" Write {{{operator!r}: ...}} around the field, not inside of it."
    return did_you_mean(operator, sorted(FIELD_OPERATORS)) or f" The operators are {' '.join(sorted(FIELD_OPERATORS))}."
