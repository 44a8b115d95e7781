"""One route as an ASGI application: admission, body, handler, answer, and a note of how it went."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import orjson

from chroma_plugin.errors import AuthorizationError, ChromaError, InternalError
from chroma_plugin.server.admission import admit, check_origin, single
from chroma_plugin.server.call import Answer, Call
from chroma_plugin.server.metrics import Metrics
from chroma_plugin.server.receiving import Disconnected, Incoming
from chroma_plugin.server.refusals import Busy, MethodNotAllowed, Stalled, UnknownPath
from chroma_plugin.server.routes import Route

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from chroma_plugin.server.desk import Desk

_access: Final = logging.getLogger("chroma_plugin.access")
_errors: Final = logging.getLogger("chroma_plugin.server")
_NOWHERE: Final = "(no route)"


class Endpoint:
    """All methods of one path."""

    def __init__(self, routes: Mapping[str, Route], desk: Desk, metrics: Metrics) -> None:
        self._routes = routes
        self._desk = desk
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        trace = os.urandom(16).hex()
        method = scope["method"]
        route = self._routes.get("GET" if method == "HEAD" else method)
        self._desk.in_flight += 1
        try:
            answer = await self._answer(route, scope, receive, trace)
            await _send(answer, trace, self._desk.draining, send)
        except Disconnected:
            return
        finally:
            self._desk.in_flight -= 1
        seconds = time.perf_counter() - start
        name = _NOWHERE if route is None else route.path
        self._metrics.observe(method if route else "", name, answer.status, seconds)
        if _access.isEnabledFor(logging.INFO):
            _note(scope, answer.status, seconds, trace)

    async def _answer(self, route: Route | None, scope: Scope, receive: Receive, trace: str) -> Answer:
        try:
            return await self._served(route, scope, receive)
        except ChromaError as error:
            if error.status >= 500 and isinstance(error, InternalError) and not isinstance(error, Busy):
                _errors.error("trace %s: %s", trace, error, exc_info=error)
            return failed(error)
        except Disconnected:
            raise
        except Exception as error:
            # A fault of ours in one request: the caller gets its number, the log the rest, the others go on.
            _errors.error("trace %s: unexpected %s", trace, type(error).__name__, exc_info=error)
            return failed(InternalError(f"The server failed; its log says more under the trace id {trace}."))

    async def _served(self, route: Route | None, scope: Scope, receive: Receive) -> Answer:
        headers = single(scope["headers"])
        config = self._desk.config
        check_origin(config, scope["method"], headers)
        if route is None:
            raise self._refusal(scope)
        path = scope.get("path_params", {})
        grant = admit(config, route, headers, path)
        query = _query(scope["query_string"]) if scope["query_string"] else {}
        if route.method == "GET":
            return await self._desk.serve(route, Call(self._desk.served, config, grant, path, query))
        incoming = Incoming(self._desk, headers, receive)
        try:
            call = Call(self._desk.served, config, grant, path, query, await incoming.read())
            return await self._desk.serve(route, call)
        finally:
            incoming.release()

    def _refusal(self, scope: Scope) -> ChromaError:
        if self._routes:
            return MethodNotAllowed(scope["method"], self._routes)
        return UnknownPath("There is nothing at this path; /docs lists what there is.")


def _query(text: bytes) -> dict[str, str]:
    """The parameters. An empty one is there: ``?name=`` asks for the collection of no name, not for all of them."""
    return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True))


def failed(error: ChromaError) -> Answer:
    """An error as the answer that Chroma's clients turn back into one."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, AuthorizationError) and error.status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    elif isinstance(error, MethodNotAllowed):
        headers = ((b"allow", error.allowed.encode()),)
    elif isinstance(error, Busy):
        headers = ((b"retry-after", b"1"),)
    elif isinstance(error, Stalled):
        headers = ((b"connection", b"close"),)
    message = error.message().encode("utf-8", "replace").decode()
    return Answer(orjson.dumps({"error": error.name(), "message": message}), error.status, headers=headers)


async def _send(answer: Answer, trace: str, last: bool, send: Send) -> None:
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"chroma-trace-id", trace.encode()),
        *answer.headers,
    ]
    if last:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _note(scope: Scope, status: int, seconds: float, trace: str) -> None:
    """A line of the access log: no header, no query string, no body."""
    client = scope.get("client")
    path = scope.get("raw_path", scope["path"].encode("utf-8", "replace")).decode("ascii", "backslashreplace")
    facts = {
        "client": client[0] if client else "",
        "method": scope["method"],
        "path": path,
        "status": status,
        "milliseconds": round(seconds * 1000, 3),
        "trace": trace,
    }
    _access.info("%(client)s %(method)s %(path)s %(status)d %(milliseconds)s ms %(trace)s", facts)
