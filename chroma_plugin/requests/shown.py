"""Values as they stand in error messages: cut to a sane length, with their type where that is what was wrong."""

from __future__ import annotations

from typing import Any

from chroma_plugin.wording import shown


def kind(value: Any) -> str:
    """The value with its type, as in ``int 5``."""
    return "None" if value is None else f"{type(value).__name__} {shown(value)}"
