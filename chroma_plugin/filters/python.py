"""An `Expr` as a Python function: the reference meaning, by which every engine is judged."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from chroma_plugin.errors import InternalError
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
    Or,
    Path,
    Regex,
    Scalar,
    leaves,
)
from chroma_plugin.filters.compare import MISSING, Kind, comparable, equal, kind_of
from chroma_plugin.filters.fold import Branch, fold
from chroma_plugin.filters.regex import compile_regex

if TYPE_CHECKING:
    # `types` imports this package.
    from chroma_plugin.types import Field, Metadata, Records

Predicate: TypeAlias = "Callable[[str, Metadata | None, str | None], bool]"
"""Called as ``predicate(id, metadata, document)``."""

_Test: TypeAlias = Callable[[Any], bool]
"""Called with the value of a field, or MISSING."""

_ORDERINGS: Final[Mapping[Op, Callable[[Any, Any], bool]]] = {
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.LT: operator.lt,
    Op.LE: operator.le,
}


def compile_filter(expr: Expr) -> Predicate:
    """The filter as a function of a record's id, metadata and document.

    ``expr`` comes from `parse_where`, which bounds its depth; compiling does not recurse, but calling nests as deep as
    the filter.
    """
    return fold(expr, lambda leaf: _on_field(leaf.path, _test(leaf)), _joined)


def batch_filter(expr: Expr) -> Callable[[Records], list[int]]:
    """A function that gives the positions of the matching records in a batch; compiled once, for many batches.

    The batch must have the columns of `needed_fields`.
    """
    predicate, needed = compile_filter(expr), needed_fields(expr)

    def positions(records: Records) -> list[int]:
        metadatas = _column(records.metadatas, "metadatas", needed)
        documents = _column(records.documents, "documents", needed)
        rows = zip(range(len(records)), records.ids, metadatas, documents, strict=False)
        return [row for row, id, metadata, document in rows if predicate(id, metadata, document)]

    return positions


def keep(expr: Expr, records: Records) -> list[int]:
    """The positions of the matching records, which must have the columns of `needed_fields`."""
    return batch_filter(expr)(records)


def needed_fields(expr: Expr) -> frozenset[Field]:
    """The columns that the filter reads: ``documents``, ``metadatas``, both or, for ids alone, none."""
    paths = {leaf.path for leaf in leaves(expr)}
    fields: set[Field] = set()
    if DOCUMENT in paths:
        fields.add("documents")
    if paths - {DOCUMENT, ID}:
        fields.add("metadatas")
    return frozenset(fields)


def _column(column: Sequence[Any] | None, field: Field, needed: frozenset[Field]) -> Any:
    if column is not None:
        return column
    if field in needed:
        raise InternalError(f"The filter reads {field}, but the records were read without.")
    return repeat(None)


def _joined(kind: Branch, inner: Sequence[Predicate]) -> Predicate:
    return _negation(inner[0]) if kind is Not else _until(tuple(inner), decisive=kind is Or)


def _negation(inner: Predicate) -> Predicate:
    return lambda id, metadata, document: not inner(id, metadata, document)


def _until(inner: tuple[Predicate, ...], *, decisive: bool) -> Predicate:
    """Or stops at the first True, And at the first False; without one the answer is the opposite."""

    def predicate(id: str, metadata: Metadata | None, document: str | None) -> bool:
        for part in inner:
            if part(id, metadata, document) is decisive:
                return decisive
        return not decisive

    return predicate


def _on_field(path: Path, test: _Test) -> Predicate:
    if path == ID:
        return lambda id, metadata, document: test(id)
    if path == DOCUMENT:
        return lambda id, metadata, document: test(MISSING if document is None else document)
    if len(path.parts) == 1:
        key = path.parts[0]
        return lambda id, metadata, document: test(MISSING if metadata is None else metadata.get(key, MISSING))
    return lambda id, metadata, document: test(_walk(metadata, path.parts))


def _walk(metadata: Metadata | None, parts: tuple[str, ...]) -> Any:
    value: Any = metadata
    for part in parts:
        if not isinstance(value, Mapping) or part not in value:
            return MISSING
        value = value[part]
    return value


def _test(leaf: Leaf) -> _Test:
    match leaf:
        case Compare(op=Op.EQ):
            return _equals(leaf.value)
        case Compare(op=Op.NE):
            equals = _equals(leaf.value)
            return lambda value: not equals(value)
        case Compare():
            ordered, bound = _ORDERINGS[leaf.op], leaf.value
            return lambda value: comparable(value, bound) and ordered(value, bound)
        case In():
            return _is_one_of(leaf.values)
        case Exists():
            return lambda value: value is not MISSING
        case Contains():
            return _holds(leaf.value)
        case Regex():
            found = compile_regex(leaf.pattern)
            return lambda value: kind_of(value) is Kind.STR and found(value)


def _equals(operand: Scalar) -> _Test:
    if operand is None:
        return lambda value: value is None or value is MISSING
    return lambda value: equal(value, operand)


def _is_one_of(operands: tuple[Scalar, ...]) -> _Test:
    # Python hashes and compares ints and floats exactly by value; only bools must be kept apart, by their kind.
    wanted: set[tuple[Kind, object]] = {(kind_of(operand), operand) for operand in operands}
    if None in operands:
        wanted.add((Kind.MISSING, MISSING))

    def test(value: Any) -> bool:
        kind = kind_of(value)
        return kind < Kind.LIST and (kind, value) in wanted

    return test


def _holds(operand: Scalar) -> _Test:
    def test(value: Any) -> bool:
        kind = kind_of(value)
        if kind is Kind.LIST:
            return any(equal(element, operand) for element in value)
        return kind is Kind.STR and isinstance(operand, str) and operand in value

    return test
