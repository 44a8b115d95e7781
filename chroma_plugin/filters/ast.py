"""The filter language: what every operator means, said once.

A ``where`` dict, a ``where_document`` dict and a ``Key`` expression all become one `Expr`, built from the frozen nodes
below. ``filters/python.py`` compiles an `Expr` to a Python function, and that function is the judge: every engine is
tested against it.

Meaning
=======
A record has metadata (a dict or None) and a document (a str or None).

**A field** is a metadata key, taken literally: ``"a.b"`` is the key ``a.b``. A `Path` of several parts walks into
nested dicts and is only made by ``Key("a", "b")``. ``DOCUMENT`` stands for the document, ``ID`` for the id.
A field is *missing* when the key is not there (or the document is None).

**Types never coerce.** There are six kinds: None, bool, number (int and float together), str, list, dict. Values of
different kinds are never equal and never ordered: ``True`` is not ``1``, ``"1"`` is not ``1``. Numbers compare exactly
by value: ``1 == 1.0``, ``1.5`` never equals an int, ``2**53 + 1`` differs from ``float(2**53)``.

=================  ============================================================================================
node               matches when
=================  ============================================================================================
Compare EQ v       the field is there, of v's kind, and equal. ``EQ None``: the field is None *or missing*
Compare NE v       not (EQ v); so records without the field match, unless v is None
Compare GT GE LT   the field is there, both are numbers or both are str, and it is so ordered (str by code point)
In values          EQ v for one of the values
Exists             the key is there, even if its value is None (for the document: it is not None)
Contains v         the field is a list with an element equal to v, or the field and v are str and v is a substring
                   (case-sensitive, nothing in it is special)
Regex pattern      the field is a str and the pattern (RE2 syntax, linear time) is found in it
And, Or            all, any of the operands; an empty And matches everything, an empty Or nothing
Not                the operand does not match
=================  ============================================================================================

``$nin``, ``$not_contains``, ``$not_regex`` are Not(In), Not(Contains), Not(Regex): records without the field match.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final, TypeAlias, cast

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.frozen import frozen

Scalar: TypeAlias = str | int | float | bool | None


@frozen
class Path:
    """Where a value stands: the parts of a metadata key, outermost first. `DOCUMENT` and `ID` have no parts."""

    parts: tuple[str, ...]
    special: str = ""

    def __str__(self) -> str:
        return self.special or ".".join(self.parts)


DOCUMENT: Final = Path((), "#document")
ID: Final = Path((), "#id")


class Op(Enum):
    """The comparisons; the value is the operator's name in a ``where`` dict."""

    EQ = "$eq"
    NE = "$ne"
    GT = "$gt"
    GE = "$gte"
    LT = "$lt"
    LE = "$lte"


class Combinable:
    """What every node can do: ``a & b``, ``a | b`` and ``~a`` make And, Or and Not."""

    __slots__ = ()

    def __and__(self, other: Expr) -> And:
        # Longer chains stay flat, so that they don't run into the limit on depth.
        return And((*_operands_of(self, And), *_operands_of(other, And)))

    def __or__(self, other: Expr) -> Or:
        return Or((*_operands_of(self, Or), *_operands_of(other, Or)))

    def __invert__(self) -> Not:
        return Not(cast("Expr", self))

    def __bool__(self) -> bool:
        # `a and b`, `not a` and `1 < key < 5` would silently drop a part.
        raise InvalidArgumentError(
            "A filter is not true or false. Combine filters with &, | and ~, not with and, or, not."
        )


@frozen
class Compare(Combinable):
    path: Path
    op: Op
    value: Scalar


@frozen
class In(Combinable):
    path: Path
    values: tuple[Scalar, ...]


@frozen
class Exists(Combinable):
    path: Path


@frozen
class Contains(Combinable):
    path: Path
    value: Scalar


@frozen
class Regex(Combinable):
    path: Path
    pattern: str


@frozen
class And(Combinable):
    operands: tuple[Expr, ...]


@frozen
class Or(Combinable):
    operands: tuple[Expr, ...]


@frozen
class Not(Combinable):
    operand: Expr


def _operands_of(node: object, kind: type[And] | type[Or]) -> tuple[Expr, ...]:
    if isinstance(node, kind):
        return node.operands
    if not isinstance(node, NODES):
        raise InvalidArgumentError(f"Only filters can be combined with & and |, got {type(node).__name__}.")
    return (node,)


Expr: TypeAlias = Compare | In | Exists | Contains | Regex | And | Or | Not
Leaf: TypeAlias = Compare | In | Exists | Contains | Regex
LEAVES: Final = (Compare, In, Exists, Contains, Regex)
NODES: Final = (*LEAVES, And, Or, Not)


def conjuncts(expr: Expr | None) -> tuple[Expr, ...]:
    """The parts that must all match: the operands of a top-level And (flattened), or the expression itself."""
    parts: list[Expr] = []
    pending = [] if expr is None else [expr]
    while pending:
        node = pending.pop()
        if isinstance(node, And):
            pending.extend(reversed(node.operands))
        else:
            parts.append(node)
    return tuple(parts)


def conjunction(parts: tuple[Expr, ...]) -> Expr | None:
    """One expression for parts that must all match; None when there are none."""
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(parts)


def leaves(expr: Expr) -> Iterator[Leaf]:
    """Every leaf of the expression."""
    pending = [expr]
    while pending:
        node = pending.pop()
        if isinstance(node, (And, Or)):
            pending.extend(reversed(node.operands))
        elif isinstance(node, Not):
            pending.append(node.operand)
        else:
            yield node
