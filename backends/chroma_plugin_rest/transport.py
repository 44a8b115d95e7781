"""Requests to one server: pooled connections, finite timeouts, repeats of what is safe to repeat.

The same calls block a thread, or wait on an event loop when they run on one (`chroma_plugin.waiting`).
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from chroma_plugin import waiting
from chroma_plugin.errors import ClosedError, InvalidArgumentError
from chroma_plugin_rest import failures
from chroma_plugin_rest.address import address_of, headers_of
from chroma_plugin_rest.options import RestOptions

_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_PERHAPS_SENT: Final = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_BUSY: Final = frozenset((429, 502, 503))
_NOT_DONE: Final = frozenset((429,))
"""A server that says this has not begun."""
_LONGEST_PAUSE: Final = 20.0
_CLOSE_SECONDS: Final = 5.0


class Transport:
    """One server. Threads may share it; it closes with `close`."""

    def __init__(self, options: RestOptions) -> None:
        self.address = address_of(options)
        self._options = options
        self._headers = headers_of(options)
        self._lock = threading.Lock()
        self._blocking: httpx.Client | None = None
        self._abandoned: list[Any] = []
        self._on_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )
        self._closed = False

    def get(self, path: str, **query: object) -> Any:
        """The JSON answer to a GET; query values that are None are left out."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self.call("GET", path, query=given, repeatable=True)

    def ask_at(self, path: str) -> Any:
        """The JSON answer to one GET outside of the API."""
        address = self.address
        try:
            response = self._once("GET", f"{address.scheme}://{address.place}{path}", None, None)
        except httpx.HTTPError as error:
            raise failures.unreachable(error, address, f"GET {path}") from error
        return self._answer(response)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
        seconds: float | None = None,
    ) -> Any:
        """The JSON answer. ``repeatable`` says that asking twice does what asking once does; ``seconds``: so long the
        server may stay silent, if that is longer than the option ``timeout``.

        Raises UnreachableError when there is none, and what an error answer stands for.
        """
        content = None if body is None else encoded(body)
        return self.send(method, path, content, query=query, repeatable=repeatable, seconds=seconds)

    def send(
        self,
        method: str,
        path: str,
        content: bytes | None,
        *,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
        seconds: float | None = None,
    ) -> Any:
        """`call` with a body that is encoded already."""
        what = f"{method} {path}"
        for attempt in range(self._options.retries + 1):
            last = attempt == self._options.retries
            try:
                response = self._once(method, self.address.url + path, content, query, seconds)
            except httpx.HTTPError as error:
                again = isinstance(error, _NOTHING_SENT) or (repeatable and isinstance(error, _PERHAPS_SENT))
                if last or not again or _hopeless(error):
                    raise failures.unreachable(error, self.address, what) from error
                _pause(_backoff(attempt))
                continue
            if not last and response.status_code in (_BUSY if repeatable else _NOT_DONE):
                _pause(_asked_pause(response, attempt))
                continue
            return self._answer(response)
        raise AssertionError("the last attempt returns or raises")

    def after_fork(self) -> None:
        """The sockets are the parent's, and what holds them must not be finalized here."""
        self._lock = threading.Lock()
        self._abandoned.append((self._blocking, self._on_loops))
        self._blocking, self._on_loops = None, weakref.WeakKeyDictionary()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            blocking, self._blocking = self._blocking, None
            on_loops = dict(self._on_loops)
            self._on_loops.clear()
        if blocking is not None:
            blocking.close()
        for loop, client in on_loops.items():
            _close_on(loop, client)

    def _once(
        self,
        method: str,
        url: str,
        content: bytes | None,
        query: Mapping[str, str] | None,
        seconds: float | None = None,
    ) -> httpx.Response:
        request: dict[str, Any] = {"content": content, "params": query, "timeout": self._timeout(seconds)}
        request["headers"] = {"Content-Type": "application/json"} if content is not None else {}
        if waiting.on_loop():
            return waiting.wait(self._client_on_loop().request(method, url, **request))
        return self._client().request(method, url, **request)

    def _timeout(self, seconds: float | None) -> httpx.Timeout:
        options = self._options
        return httpx.Timeout(max(options.timeout, seconds or 0), connect=options.connect_timeout)

    def _answer(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise failures.refusal(response, self.address)
        if response.is_redirect:
            raise failures.not_chroma(self.address, f"it sends us to {response.headers.get('location', '')[:200]!r}")
        try:
            return orjson.loads(response.content) if response.content else None
        except orjson.JSONDecodeError as error:
            raise failures.not_chroma(self.address, f"it answers {failures.shown_text(response)[:200]!r}") from error

    def _client(self) -> httpx.Client:
        with self._lock:
            self._refuse_closed()
            if self._blocking is None:
                self._blocking = httpx.Client(**self._settings())
            return self._blocking

    def _client_on_loop(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        with self._lock:
            self._refuse_closed()
            if loop not in self._on_loops:
                self._on_loops[loop] = httpx.AsyncClient(**self._settings())
            return self._on_loops[loop]

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError("The client was closed.")

    def _settings(self) -> dict[str, Any]:
        options = self._options
        connections = options.chroma_http_max_connections
        verify = options.chroma_server_ssl_verify
        return {
            "headers": self._headers,
            "timeout": self._timeout(None),
            "limits": httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=options.chroma_http_keepalive_secs,
            ),
            "verify": _verified(verify),
        }


def encoded(body: object) -> bytes:
    """The body as JSON. Raises InvalidArgumentError for text that is not UTF-8 and for what is nested too deeply."""
    try:
        return orjson.dumps(body, default=_plain)
    except orjson.JSONEncodeError as error:
        raise InvalidArgumentError(f"This can't be sent as JSON: {error}.") from error


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _verified(verify: bool | str | None) -> Any:
    if isinstance(verify, str):
        folder = os.path.isdir(verify)
        return ssl.create_default_context(cafile=None if folder else verify, capath=verify if folder else None)
    return verify is not False


def _hopeless(error: httpx.HTTPError) -> bool:
    """Asking again would give the same: a name that does not exist, a bad certificate."""
    return any(isinstance(cause, (socket.gaierror, ssl.SSLError)) for cause in failures.causes(error))


def _backoff(attempt: int) -> float:
    return float(0.1 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311  # no secret


def _asked_pause(response: httpx.Response, attempt: int) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked), _LONGEST_PAUSE) if asked.isdigit() else _backoff(attempt)


def _pause(seconds: float) -> None:
    if waiting.on_loop():
        waiting.wait(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


def _close_on(loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> None:
    """Close a pool that belongs to an event loop, from wherever this is."""
    if loop.is_closed():
        return
    if _is_running_here(loop):
        loop.create_task(client.aclose())
    elif loop.is_running():
        asyncio.run_coroutine_threadsafe(client.aclose(), loop).result(_CLOSE_SECONDS)
    else:
        loop.run_until_complete(client.aclose())


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
