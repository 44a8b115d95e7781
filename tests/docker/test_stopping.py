"""The command of the image as the first process of a container, which no signal ends that it does not handle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
import yaml
from support.server import HOST, free_port

import chroma_plugin as chromadb

ROOT: Final = Path(__file__).parents[2]
TOKEN: Final = "a-long-token-of-the-tests"
DATABASE: Final = "/api/v2/tenants/default_tenant/databases/default_database"
NAMESPACES: Final = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
"""Processes of its own, as in a container."""


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    """Skip where the tests may not have them."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1) here")
    tried = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces for processes here: {tried.stderr.strip()}")


def command_of_the_image(directory: Path, port: int) -> list[str]:
    """Its CMD, with another directory and another port."""
    line = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD"))
    command: list[str] = yaml.safe_load(line.removeprefix("CMD"))
    for option, value in (("--path", str(directory)), ("--port", str(port))):
        command[command.index(option) + 1] = value
    return [str(Path(sys.executable).with_name(command[0])), *command[1:]]


class Container:
    """A server that is process 1 of a namespace."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = directory / "log"
        with self.log.open("wb") as log:
            self.outside = subprocess.Popen(
                [*NAMESPACES, "--", *command_of_the_image(directory / "data", self.port)],
                stdout=log,
                stderr=log,
                env={**os.environ, "CHROMA_PLUGIN_TOKEN": TOKEN},
            )

    def first_process(self) -> int:
        children = Path(f"/proc/{self.outside.pid}/task/{self.outside.pid}/children")
        for _ in range(600):
            if found := children.read_text().split():
                return int(found[0])
            time.sleep(0.01)
        raise AssertionError(self.log.read_text())

    def wait_until_it_answers(self) -> None:
        for _ in range(600):
            assert self.outside.poll() is None, self.log.read_text()
            try:
                httpx.get(f"{self.url}/api/v2/heartbeat")
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text())

    def wait_until_it_handles_signals(self) -> None:
        bit = 1 << (signal.SIGTERM - 1)
        for _ in range(6000):
            assert self.outside.poll() is None, self.log.read_text()
            lines = Path(f"/proc/{self.first_process()}/status").read_text().splitlines()
            handled = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
            if int(handled, 16) & bit:
                return
            time.sleep(0.002)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        """What `docker stop` does: the signal, and patience. The exit code."""
        os.kill(self.first_process(), signal.SIGTERM)
        return self.outside.wait(40)


@contextmanager
def container(directory: Path) -> Iterator[Container]:
    started = Container(directory)
    try:
        yield started
    finally:
        # Takes the first process along, and with it all others.
        started.outside.kill()
        started.outside.wait()


class Writer(threading.Thread):
    """Adds one record after the other until the server goes away."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(name=name)
        self.url = url
        self.acknowledged: list[str] = []
        self.cut: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=30, headers={"X-Chroma-Token": TOKEN}) as client:
            for number in range(100_000):
                body = {"ids": [f"{self.name}-{number}"], "embeddings": [[number, 1]]}
                try:
                    answer = client.post(f"{self.url}/add", json=body)
                except httpx.ConnectError:
                    return
                except httpx.TransportError as error:
                    self.cut.append(repr(error))
                    return
                assert answer.status_code == 201, answer.text
                self.acknowledged.append(f"{self.name}-{number}")


def test_docker_stop_cuts_nobody_off(tmp_path: Path) -> None:
    """Under load: exit code 0 after the last request was answered, and every acknowledged write is in the volume."""
    with container(tmp_path) as started:
        started.wait_until_it_answers()
        status = Path(f"/proc/{started.first_process()}/status").read_text()
        assert next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1] == "1"
        with httpx.Client(base_url=started.url, headers={"X-Chroma-Token": TOKEN}) as api:
            made = api.post(f"{DATABASE}/collections", content=json.dumps({"name": "things"})).json()
        writers = [
            Writer(f"{started.url}{DATABASE}/collections/{made['id']}", f"writer{number}") for number in range(4)
        ]
        for writer in writers:
            writer.start()
        time.sleep(1)
        code = started.stop()
        for writer in writers:
            writer.join(60)

    assert code == 0, started.log.read_text()
    assert [writer.cut for writer in writers if writer.cut] == []
    acknowledged = {id for writer in writers for id in writer.acknowledged}
    assert len(acknowledged) > 20
    with chromadb.PersistentClient(tmp_path / "data") as client:
        assert set(client.get_collection("things").get(include=[])["ids"]) == acknowledged


def test_docker_stop_of_an_idle_server(tmp_path: Path) -> None:
    """With nothing to do it ends at once, long before an engine loses patience."""
    with container(tmp_path) as started:
        started.wait_until_it_answers()
        before = time.monotonic()
        assert started.stop() == 0
        assert time.monotonic() - before < 9


def test_docker_stop_of_a_server_that_starts(tmp_path: Path) -> None:
    """A signal that comes before the server listens ends it as well."""
    with container(tmp_path) as started:
        started.wait_until_it_handles_signals()
        before = time.monotonic()
        assert started.stop() == 0, started.log.read_text()
        assert time.monotonic() - before < 9
