"""What of a filter Chroma's own servers can be asked, in their words: ``where`` and ``where_document``.

Only what they mean exactly as we do (measured on chromadb 1.5.9). Left out, besides what they have no words for:

- fractions, whole numbers beyond 2**53: they truncate a float when they compare it with an int, and round an int
  when they compare it with a float;
- ``$contains`` on metadata: theirs looks into lists only, ours also into text;
- ``$regex``: their syntax is another one (Unicode classes, ``$``);
- the negation of an ordering: it matches records without the key, and their opposite does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from chroma_plugin.filters.ast import (
    DOCUMENT,
    And,
    Compare,
    Contains,
    Expr,
    In,
    Leaf,
    Not,
    Op,
    Or,
    Scalar,
    conjuncts,
    leaves,
)
from chroma_plugin.filters.fold import fold
from chroma_plugin.frozen import frozen

Where: TypeAlias = dict[str, Any]

_MAX_CLAUSES: Final = 256
"""Their server answers 500 from 1,000 clauses on."""
_MAX_VALUES: Final = 4_096
"""Values of all ``$in`` together: each becomes a variable of an SQL statement, which has a limit."""
_EXACT: Final = 2**53
_ORDERINGS: Final = (Op.GT, Op.GE, Op.LT, Op.LE)
_RESERVED: Final = "chroma:"


def to_chroma(expr: Expr) -> tuple[Where | None, Where | None] | None:
    """``where`` and ``where_document`` that match the same records, or None when Chroma has no exact words for it.

    Both are None for a filter that matches everything.
    """
    if _too_large(expr):
        return None
    metadata: list[Where] = []
    document: list[Where] = []
    for part in conjuncts(expr):
        about_documents = all(leaf.path == DOCUMENT for leaf in leaves(part))
        said = fold(part, _document_leaf if about_documents else _leaf, _branch).positive
        if said is None:
            return None
        (document if about_documents else metadata).append(said)
    return _joined("$and", metadata), _joined("$and", document)


@frozen
class _Said:
    """A filter and its negation in Chroma's words; None where it has none."""

    positive: Where | None
    negative: Where | None


_NOTHING: Final = _Said(None, None)


def _too_large(expr: Expr) -> bool:
    parts = list(leaves(expr))
    values = sum(len(leaf.values) for leaf in parts if isinstance(leaf, In))
    return len(parts) > _MAX_CLAUSES or values > _MAX_VALUES


def _branch(kind: type[And] | type[Or] | type[Not], operands: Sequence[_Said]) -> _Said:
    if kind is Not:
        return _Said(operands[0].negative, operands[0].positive)
    name, opposite = ("$and", "$or") if kind is And else ("$or", "$and")
    return _Said(
        _all_joined(name, [operand.positive for operand in operands]),
        _all_joined(opposite, [operand.negative for operand in operands]),
    )


def _all_joined(name: str, operands: Sequence[Where | None]) -> Where | None:
    said = [operand for operand in operands if operand is not None]
    return _joined(name, said) if len(said) == len(operands) else None


def _joined(name: str, operands: Sequence[Where]) -> Where | None:
    """They want two operands or more; without any there are no words for "everything" inside a filter."""
    if len(operands) < 2:
        return operands[0] if operands else None
    return {name: list(operands)}


def _document_leaf(leaf: Leaf) -> _Said:
    """In ``where_document``, where the field goes without saying."""
    if not isinstance(leaf, Contains):
        return _NOTHING
    return _Said({"$contains": leaf.value}, {"$not_contains": leaf.value})


def _leaf(leaf: Leaf) -> _Said:
    if leaf.path == DOCUMENT:
        said = _document_leaf(leaf)
        return said if said is _NOTHING else _on(DOCUMENT.special, said)
    if len(leaf.path.parts) != 1 or leaf.path.parts[0].startswith(_RESERVED):
        return _NOTHING
    return _on(leaf.path.parts[0], _metadata_leaf(leaf))


def _on(key: str, said: _Said) -> _Said:
    return _Said(
        None if said.positive is None else {key: said.positive},
        None if said.negative is None else {key: said.negative},
    )


def _metadata_leaf(leaf: Leaf) -> _Said:
    if isinstance(leaf, Compare):
        return _compare(leaf)
    if isinstance(leaf, In):
        return _in(leaf)
    return _NOTHING


def _compare(leaf: Compare) -> _Said:
    value = _sayable(leaf.value)
    if value is None:
        return _NOTHING
    if leaf.op in _ORDERINGS:
        return _Said({leaf.op.value: value}, None) if type(value) is int else _NOTHING
    equal, unequal = {"$eq": value}, {"$ne": value}
    return _Said(equal, unequal) if leaf.op is Op.EQ else _Said(unequal, equal)


def _in(leaf: In) -> _Said:
    values = [_sayable(value) for value in leaf.values]
    # One list holds values of one type.
    if None in values or len({type(value) for value in values}) != 1:
        return _NOTHING
    return _Said({"$in": values}, {"$nin": values})


def _sayable(value: Scalar) -> str | int | bool | None:
    """The operand as they understand it exactly, or None."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _EXACT else None
    if type(value) is int and abs(value) > _EXACT:
        return None
    return value
