"""`ChromaPluginTranslator`: LangChain's structured queries as filters of a collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery, Visitor

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.values import date_text

_ORDERED: Final = frozenset((Comparator.GT, Comparator.GTE, Comparator.LT, Comparator.LTE))


class ChromaPluginTranslator(Visitor):
    """For ``SelfQueryRetriever.from_llm(..., structured_query_translator=ChromaPluginTranslator())``.

    All ten comparators and all three operators:

    - ``eq ne gt gte lt lte in nin`` are those of ``where``. Records without the attribute match ``ne`` and ``nin``.
    - ``contain``: a list with that element, or a text with that part, case and all.
    - ``like``, which ignores case: with ``%`` (any text) or ``_`` (one character) in it, the whole text has that form,
      as in SQL; a backslash makes the next character plain. Without them, the text has it as a part.
    - A date stands for the whole day, a time of the form ``2024-05-01T12:00:00`` for the whole second, in UTC if no
      zone is given: ``eq`` is within it, ``gt`` after it, ``lte`` up to its end. Dates that a
      `ChromaPluginVectorStore` has stored are meant, and other ISO text.
    - ``not`` of several filters: none of them matches.

    What an attribute or a value says is never read as an operator or as a pattern. Raises InvalidArgumentError for what
    can't be compared.
    """

    allowed_operators = tuple(Operator)
    allowed_comparators = tuple(Comparator)

    def visit_operation(self, operation: Operation) -> dict[str, Any]:
        """The ``where`` of an and, or or not."""
        if not operation.arguments:
            raise InvalidArgumentError(f"{operation.operator.value} needs a filter to apply to.")
        parts = [argument.accept(self) for argument in operation.arguments]
        if operation.operator is Operator.NOT:
            return {"$not": _joined("$or", parts)}
        return _joined(f"${operation.operator.value}", parts)

    def visit_comparison(self, comparison: Comparison) -> dict[str, Any]:
        """The ``where`` of one attribute."""
        attribute = _attribute(comparison.attribute)
        comparator, value = comparison.comparator, comparison.value
        if comparator in (Comparator.IN, Comparator.NIN):
            found = _one_of(attribute, list(value) if isinstance(value, (list, tuple)) else [value])
            return found if comparator is Comparator.IN else {"$not": found}
        if comparator is Comparator.LIKE:
            return {attribute: {"$regex": like_pattern(_text(comparator, value))}}
        if comparator is Comparator.CONTAIN:
            span = _span(value)
            return {attribute: {"$contains": span.first if span else _scalar(comparator, value)}}
        return _compared(attribute, comparator, value)

    def visit_structured_query(self, structured_query: StructuredQuery) -> tuple[str, dict[str, Any]]:
        """The query and the keyword arguments of a search."""
        condition = structured_query.filter
        return structured_query.query, {} if condition is None else {"filter": condition.accept(self)}


def like_pattern(value: str) -> str:
    """The regular expression (RE2) of a ``like``."""
    tokens = re.findall(r"\\.|.", value, re.DOTALL)
    if "%" not in tokens and "_" not in tokens:
        return "(?i)" + "".join(map(_literal, tokens))
    return r"(?is)\A" + "".join(_WILDCARDS.get(token) or _literal(token) for token in tokens) + r"\z"


_WILDCARDS: Final = {"%": ".*", "_": "."}


def _literal(token: str) -> str:
    return re.escape(token[-1])


def _joined(operator: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return parts[0] if len(parts) == 1 else {operator: parts}


def _attribute(name: str) -> str:
    if not name or name[0] in "$#":
        raise InvalidArgumentError(f"{name!r} is not a metadata key, so nothing can be compared with it.")
    return name


def _one_of(attribute: str, values: list[Any]) -> dict[str, Any]:
    spans = [_compared(attribute, Comparator.EQ, value) for value in values if _span(value)]
    scalars = [_scalar(Comparator.IN, value) for value in values if not _span(value)]
    parts = [{attribute: {"$in": scalars}}, *spans] if scalars else spans
    # Nothing equals one of no values.
    return _joined("$or", parts) if parts else {attribute: {"$exists": True}, "$not": {attribute: {"$exists": True}}}


def _compared(attribute: str, comparator: Comparator, value: Any) -> dict[str, Any]:
    span = _span(value)
    if span is None:
        return {attribute: {f"${comparator.value}": _scalar(comparator, value)}}
    if comparator is Comparator.NE:
        return {"$not": _compared(attribute, Comparator.EQ, value)}
    return {
        attribute: {
            Comparator.EQ: {"$gte": span.first, "$lte": span.last},
            Comparator.GT: {"$gt": span.last},
            Comparator.GTE: {"$gte": span.first},
            Comparator.LT: {"$lt": span.first},
            Comparator.LTE: {"$lte": span.last},
        }[comparator]
    }


def _scalar(comparator: Comparator, value: Any) -> Any:
    if isinstance(value, (list, tuple, dict)):
        raise InvalidArgumentError(f"{comparator.value} compares with one value, got {value!r}.")
    if comparator in _ORDERED and (value is None or isinstance(value, bool)):
        raise InvalidArgumentError(f"{comparator.value} compares with a number, a text or a date, got {value!r}.")
    return value


def _text(comparator: Comparator, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{comparator.value} compares with a text, got {value!r}.")
    return value


@dataclass(frozen=True, slots=True)
class _Span:
    """The texts that stand for a moment or a time: from the first to the last, as they are sorted."""

    first: str
    last: str


def _span(value: Any) -> _Span | None:
    """The span of a date or a time in any form that filters have; None for all else."""
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return _day(value)
    if not isinstance(value, Mapping):
        return None
    kind = value.get("type")
    if kind not in ("date", "datetime") or not isinstance(value.get(kind), str):
        return None
    text: str = value[kind]
    try:
        return _day(date.fromisoformat(text)) if kind == "date" else _second(datetime.fromisoformat(text))
    except ValueError as error:
        raise InvalidArgumentError(f"{text!r} is not a {kind} in ISO 8601 form.") from error


def _day(value: date) -> _Span:
    # Every time of that day is "...T00" to "...T23".
    return _Span(value.isoformat(), f"{value.isoformat()}T24")


def _second(value: datetime) -> _Span:
    # What follows the seconds is a fraction, an offset, or "Z", which sorts last.
    text = _in_utc(value).replace(tzinfo=None).isoformat(timespec="seconds")
    return _Span(text, f"{text}Z")


def _instant(value: datetime) -> _Span:
    """With and without the offset of UTC."""
    moment = _in_utc(value)
    return _Span(date_text(moment.replace(tzinfo=None)), date_text(moment))


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.utcoffset() is None else value.astimezone(UTC)
