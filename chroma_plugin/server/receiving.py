"""Reading request bodies: whole, bounded, and not from clients that stop sending."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from chroma_plugin.errors import BatchSizeExceededError
from chroma_plugin.server.refusals import Busy, NotJSON, Stalled

if TYPE_CHECKING:
    from starlette.types import Receive

    from chroma_plugin.server.desk import Desk

_SLOWEST: Final = 16 * 1024
"""Bytes a second that a body has to come with, on the whole."""
_SWALLOWED: Final = 4
"""A body that is too large is read to its end up to so many times the limit: a client that is still sending does not
see the answer.
"""


class Disconnected(Exception):
    """Nobody is there to be answered."""


class Incoming:
    """One request's body. Call `release` when nothing refers to it any more."""

    def __init__(self, desk: Desk, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        self._desk = desk
        self._headers = headers
        self._receive = receive
        self._held = 0

    async def read(self) -> bytes:
        """All of it. Raises BatchSizeExceededError, Busy, Stalled, NotJSON or Disconnected."""
        declared = self._declared()
        if declared == 0:
            return b""
        self._check_type()
        limit = self._desk.config.limits.body_bytes
        if declared is not None and declared > _SWALLOWED * limit:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        limits = self._desk.config.limits
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limits.stalled_seconds
        more = True
        while more:
            try:
                async with asyncio.timeout_at(min(deadline + size / _SLOWEST, loop.time() + limits.stalled_seconds)):
                    message = await self._receive()
            except TimeoutError as error:
                raise Stalled(f"The body did not come: {size} bytes, then nothing or too little.") from error
            if message["type"] == "http.disconnect":
                raise Disconnected
            more = message.get("more_body", False)
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                self._hold(len(chunk))
                chunks.append(chunk)
            elif size > _SWALLOWED * limit:
                break
            else:
                chunks.clear()
                self.release()
        if size > limit:
            raise self._too_large()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        self._desk.buffered -= self._held
        self._held = 0

    def _hold(self, size: int) -> None:
        limit = self._desk.config.limits.buffered_bytes
        if self._desk.buffered + size > limit:
            raise Busy(f"The server holds {limit} bytes of request bodies already; try again in a second.")
        self._desk.buffered += size
        self._held += size

    def _declared(self) -> int | None:
        """The size by the headers; None when it comes in chunks of its own."""
        length = self._headers.get(b"content-length")
        if length is not None:
            return int(length) if length.isdigit() else 0
        return None if b"transfer-encoding" in self._headers else 0

    def _check_type(self) -> None:
        """JSON, or nothing said. Other types are also what a web page may send without asking."""
        given = self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if given and given != b"application/json" and not given.endswith(b"+json"):
            raise NotJSON(f"The body must be application/json, not {given[:60].decode('latin-1')!r}.")

    def _too_large(self) -> BatchSizeExceededError:
        limit = self._desk.config.limits.body_bytes
        return BatchSizeExceededError(f"The body is larger than {limit} bytes, this server's limit: send it in parts.")
