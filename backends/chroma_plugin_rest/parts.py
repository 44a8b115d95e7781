"""Writes that are larger than a server takes at once, in parts, and what is said when one of them fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from chroma_plugin.errors import BatchSizeExceededError, ChromaError, UnreachableError
from chroma_plugin.frozen import frozen
from chroma_plugin.types import Records
from chroma_plugin.wording import shown
from chroma_plugin_rest.wire import batches

_SAMPLE: Final = 32
"""So many records are encoded to learn how large one is."""
_MARGIN: Final = 0.8
"""Of the limit, as the others may be larger than those of the sample."""


@frozen
class Limits:
    """What a server takes in one request."""

    records: int
    body_bytes: int


def send_in_parts(
    records: Records, limits: Limits, encode: Callable[[Records], bytes], send: Callable[[bytes], Any]
) -> list[Any]:
    """The answers to the parts, which are sent in order.

    A part that the server finds too large (413: it did nothing) is halved: a proxy in between may take less than the
    server said. Any other failure ends it; the error says how much was written before.
    """
    pending = deque(batches(records, _rows(records, limits, encode)))
    answers: list[Any] = []
    written = 0
    while pending:
        part = pending.popleft()
        content = encode(part)
        if len(content) > limits.body_bytes and len(part) > 1:
            pending.extendleft(_halves(part))
            continue
        try:
            answers.append(send(content))
        except ChromaError as error:
            if isinstance(error, BatchSizeExceededError) and len(part) > 1:
                pending.extendleft(_halves(part))
                continue
            if not written:
                raise
            raise _partly(error, records, written, len(part)) from error
        written += len(part)
    return answers


def _rows(records: Records, limits: Limits, encode: Callable[[Records], bytes]) -> int:
    """How many records most probably fit."""
    count = len(records)
    if count <= _SAMPLE:
        return limits.records
    step = count // _SAMPLE
    size = len(encode(records.take(range(0, step * _SAMPLE, step)))) / _SAMPLE
    return max(1, min(limits.records, int(_MARGIN * limits.body_bytes / size)))


def _halves(part: Records) -> tuple[Records, Records]:
    """The second half first, as a queue is filled from the left."""
    middle = len(part) // 2
    return part.take(range(middle, len(part))), part.take(range(middle))


def _partly(error: ChromaError, records: Records, written: int, tried: int) -> ChromaError:
    rest = "the others were not"
    if isinstance(error, UnreachableError):
        rest = f"the next {tried} may have been, the others were not"
    text = (
        f"{error.message()} This write of {len(records)} records was sent in parts: the first {written} were written "
        f"before this, up to the id {shown(records.ids[written - 1])}; {rest}."
    )
    told = type(error)(text)
    told.trace_id = error.trace_id
    return told
