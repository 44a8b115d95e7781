"""uvicorn's HTTP protocol with an eye on clients that hold a connection and send, or read, next to nothing."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADER_BYTES: Final = 64 * 1024
"""Request line and headers together."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_BAD: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"chroma-trace-id: %s\r\nconnection: close\r\n\r\n%s"
)


class GuardedProtocol(HttpToolsProtocol):
    """Drops whoever does not send the headers of a request in time, or does not read the answer."""

    header_seconds: float = 10.0
    unread_seconds: float = 60.0
    """So long may a client leave an answer unread."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heading: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._after_the_headers = False

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
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.send_400_response("This is no HTTP request.")
            return
        # Still waiting for the end of the headers after all of that.
        if self._heading is not None and self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets an answer of the same form as every other mistake."""
        body = orjson.dumps({"error": "InvalidArgumentError", "message": msg})
        self.transport.write(_BAD % (len(body), os.urandom(16).hex().encode(), body))
        self.transport.close()

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._without_the_offer() + data[offer.args[0] :]
            else:
                return

    def _without_the_offer(self) -> bytes:
        """The head of a request that offers another protocol (Java's client does so with its first one), without that:
        as nothing else is spoken here, it goes on as if it had not been offered. The parser would drop the body.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("This is no proxy.")
        first = b"%s %s HTTP/%s\r\n" % (method, self.url, self.parser.get_http_version().encode())
        rest = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = _new_parser(self)
        return b"".join((first, *rest, b"\r\n"))

    def on_message_begin(self) -> None:
        self._after_the_headers = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind the body is not a header: nobody before us looked at it as one.
        if not self._after_the_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._after_the_headers = True
        if self.parser.should_upgrade():
            return
        if self.parser.get_http_version() == "1.0" and any(name == b"transfer-encoding" for name, _ in self.headers):
            raise httptools.HttpParserError("HTTP/1.0 has no such header: who is in front of us did not understand it.")
        _cancel(self._heading)
        self._heading = None
        self._header_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.parser.should_upgrade():
            raise httptools.HttpParserError("The parser went on behind an offer of another protocol.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        _cancel(self._unread)
        self._unread = self.loop.call_later(self.unread_seconds, self.transport.abort)

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


def _new_parser(protocol: GuardedProtocol) -> Any:
    """As uvicorn makes it."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
