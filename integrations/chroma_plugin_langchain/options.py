"""Keyword arguments that LangChain passes through: known ones are used, others are refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.values import stored_filter

_NEAREST: Final = ("ids", "max_distance", "exact")
_HYBRID: Final = ("ids", "fusion", "alpha", "candidates")
_TEXT: Final = ("ids",)


def nearest(
    k: int, filter: Any, where_document: Any, options: Mapping[str, Any], include: Collection[str]
) -> dict[str, Any]:
    """The arguments of `Collection.query`, besides the question."""
    refuse_unknown(options, _NEAREST, "a similarity search", "k", "filter", "where_document")
    return _question(k, filter, where_document, options) | {"include": list(include)}


def hybrid(k: int, filter: Any, where_document: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Collection.search_hybrid`."""
    refuse_unknown(options, _HYBRID, "a hybrid search", "k", "filter", "where_document")
    return _question(k, filter, where_document, options)


def text(k: int, filter: Any, where_document: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Collection.search_text`."""
    refuse_unknown(options, _TEXT, "a text search", "k", "filter", "where_document")
    return _question(k, filter, where_document, options)


def refuse_unknown(options: Mapping[str, Any], known: Collection[str], what: str, *named: str) -> None:
    """Raises InvalidArgumentError for what would otherwise be ignored."""
    unknown = [name for name in options if name not in known]
    if unknown:
        raise InvalidArgumentError(
            f"Unknown keyword arguments for {what}: {', '.join(map(repr, unknown))}. "
            f"It takes {', '.join([*named, *known])}."
        )


def _question(k: int, filter: Any, where_document: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"n_results": k, "where": stored_filter(filter), "where_document": where_document, **options}
