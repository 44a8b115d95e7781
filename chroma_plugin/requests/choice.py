"""One word of several."""

from __future__ import annotations

from typing import Any

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.shown import kind


def one_of(value: Any, what: str, choices: tuple[str, ...]) -> Any:
    """The value. Raises InvalidArgumentError for anything that is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidArgumentError(f"{what} must be one of {', '.join(map(repr, choices))}, not {kind(value)}.")
    return value
