"""uvicorn's HTTP protocol with an eye on clients that hold a connection and send, or read, next to nothing."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADER_BYTES: Final = 64 * 1024
"""Request line and headers together."""
UNREAD_SECONDS: Final = 60.0
"""So long may a client leave an answer unread."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_BAD: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"chroma-trace-id: %s\r\nconnection: close\r\n\r\n%s"
)


class GuardedProtocol(HttpToolsProtocol):
    """Drops whoever does not send the headers of a request in time, or does not read the answer."""

    header_seconds: float = 10.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heading: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._heading)
        _cancel(self._unread)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._between_requests():
            self._header_bytes += len(data)
            self._expect_headers()
        super().data_received(data)
        # Still waiting for the end of the headers after all of that.
        if self._heading is not None and self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets an answer of the same form as every other mistake."""
        body = orjson.dumps({"error": "InvalidArgumentError", "message": msg})
        self.transport.write(_BAD % (len(body), os.urandom(16).hex().encode(), body))
        self.transport.close()

    def on_headers_complete(self) -> None:
        _cancel(self._heading)
        self._heading = None
        self._header_bytes = 0
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        _cancel(self._unread)
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        _cancel(self._unread)
        super().resume_writing()

    def _between_requests(self) -> bool:
        # uvicorn's annotation forgets that there is none before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _expect_headers(self) -> None:
        if self._heading is None:
            self._heading = self.loop.call_later(self.header_seconds, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
