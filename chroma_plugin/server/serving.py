"""Running the application under uvicorn: sockets, TLS, logs, and an end that cuts nobody off."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging.config
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import uvicorn
from threadpoolctl import threadpool_limits

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.server.allocator import give_back_large_blocks
from chroma_plugin.server.app import Application
from chroma_plugin.server.protocol import GuardedProtocol

_DRAIN_SECONDS: Final = 0.5
"""So long do connections that are kept open get to send what they are about to send."""
_LETTING_IN: Final = 10_000
"""Turns of the event loop in which the last ones are accepted, in case that more and more come."""
_GRACEFUL_SECONDS: Final = 30
_UNREAD: Final = 6
"""Times as long as a client may stop sending, it may stop reading: it may have to work on what it got."""
_SWITCH_SECONDS: Final = 0.0005
_NO_FAMILY: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@frozen
class Listening:
    """Where and how a server listens."""

    host: str = "localhost"
    port: int = 8000
    certificate: Path | None = None
    key: Path | None = None
    access_log: bool = False
    json_log: bool = False


class DrainingServer(uvicorn.Server):
    """On SIGTERM: no new connections, a word to those that are open that this answer is the last, then the end."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application

    def end(self, *_: object) -> None:
        """A signal handler: come to an end as soon as it runs."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._let_in()
        for server in self.servers:
            server.close()
        self._application.desk.draining = True
        # Those who were let in last become connections in the next turns of the loop.
        await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _DRAIN_SECONDS
        while self.server_state.connections and loop.time() < deadline:
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    async def _let_in(self) -> None:
        """Whoever has connected already: closing a socket that listens cuts them off."""
        listening = [each for server in self.servers for each in server.sockets]
        for _ in range(_LETTING_IN):
            if not select.select(listening, (), (), 0)[0]:
                return
            await asyncio.sleep(0)


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen, one for each address of the host, all at one port.

    Raises InvalidArgumentError that says why there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise InvalidArgumentError(f"There is no address for {host!r}: {error.strerror or error}.") from error
    bound: list[socket.socket] = []
    for family, _, _, _, address in sorted(dict.fromkeys(found)):
        try:
            bound.append(_listen(family, (address[0], bound[0].getsockname()[1] if bound else port, *address[2:])))
        except OSError as error:
            # "localhost" may have an address of a family that this machine lacks.
            if error.errno in _NO_FAMILY and len(found) > 1:
                continue
            for other in bound:
                other.close()
            raise InvalidArgumentError(
                f"Can't listen at {host}:{port}: {error.strerror or error}. Is another server running there? "
                f"Choose another with --port."
            ) from error
    return bound


def _listen(family: int, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        # At once: a port that is only bound looks free to others.
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def prepare(application: Application, listening: Listening) -> DrainingServer:
    """A server whose `run` returns after SIGTERM or SIGINT, when what was begun is finished and the database closed.

    From here on these signals end it in good order, also before it runs.
    """
    # A thread that computes gives way to the event loop every half millisecond, not every five.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Requests run side by side already; BLAS with threads of its own under each only gets in its own way.
    threadpool_limits(1, user_api="blas")
    give_back_large_blocks()
    stalled_seconds = application.desk.config.limits.stalled_seconds
    GuardedProtocol.header_seconds = stalled_seconds
    GuardedProtocol.unread_seconds = _UNREAD * stalled_seconds
    config = uvicorn.Config(
        application,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
    )
    _configure_logs(listening)
    server = DrainingServer(config, application)
    # uvicorn handles both while it runs, and then raises them again for the handlers of before: these.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.end)
    return server


def _configure_logs(listening: Listening) -> None:
    formatter = {"()": f"chroma_plugin.server.logs.{'JSONLines' if listening.json_log else 'Lines'}"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"chosen": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
            "loggers": {
                "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
                "chroma_plugin": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
                "chroma_plugin.access": {"level": "INFO" if listening.access_log else "WARNING"},
            },
        }
    )
