"""What our own embedding functions take."""

from __future__ import annotations

from typing import Any

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.wording import shown


def checked_texts(input: Any) -> list[str]:
    """The input as a list of str. Raises InvalidArgumentError, also for a single str: its characters are no texts."""
    if isinstance(input, str) or not all(isinstance(text, str) for text in input):
        raise InvalidArgumentError(f"An embedding function takes a list of str; it got {shown(input)}.")
    return list(input)
