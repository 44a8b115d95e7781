"""``where`` and ``where_document`` dicts become one checked `Expr`. The only place where the dict forms are read.

Nothing here recurses, and everything is bounded, so that no filter, not even a dict that contains itself, ends in more
than an InvalidArgumentError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import DOCUMENT, LEAVES, NODES, And, Expr, In, Not, Or, Regex
from chroma_plugin.filters.build import (
    FIELD_OPERATORS,
    LOGIC_OPERATORS,
    checked_leaf,
    field_filter,
    field_path,
)
from chroma_plugin.filters.operands import MAX_VALUES, shown
from chroma_plugin.frozen import frozen
from chroma_plugin.wording import did_you_mean, plain_dict

MAX_DEPTH: Final = 100
"""And, Or and Not inside one another: far more than people nest, and far from the limits of Python's stack and of SQL
parsers, so that engines may compile and run filters as they like."""

MAX_NODES: Final = 10_000
"""Nodes of one filter. chromadb's server fails at 1,000 and dies at 20,000 clauses."""

MAX_REGEXES: Final = 100
"""Regular expressions of one filter; each may take megabytes once compiled."""

DOCUMENT_OPERATORS: Final = frozenset(("$contains", "$not_contains", "$regex", "$not_regex"))


def parse_where(where: object, *, where_document: object = None) -> Expr | None:
    """One filter that matches where both match, or None when there is no filter (None or ``{}``, twice).

    ``where`` is a dict or an `Expr` (which is checked, too); so is each operand of ``$and``, ``$or``, ``$not``. Several
    keys in one dict, and several operators on one field, must all match. ``where_document`` is a dict of
    ``$contains $not_contains $regex $not_regex $and $or $not``, or an `Expr`.

    Raises InvalidArgumentError when an operator is unknown, an operand is of the wrong type, a regular expression does
    not compile, an operand of ``$and``, ``$or`` or ``$not`` is empty (it could as well be a mistake as mean
    "everything"), or the filter is deeper or larger than the limits of this module.
    """
    given: list[_Item] = []
    if not _is_empty(where):
        given.append(_Where(where))
    if not _is_empty(where_document):
        given.append(_WhereDocument(where_document))
    if not given:
        return None
    return _resolve(given[0] if len(given) == 1 else _Branch(And, tuple(given)))


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, Mapping) and not plain_dict(value, "The filter"))


@frozen
class _Where:
    """What someone passed as ``where``, or as an operand inside: a dict or an Expr, not read yet."""

    value: object


@frozen
class _WhereDocument:
    """The same, inside of ``where_document``."""

    value: object


@frozen
class _Branch:
    """An And, Or or Not whose operands are not read yet."""

    kind: type[And] | type[Or] | type[Not]
    operands: tuple[_Item, ...]


@frozen
class _Join:
    """The operands of this branch are done: put them together."""

    branch: _Branch


_Item: TypeAlias = "_Where | _WhereDocument | _Branch"


def _resolve(root: _Item) -> Expr:
    pending: list[tuple[_Item | _Join, int]] = [(root, 0)]
    done: list[Expr] = []
    size = _Size()
    while pending:
        item, depth = pending.pop()
        if isinstance(item, _Join):
            done.append(_joined(item.branch, done))
            continue
        read = _read(item)
        if isinstance(read, _Branch):
            size.add_branch(depth + 1, len(read.operands))
            pending.append((_Join(read), depth))
            pending.extend((operand, depth + 1) for operand in reversed(read.operands))
        else:
            size.add(read, depth)
            done.append(read)
    return done.pop()


def _joined(branch: _Branch, done: list[Expr]) -> Expr:
    start = len(done) - len(branch.operands)
    operands = tuple(done[start:])
    del done[start:]
    if branch.kind is Not:
        return Not(operands[0])
    return operands[0] if len(operands) == 1 else (And if branch.kind is And else Or)(operands)


class _Size:
    """What a filter has used up of each limit."""

    def __init__(self) -> None:
        self._nodes = self._values = self._regexes = 0

    def add_branch(self, depth: int, operands: int) -> None:
        _limit("levels of $and, $or and $not", depth, MAX_DEPTH)
        # The operands count before they are read: an endless list must not fill the memory first.
        _limit("parts", self._nodes + operands, MAX_NODES)
        self._nodes += 1

    def add(self, expr: Expr, depth: int) -> None:
        leaf = expr
        if isinstance(expr, Not):
            self.add_branch(depth + 1, 1)
            leaf = expr.operand
        self._nodes += 1
        self._values += len(leaf.values) if isinstance(leaf, In) else 0
        self._regexes += isinstance(leaf, Regex)
        _limit("parts", self._nodes, MAX_NODES)
        _limit("values in its $in and $nin", self._values, MAX_VALUES)
        _limit("regular expressions", self._regexes, MAX_REGEXES)


def _limit(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise InvalidArgumentError(
            f"The filter is too large: at most {limit:,} {what} are possible. "
            "Use $in for many values, or split the filter into several calls."
        )


def _read(item: _Item) -> Expr | _Branch:
    """One level: a finished leaf (or its Not), or a branch to read on."""
    if isinstance(item, _Branch):
        return item
    if isinstance(item.value, NODES):
        return _read_node(item.value)
    if isinstance(item, _WhereDocument):
        return _read_document_dict(_checked_dict(item.value, "where_document", '{"$contains": "text"}'))
    return _read_where_dict(_checked_dict(item.value, "where", '{"key": "value"}'))


def _read_node(node: Expr) -> Expr | _Branch:
    if isinstance(node, LEAVES):
        return checked_leaf(node)
    if isinstance(node, Not):
        return _Branch(Not, (_Where(node.operand),))
    if not isinstance(node.operands, tuple):
        raise InvalidArgumentError(f"{type(node).__name__} needs a tuple of filters, got {shown(node.operands)}.")
    return _Branch(type(node), tuple(map(_Where, node.operands))) if node.operands else node


def _read_where_dict(where: Mapping[object, object]) -> Expr | _Branch:
    if len(where) > 1:
        return _Branch(And, tuple([_Where({key: value}) for key, value in where.items()]))
    ((key, value),) = where.items()
    if isinstance(key, str) and key in LOGIC_OPERATORS:
        return _read_logic(key, value, _Where)
    if isinstance(key, str) and key.startswith("$"):
        raise InvalidArgumentError(_not_a_key(key))
    return _read_field(key, value)


def _read_field(key: object, value: object) -> Expr | _Branch:
    path = field_path((key,))
    if not isinstance(value, Mapping):
        return field_filter(path, "$eq", value)
    if type(value) is not dict:
        value = plain_dict(value, f"where: {shown(key)}")
    if not value:
        raise InvalidArgumentError(f"where: {shown(key)} has no operator. Write {{{shown(key)}: {{'$eq': ...}}}}.")
    if len(value) > 1:
        return _Branch(And, tuple([_Where({key: {operator: operand}}) for operator, operand in value.items()]))
    ((operator, operand),) = value.items()
    if not isinstance(operator, str) or not operator.startswith("$"):
        raise InvalidArgumentError(
            f"where: {shown(key)} must have an operator such as $eq, got {shown(operator)}. "
            'To look into nested metadata use Key("outer", "inner").'
        )
    return field_filter(path, operator, operand)


def _read_document_dict(where: Mapping[object, object]) -> Expr | _Branch:
    if len(where) > 1:
        return _Branch(And, tuple([_WhereDocument({key: value}) for key, value in where.items()]))
    ((operator, operand),) = where.items()
    if isinstance(operator, str) and operator in LOGIC_OPERATORS:
        return _read_logic(operator, operand, _WhereDocument)
    if not isinstance(operator, str) or operator not in DOCUMENT_OPERATORS:
        known = sorted(DOCUMENT_OPERATORS | LOGIC_OPERATORS)
        near = did_you_mean(operator, known) if isinstance(operator, str) else ""
        raise InvalidArgumentError(
            f"where_document: there is no operator {shown(operator)}.{near} The operators are {' '.join(known)}; "
            'the others are possible in where={"#document": {...}}, and metadata belongs into where.'
        )
    return field_filter(DOCUMENT, operator, operand)


def _read_logic(operator: str, operand: object, wrap: type[_Where] | type[_WhereDocument]) -> _Branch:
    if operator == "$not":
        return _Branch(Not, (_operand(operator, operand, wrap),))
    if not isinstance(operand, (list, tuple)) or not operand:
        raise InvalidArgumentError(f"{operator} needs a list of one or more filters, got {shown(operand)}.")
    # Before a copy of an absurdly long list is made.
    _limit("parts", len(operand), MAX_NODES)
    return _Branch(And if operator == "$and" else Or, tuple([_operand(operator, each, wrap) for each in operand]))


def _operand(operator: str, operand: object, wrap: type[_Where] | type[_WhereDocument]) -> _Item:
    if _is_empty(operand):
        raise InvalidArgumentError(
            f"{operator} has an empty operand ({shown(operand)}). Leave it out, or say what it matches."
        )
    return wrap(operand)


def _checked_dict(value: object, argument: str, example: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{argument} must be a dict such as {example}, got {shown(value)}.")
    return plain_dict(value, argument)


def _not_a_key(key: str) -> str:
    if key in FIELD_OPERATORS:
        return f"where: {key} stands inside of a field: {{'key': {{{key!r}: ...}}}}."
    return f"where: there is no operator {shown(key)}.{did_you_mean(key, sorted(LOGIC_OPERATORS | FIELD_OPERATORS))}"
