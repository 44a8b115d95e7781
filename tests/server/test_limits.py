"""What is too much, too slow, or not from here gets a clear answer, and the others are served meanwhile."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator

import httpx
import pytest
from support.server import RunningServer, running_server

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"


@pytest.fixture(scope="module")
def small() -> Iterator[RunningServer]:
    """A server with little patience."""
    with running_server(limit_body=1, limit_batch=10, limit_stalled=1, cors_origin="https://app.example.com") as server:
        yield server


@pytest.fixture
def api(small: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=small.url, timeout=30) as api:
        yield api


@pytest.fixture
def collection(api: httpx.Client) -> str:
    body = {"name": "things", "get_or_create": True}
    return f"{DATABASE}/collections/{api.post(f'{DATABASE}/collections', json=body).json()['id']}"


def connected(server: RunningServer, sent: bytes) -> socket.socket:
    connection = socket.create_connection((server.host, server.port), timeout=20)
    connection.sendall(sent)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    finally:
        connection.close()
    return received


def heartbeats(api: httpx.Client) -> None:
    for _ in range(5):
        assert api.get("/api/v2/heartbeat").status_code == 200


def test_a_body_that_is_too_large(api: httpx.Client, collection: str) -> None:
    """413 that names the limit, with and without its length in the headers, and the connection goes on."""
    large = json.dumps({"ids": ["x" * 2**21]}).encode()
    chunked = iter([large[:1000], large[1000:]])
    for content in (large, chunked):
        answer = api.post(f"{collection}/get", content=content)
        assert (answer.status_code, answer.json()["error"]) == (413, "BatchSizeExceededError")
        assert str(2**20) in answer.json()["message"]
    heartbeats(api)


def test_a_body_that_claims_to_be_huge(small: RunningServer, api: httpx.Client, collection: str) -> None:
    """It is refused before it is sent."""
    head = f"POST {collection}/get HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    connection = connected(small, head.encode())
    assert b" 413 " in connection.recv(65536)
    connection.close()
    heartbeats(api)


def test_a_batch_that_is_too_large(api: httpx.Client, collection: str) -> None:
    """413, and nothing was added; clients learn the limit before they write."""
    assert api.get("/api/v2/pre-flight-checks").json()["max_batch_size"] == 10
    body = {"ids": [str(n) for n in range(11)], "embeddings": [[1.0]] * 11}
    answer = api.post(f"{collection}/add", json=body)
    assert (answer.status_code, answer.json()["error"]) == (413, "BatchSizeExceededError")
    assert api.get(f"{collection}/count").json() == 0


def test_a_client_that_stops_sending_its_body(small: RunningServer, api: httpx.Client, collection: str) -> None:
    """408 after the time the server waits; others are served meanwhile."""
    head = f"POST {collection}/get HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{"
    connections = [connected(small, head.encode()) for _ in range(50)]
    heartbeats(api)
    for connection in connections:
        received = until_closed(connection)
        assert b" 408 " in received
        assert b"chroma-trace-id" in received


def test_a_client_that_stops_sending_its_headers(small: RunningServer, api: httpx.Client) -> None:
    """Half a request line, half a header, nothing at all: dropped; others are served meanwhile."""
    starts = [b"", b"GE", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: loc"]
    connections = [connected(small, start) for start in starts * 10]
    heartbeats(api)
    for connection in connections:
        assert until_closed(connection) == b""


def test_a_client_that_trickles(small: RunningServer, api: httpx.Client, collection: str) -> None:
    """A byte now and then does not count as sending."""
    head = f"POST {collection}/get HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    connection = connected(small, head.encode())
    answered = b""
    start = time.monotonic()
    connection.settimeout(0.2)
    while not answered and time.monotonic() - start < 20:
        try:
            connection.sendall(b" ")
            answered = connection.recv(65536)
        except TimeoutError:
            continue
    connection.close()
    assert b" 408 " in answered
    heartbeats(api)


def test_headers_that_are_too_large(small: RunningServer, api: httpx.Client) -> None:
    """431, whether in one header or in many."""
    for headers in (b"X: " + b"x" * 200_000, b"".join(b"X-%d: y\r\n" % n for n in range(20_000))):
        connection = connected(small, b"GET /api/v2/heartbeat HTTP/1.1\r\nHost: localhost\r\n")
        try:
            connection.sendall(headers)
        except (ConnectionResetError, BrokenPipeError):
            connection.close()
            continue
        received = until_closed(connection)
        assert b" 431 " in received or received == b""
    heartbeats(api)


def test_a_name_that_is_not_ours(api: httpx.Client) -> None:
    """On loopback a foreign Host header is refused, so that no web page reaches the server by a name of its own."""
    for name in ("evil.example.com", "127.0.0.1.evil.com", "localhost.evil.com:8000", ""):
        answer = api.get("/api/v2/auth/identity", headers={"Host": name})
        assert answer.status_code == 403, name
    for name in ("localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:80"):
        assert api.get("/api/v2/auth/identity", headers={"Host": name}).status_code == 200, name


def test_web_pages(api: httpx.Client, collection: str) -> None:
    """Those that were invited may call and read the answer; others may not."""
    invited, other = {"Origin": "https://app.example.com"}, {"Origin": "https://evil.example.com"}
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = api.post(f"{collection}/get", json={}, headers=invited)
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert api.options(f"{collection}/get", headers={**invited, **asking}).status_code == 200
    refused = api.post(f"{collection}/get", json={}, headers=other)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    assert api.options(f"{collection}/get", headers={**other, **asking}).status_code == 400
    assert api.post(f"{collection}/get", json={}, headers={"Origin": "null"}).status_code == 403


def test_no_cors_by_default(server: RunningServer) -> None:
    """Without the option, no page of another origin is told anything or changes anything."""
    with httpx.Client(base_url=server.url) as api:
        headers = {"Origin": "https://app.example.com"}
        assert "access-control-allow-origin" not in api.get("/api/v2/heartbeat", headers=headers).headers
        assert api.post(f"{DATABASE}/collections", json={"name": "from-a-page"}, headers=headers).status_code == 403
        own = {"Origin": server.url}
        assert api.post(f"{DATABASE}/collections", json={"name": "own-page"}, headers=own).status_code == 200


def test_what_is_no_http(small: RunningServer, api: httpx.Client) -> None:
    """Other protocols and broken requests end their own connection only."""
    for junk in (
        b"\x16\x03\x01\x02\x00\x01",
        b"\x00" * 1000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ):
        connection = connected(small, junk)
        assert b" 200 " not in until_closed(connection)
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(connected(small, b""), server_hostname="localhost")
    heartbeats(api)
