"""From start to end: the command, what it refuses, and that nothing is lost or cut off when it ends."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from support.server import HOST, RunningServer, free_port, running_server, start_server

import chroma_plugin as chromadb

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    line = [sys.executable, "-m", "chroma_plugin.cli", *map(str, arguments)]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )


def collection_of(server: RunningServer, name: str = "things") -> str:
    body = {"name": name, "get_or_create": True}
    answer = httpx.post(f"{server.url}{DATABASE}/collections", json=body)
    return f"{server.url}{DATABASE}/collections/{answer.json()['id']}"


class Writer(threading.Thread):
    """Adds one record after the other until the server goes away, and keeps account."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(name=name)
        self.url = url
        self.acknowledged: list[str] = []
        # Sent on a connection that was made, and never answered.
        self.cut: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            for number in range(100_000):
                id = f"{self.name}-{number}"
                try:
                    answer = client.post(f"{self.url}/add", json={"ids": [id], "embeddings": [[number, 1]]})
                except httpx.ConnectError:
                    return
                except httpx.TransportError as error:
                    self.cut.append(f"{id}: {error!r}")
                    return
                assert answer.status_code == 201, answer.text
                self.acknowledged.append(id)


def under_load(server: RunningServer, how: signal.Signals) -> tuple[int, Sequence[Writer]]:
    """The exit code, and what eight writers into two collections were told."""
    paths = [collection_of(server, f"things-{number}") for number in range(2)]
    writers = [Writer(paths[number % 2], f"writer{number}") for number in range(8)]
    for writer in writers:
        writer.start()
    time.sleep(1)
    code = server.stop(how)
    for writer in writers:
        writer.join(60)
    return code, writers


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_every_acknowledged_write_is_there_afterwards(tmp_path: Path, how: signal.Signals) -> None:
    """After SIGTERM, which ends with 0 and cuts nobody off, and after SIGKILL."""
    server = start_server(tmp_path / "store")
    code, writers = under_load(server, how)

    acknowledged = {id for writer in writers for id in writer.acknowledged}
    assert len(acknowledged) > 20
    if how is signal.SIGTERM:
        assert code == 0, server.log.read_text()
        assert [writer.cut for writer in writers if writer.cut] == []
    with chromadb.PersistentClient(tmp_path / "store") as client:
        stored = {id for collection in client.list_collections() for id in collection.get(include=[])["ids"]}
    assert acknowledged <= stored
    # What was under way may be there as well, one request of each writer at most.
    assert len(stored - acknowledged) <= (0 if how is signal.SIGTERM else len(writers))


def test_a_request_under_way_is_finished(tmp_path: Path) -> None:
    """SIGTERM while a large batch is written: it is answered, and it is there."""
    server = start_server(tmp_path / "store")
    path = collection_of(server)
    rows = 20_000
    body = {"ids": [str(row) for row in range(rows)], "embeddings": [[row, 1.0, 2.0] for row in range(rows)]}
    content = json.dumps(body).encode()
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(httpx.post(f"{path}/add", content=content, timeout=60)))
    thread.start()
    time.sleep(0.1)
    assert server.stop() == 0
    thread.join(60)
    assert [answer.status_code for answer in answers] == [201]
    with chromadb.PersistentClient(tmp_path / "store") as client:
        assert client.get_collection("things").count() == rows


def test_idle_connections_do_not_hold_the_end_up(tmp_path: Path) -> None:
    """Clients that keep a connection open, or are half-way through a request, wait for nothing."""
    server = start_server(tmp_path / "store")
    with httpx.Client(base_url=server.url) as client:
        client.get("/api/v2/heartbeat")
        half = socket.create_connection((server.host, server.port))
        half.sendall(b"GET /api/v2/heart")
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 10
        half.close()


def test_ctrl_c_is_a_good_end(tmp_path: Path) -> None:
    """SIGINT ends as SIGTERM does."""
    assert start_server(tmp_path / "store").stop(signal.SIGINT) == 0


def test_the_banner_says_what_is_served_and_how_to_connect(tmp_path: Path) -> None:
    """The snippet in it works."""
    with running_server(tmp_path / "my-store") as server:
        text = server.log.read_text()
    assert str(tmp_path / "my-store") in text
    assert f'client = chromadb.HttpClient("localhost", {server.port})' in text
    assert "without a token" in text


def test_another_backend() -> None:
    """By name, with its options."""
    with running_server(backend="memory") as server:
        assert "memory, which is not kept" in server.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (["--host", "0.0.0.0"], "--insecure"),
        (["--host", "::"], "--insecure"),
        (["--host", "no.such.host.invalid", "--insecure"], "no address"),
        (["--backend", "nothing"], "nothing"),
        (["--backend", "memory", "--option", "colour=red"], "colour"),
        (["--option", "colour"], "name=value"),
        (["--auth", "missing.toml"], "missing.toml"),
        (["--token", "short"], "at least 16"),
        (["--ssl-keyfile", "key.pem"], "--ssl-certfile"),
        (["--ssl-certfile", "cert.pem"], "cert.pem"),
    ],
)
def test_what_the_command_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], about: str
) -> None:
    """One line that says what is wrong, exit code 1, nothing made."""
    monkeypatch.chdir(tmp_path)
    done = command("run", "--port", free_port(), *arguments)
    assert done.returncode == 1
    assert about in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(server: RunningServer, tmp_path: Path) -> None:
    """Said so, before the store is opened."""
    done = command("run", "--port", server.port, "--path", tmp_path / "store")
    assert (done.returncode, (tmp_path / "store").exists()) == (1, False)
    assert str(server.port) in done.stderr
    assert "--port" in done.stderr


def test_a_store_that_another_server_has(tmp_path: Path) -> None:
    """The error names the process that has it."""
    with running_server(tmp_path / "store") as server:
        done = command("run", "--port", free_port(), "--path", tmp_path / "store")
    assert done.returncode == 1
    assert str(server.process.pid) in done.stderr


def test_other_machines_with_a_token() -> None:
    """Listening everywhere is fine with a token; then any name of the server will do."""
    with running_server(host="0.0.0.0", backend="memory", env={"CHROMA_PLUGIN_TOKEN": "a" * 20}) as server:
        headers = {"Host": "chroma.internal", "X-Chroma-Token": "a" * 20}
        assert httpx.get(f"{server.url}/api/v2/auth/identity", headers=headers).status_code == 200
        assert httpx.get(f"{server.url}/api/v2/auth/identity").status_code == 401


def test_without_the_extra(tmp_path: Path) -> None:
    """One line with what to install."""
    code = (
        "import sys; sys.modules['starlette'] = None; sys.modules['uvicorn'] = None\n"
        "sys.argv = ['chroma-plugin', 'run']; from chroma_plugin.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "pip install 'chroma-plugin[server]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_token_makes_a_line_for_the_file(tmp_path: Path) -> None:
    """Standard output is a file that `--auth` takes, standard error has the secret."""
    done = command("token", "alice", "--read-only", "--tenant", "default_tenant")
    secret = done.stderr.split()[-1]
    assert secret not in done.stdout
    file = tmp_path / "tokens.toml"
    file.write_text(done.stdout)
    with running_server(auth=file) as server:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = httpx.get(f"{server.url}/api/v2/auth/identity", headers=headers)
        assert answer.json()["user_id"] == "alice"
        refused = httpx.post(f"{server.url}{DATABASE}/collections", json={"name": "abc"}, headers=headers)
        assert refused.status_code == 403


def test_tls(tmp_path: Path) -> None:
    """HTTPS with the certificate that was given, and nothing else at that port."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with running_server(ssl_certfile=certificate, ssl_keyfile=key) as server:
        context = ssl.create_default_context(cafile=str(certificate))
        url = f"https://{HOST}:{server.port}/api/v2/heartbeat"
        assert httpx.get(url, verify=context).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https", "http"))
        assert "ssl=True" in server.log.read_text()


def test_the_logs() -> None:
    """A line for each request, as text or as JSON, with the trace id of the answer and no line break of the caller."""
    for as_json in (False, True):
        with running_server(access_log=True, json_log=as_json) as server:
            answer = httpx.get(f"{server.url}/api/v2/heartbeat%0aforged?secret=1")
            trace = answer.headers["chroma-trace-id"]
            time.sleep(0.1)
            lines = [line for line in server.log.read_text().splitlines() if trace in line]
        assert len(lines) == 1
        assert "secret" not in lines[0]
        if as_json:
            facts = json.loads(lines[0])
            assert (facts["status"], facts["method"], facts["trace"]) == (404, "GET", trace)
            assert facts["milliseconds"] > 0


def test_a_hundred_clients_at_once(tmp_path: Path) -> None:
    """Each reads its own writes, and all of them are there in the end."""
    with running_server(tmp_path / "store") as server:
        paths = [collection_of(server, f"things-{number}") for number in range(4)]
        failures: list[object] = []

        def work(number: int) -> None:
            path = paths[number % len(paths)]
            with httpx.Client(timeout=60) as client:
                for turn in range(5):
                    id = f"{number}-{turn}"
                    added = client.post(f"{path}/add", json={"ids": [id], "embeddings": [[number, turn]]})
                    got = client.post(f"{path}/get", json={"ids": [id]})
                    ask = {"query_embeddings": [[number, turn]], "n_results": 1, "ids": [id]}
                    found = client.post(f"{path}/query", json=ask)
                    if (added.status_code, got.json()["ids"], found.json()["ids"]) != (201, [id], [[id]]):
                        failures.append((added.text, got.text, found.text))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert failures == []
        assert [httpx.get(f"{path}/count").json() for path in paths] == [125] * 4
