"""Which distances fit an embedding function, also when it is a plain callable that does not say."""

from __future__ import annotations

from typing import Any, get_args

from chroma_plugin.embedding_functions.protocol import Space


def default_space(function: Any) -> Space:
    """The distance of a new collection that names none: what the function says, else ``"l2"``."""
    said = _said(function, "default_space")
    return said if said in get_args(Space) else "l2"


def supported_spaces(function: Any) -> list[Space]:
    """The distances that make sense: what the function says, else all three."""
    said = _said(function, "supported_spaces")
    return list(said) if said else list(get_args(Space))


def _said(function: Any, method: str) -> Any:
    found = getattr(function, method, None)
    return found() if callable(found) else None
