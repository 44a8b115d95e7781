"""A filter as SQL with parameters, exact in the meaning of `chroma_plugin.filters.ast`.

``fields`` is the metadata as jsonb, in which numbers are decimals of any length and nothing coerces. Every condition
here is true or false, never NULL, so that NOT, AND and OR mean what they mean in Python. Equality is containment, which
the index on ``fields`` finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chroma_plugin.filters.ast import (
    DOCUMENT,
    ID,
    And,
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
    Scalar,
    leaves,
)
from chroma_plugin.filters.fold import Branch, fold
from chroma_plugin.frozen import frozen
from chroma_plugin_pgvector.encoding import operand
from chroma_plugin_pgvector.escaping import escaped, key_of
from chroma_plugin_pgvector.statements import ID as COLUMN_OF_ID

_SIGNS: Final = {Op.GT: ">", Op.GE: ">=", Op.LT: "<", Op.LE: "<="}
_FEW: Final = 20
"""So many values are looked up one by one in the index; more are compared with each record."""


@frozen
class Condition:
    """What stands in a WHERE, and its parameters, in order."""

    sql: str
    parameters: tuple[Any, ...] = ()


TRUE: Final = Condition("TRUE")
FALSE: Final = Condition("FALSE")


def is_exact(expr: Expr) -> bool:
    """Whether `condition_of` has this filter: PostgreSQL's regular expressions are others than RE2's."""
    return not any(isinstance(leaf, Regex) for leaf in leaves(expr))


def condition_of(expr: Expr | None, ids: Sequence[str] | None = None) -> Condition:
    """The records that match the filter and, if given, have one of the ids."""
    condition = TRUE if expr is None else fold(expr, _leaf, _branch)
    if ids is None:
        return condition
    return _joined("AND", (_has_one_of(ids), condition))


def _branch(kind: Branch, operands: Sequence[Condition]) -> Condition:
    if kind is Not:
        return _not(operands[0])
    return _joined("AND" if kind is And else "OR", operands)


def _joined(word: str, operands: Sequence[Condition]) -> Condition:
    if not operands:
        return TRUE if word == "AND" else FALSE
    text = f" {word} ".join(operand.sql for operand in operands)
    return Condition(f"({text})", tuple(value for operand in operands for value in operand.parameters))


def _not(inner: Condition) -> Condition:
    return Condition(f"(NOT {inner.sql})", inner.parameters)


def _leaf(leaf: Leaf) -> Condition:
    if leaf.path == DOCUMENT:
        return _on_text("document", leaf)
    if leaf.path == ID:
        return _on_id(leaf)
    match leaf:
        case Compare(op=Op.EQ):
            return _equals(leaf.path, leaf.value)
        case Compare(op=Op.NE):
            return _not(_equals(leaf.path, leaf.value))
        case Compare():
            return _ordered(leaf.path, _SIGNS[leaf.op], leaf.value)
        case In():
            return _is_one_of(leaf.path, leaf.values)
        case Exists():
            value = _value(leaf.path)
            return Condition(f"({value.sql} IS NOT NULL)", value.parameters)
        case Contains():
            return _holds(leaf.path, leaf.value)
        case _:
            raise AssertionError(f"{leaf} was not taken")


# -- fields of the metadata ------------------------------------------------------------------------------------------


def _value(path: Path) -> Condition:
    """The field as jsonb; NULL when it is missing. ``->`` with a text walks into objects only."""
    return Condition("(fields" + " -> %s::text" * len(path.parts) + ")", tuple(escaped(part) for part in path.parts))


def _of_kind(path: Path, kind: str, test: str, value: Any) -> Condition:
    """The field is of that JSON type and passes the test, in which it is called ``value``."""
    field = _value(path)
    return Condition(
        f"EXISTS (SELECT FROM (SELECT {field.sql} AS value) AS field WHERE jsonb_typeof(value) = '{kind}' AND {test})",
        (*field.parameters, value),
    )


def _equals(path: Path, value: Scalar) -> Condition:
    if value is None:
        field = _value(path)
        return Condition(f"coalesce({field.sql} = 'null'::jsonb, TRUE)", field.parameters)
    wanted: Any = value
    for part in reversed(path.parts):
        wanted = {part: wanted}
    return Condition("(fields @> %s::jsonb)", (operand(wanted),))


def _ordered(path: Path, sign: str, bound: Scalar) -> Condition:
    if isinstance(bound, str):
        return _of_kind(path, "string", f"(value #>> '{{}}') COLLATE \"C\" {sign} %s::text", escaped(bound))
    if bound is None or isinstance(bound, bool):
        return FALSE
    return _of_kind(path, "number", f"value {sign} %s::jsonb", operand(bound))


def _is_one_of(path: Path, values: Sequence[Scalar]) -> Condition:
    if len(values) <= _FEW:
        return _joined("OR", [_equals(path, value) for value in values])
    field = _value(path)
    known = Condition(
        f"coalesce({field.sql} = ANY(%s::text[]::jsonb[]), FALSE)",
        (*field.parameters, [operand(value) for value in values if value is not None]),
    )
    return _joined("OR", (known, _equals(path, None))) if None in values else known


def _holds(path: Path, value: Scalar) -> Condition:
    in_list = _of_kind(path, "array", "value @> %s::jsonb", operand([value]))
    if not isinstance(value, str):
        return in_list
    in_text = _of_kind(path, "string", "strpos((value #>> '{}') COLLATE \"C\", %s::text) > 0", escaped(value))
    return _joined("OR", (in_list, in_text))


# -- ids and documents -----------------------------------------------------------------------------------------------


def _has_one_of(ids: Sequence[str]) -> Condition:
    return Condition("(id = ANY(%s::text[]))", ([key_of(id) for id in ids],))


def _on_id(leaf: Leaf) -> Condition:
    match leaf:
        case In():
            return _has_one_of([value for value in leaf.values if isinstance(value, str)])
        case Compare(op=Op.EQ):
            return _has_one_of([leaf.value] if isinstance(leaf.value, str) else [])
        case _:
            return _on_text(COLUMN_OF_ID, leaf)


def _on_text(column: str, leaf: Leaf) -> Condition:
    match leaf:
        case Compare(op=Op.EQ):
            return _text_is(column, "=", leaf.value)
        case Compare(op=Op.NE):
            return _not(_text_is(column, "=", leaf.value))
        case Compare():
            return _text_is(column, _SIGNS[leaf.op], leaf.value) if leaf.value is not None else FALSE
        case In():
            texts = [escaped(value) for value in leaf.values if isinstance(value, str)]
            known = Condition(f"coalesce({column} = ANY(%s::text[]), FALSE)", (texts,))
            return _joined("OR", (known, _text_is(column, "=", None))) if None in leaf.values else known
        case Exists():
            return Condition(f"({column} IS NOT NULL)")
        case Contains():
            if not isinstance(leaf.value, str):
                return FALSE
            return Condition(f"coalesce(strpos({column}, %s::text) > 0, FALSE)", (escaped(leaf.value),))
        case _:
            raise AssertionError(f"{leaf} was not taken")


def _text_is(column: str, sign: str, value: Scalar) -> Condition:
    if value is None:
        return Condition(f"({column} IS NULL)")
    if not isinstance(value, str):
        return FALSE
    return Condition(f"coalesce({column} {sign} %s::text, FALSE)", (escaped(value),))
