"""Metadata values, which chromadb spreads over one column for each type."""

from __future__ import annotations

from typing import Any


def scalar(text: str | None, integer: int | None, number: float | None, boolean: int | None) -> Any:
    """The one that is there; None when none is."""
    if boolean is not None:
        return bool(boolean)
    if text is not None:
        return text
    return number if integer is None else integer
