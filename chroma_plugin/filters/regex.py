"""Regular expressions in linear time, on RE2."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Protocol

from chroma_plugin.errors import InvalidArgumentError

MAX_PATTERN: Final = 4_096
"""Characters: far above what people write, and little enough to quote and to compile at once."""

_MAX_MEMORY: Final = 2 << 20
"""Bytes that RE2 may use for one pattern: enough for ``\\p{L}{1,50}``, little enough for a filter full of patterns.
Time is linear in the text, but also in the compiled pattern, and this bounds that as well."""


class Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class Expression(Protocol):
    """A pattern of RE2 over UTF-8."""

    def search(self, text: Any, first: int | None = None, last: int | None = None) -> Match | None:
        """The leftmost match in bytes, or in their part from `first` up to `last`."""


def compile_regex(pattern: str) -> Callable[[str], bool]:
    """A function that says whether the pattern (RE2 syntax) is found anywhere in a text, in time linear in the text.

    Raises InvalidArgumentError, with RE2's reason, for a pattern that is bad, too long or too large. Look-around and
    back-references are not in RE2's syntax.
    """
    search = expression(pattern).search
    # As bytes: RE2 works on UTF-8, and its wrapper would translate back offsets that nobody reads. And a lone
    # surrogate, which a foreign store may hold, does not end a whole scan with an exception.
    return lambda text: search(text.encode("utf-8", "surrogatepass")) is not None


@lru_cache(maxsize=128)
def expression(pattern: str) -> Expression:
    """The same as an expression over bytes, for who has texts in UTF-8."""
    if len(pattern) > MAX_PATTERN:
        raise InvalidArgumentError(
            f"A regular expression may have {MAX_PATTERN:,} characters, this one has {len(pattern):,}."
        )
    compiled: Expression = _compiled(pattern)
    return compiled


def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0]
        raise InvalidArgumentError(
            f"{pattern[:100]!r} is not a regular expression that RE2 accepts: {_text(reason)[:200]}. "
            "The syntax is RE2's: no look-around, no back-references."
        ) from error
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{pattern[:100]!r} holds a lone surrogate, which is not text.") from error


def _text(reason: object) -> str:
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
