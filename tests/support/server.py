"""A real server in a process of its own, as ``chroma-plugin run`` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_started: Final[list[RunningServer]] = []


@dataclass(frozen=True)
class RunningServer:
    """``host, port = server`` works as well."""

    host: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    """What it wrote to standard output and standard error."""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __iter__(self) -> Iterator[Any]:
        return iter((self.host, self.port))

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(_STOP_SECONDS)


@contextmanager
def running_server(
    path: str | Path | None = None, *, env: dict[str, str] | None = None, **options: Any
) -> Iterator[RunningServer]:
    """A server on a free loopback port, ended with SIGTERM; without a path it keeps everything in memory.

    ``options`` are those of the command: ``allow_reset=True`` is ``--allow-reset``, a list repeats the option.
    """
    server = start_server(path, env=env, **options)
    try:
        yield server
    finally:
        server.stop()


def start_server(path: str | Path | None = None, *, env: dict[str, str] | None = None, **options: Any) -> RunningServer:
    """The same, until `stop`, or until the test run ends: workers of xdist run no `atexit`."""
    port = options.pop("port", None) or free_port()
    where = ["--backend", "memory"] if path is None and "backend" not in options else []
    if path is not None:
        where = ["--path", str(path)]
    command = [sys.executable, "-m", "chroma_plugin.cli", "run", *where, "--port", str(port), *_arguments(options)]
    handle, log = tempfile.mkstemp(prefix="chroma-plugin-server-", suffix=".log")
    with os.fdopen(handle, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
    server = RunningServer(HOST, port, process, Path(log))
    _started.append(server)
    _wait_for(server)
    return server


def stop_servers() -> None:
    """End what still runs."""
    for server in _started:
        server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _arguments(options: dict[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if item is True:
                yield option
            elif item is not False and item is not None:
                yield from (option, str(item))


def _wait_for(server: RunningServer) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise RuntimeError(f"The server ended with code {server.process.returncode}:\n{server.log.read_text()}")
        # The banner is the last thing before the first request is answered; connections wait until then.
        if "Stop: Ctrl-C" in server.log.read_text():
            return
        time.sleep(0.02)
    server.process.kill()
    raise RuntimeError(f"The server did not start in {_START_SECONDS} s:\n{server.log.read_text()}")
