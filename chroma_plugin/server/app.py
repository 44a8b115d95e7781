"""The application: the table of routes over one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route as Path
from starlette.routing import Router

from chroma_plugin.api.client import Client
from chroma_plugin.config import Settings
from chroma_plugin.errors import ChromaAuthError, InvalidArgumentError
from chroma_plugin.server.call import HTML, TEXT, Answer, Call
from chroma_plugin.server.config import ServerConfig
from chroma_plugin.server.desk import Desk
from chroma_plugin.server.endpoint import Endpoint
from chroma_plugin.server.metrics import Metrics
from chroma_plugin.server.openapi import description, page
from chroma_plugin.server.routes import ROUTES, VERSION_ONE, Access, Route
from chroma_plugin.server.served import Served
from chroma_plugin.sessions.connection import Connection

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chroma_plugin.plugins import PluginManager


class Application:
    """The ASGI application, and what the one who runs it may want to know."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        metrics = Metrics()
        metrics.watch(desk)
        routes = (*ROUTES, *VERSION_ONE, *_about(metrics))
        router = Router(
            [Path(path, Endpoint(methods, desk, metrics)) for path, methods in _by_path(routes).items()],
            redirect_slashes=False,
            default=Endpoint({}, desk, metrics),
            lifespan=self._lifespan,
        )
        origins = desk.config.cors_origins
        self._app: ASGIApp = router
        if origins:
            self._app = CORSMiddleware(
                router, allow_origins=origins, allow_methods=["*"], allow_headers=["*"],
                expose_headers=["chroma-trace-id"],
            )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, app: Any) -> AsyncIterator[None]:
        yield
        # What was acknowledged is on disk already; this ends threads and releases the files.
        await asyncio.to_thread(self.desk.close)


def build(target: Settings | Client | None, config: ServerConfig, plugins: PluginManager | None) -> Application:
    """See `chroma_plugin.server.create_app`."""
    from chroma_plugin.plugins import default_manager

    manager = plugins or default_manager()
    if isinstance(target, Client):
        return Application(Desk(Served(target._connection, manager, owned=False), config))
    if target is not None and not isinstance(target, Settings):
        raise InvalidArgumentError(f"A server serves Settings(...) or a Client, not {type(target).__name__}.")
    return Application(Desk(Served(Connection((target or Settings()).target(manager)), manager), config))


def _by_path(routes: tuple[Route, ...]) -> dict[str, dict[str, Route]]:
    paths: dict[str, dict[str, Route]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = route
    return paths


def _about(metrics: Metrics) -> tuple[Route, ...]:
    """The pages about the server. Metrics name collections, so they need a token that may see all of them."""
    shown = orjson.dumps(description(ROUTES))
    html = page(ROUTES).encode()

    def openapi(call: Call) -> Answer:
        return Answer(shown)

    def docs(call: Call) -> Answer:
        return Answer(html, media_type=HTML)

    def exposed(call: Call) -> Answer:
        if not call.grant.unbound:
            raise ChromaAuthError("This token is bound to a tenant, and the metrics are about them all.")
        return Answer(metrics.text(), media_type=TEXT)

    return (
        Route("GET", "/openapi.json", openapi, "", Access.OPEN, quick=True),
        Route("GET", "/docs", docs, "", Access.OPEN, quick=True),
        Route("GET", "/metrics", exposed, "", watch=True),
    )
