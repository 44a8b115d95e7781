"""HTTP itself: requests that follow one another, requests that two readers could read in two ways, clients that don't
read.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from support.server import RunningServer, running_server

HOST = b"Host: localhost\r\n"
BEAT = b"GET /api/v2/heartbeat HTTP/1.1\r\n" + HOST + b"\r\n"
DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
COLLECTIONS = f"{DATABASE}/collections".encode()
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
"""What Java's HttpClient sends with its first request."""


def connected(server: RunningServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=20)


def post(body: bytes, *headers: bytes) -> bytes:
    """A request that makes a collection."""
    return b"POST %s HTTP/1.1\r\n%s%s\r\n%s" % (COLLECTIONS, HOST, b"".join(h + b"\r\n" for h in headers), body)


def new(name: str) -> bytes:
    return json.dumps({"name": name, "get_or_create": True}).encode()


def length(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def answers(connection: socket.socket, count: int | None) -> list[tuple[int, bytes]]:
    """Status and body of so many answers; None: until the server closes the connection."""
    received, found = b"", []
    while count is None or len(found) < count:
        chunk = connection.recv(65536)
        if not chunk:
            break
        received += chunk
        while b"\r\n\r\n" in received:
            head, _, rest = received.partition(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            if len(rest) < size:
                break
            found.append((int(head.split()[1]), rest[:size]))
            received = rest[size:]
    connection.close()
    return found


def names(api: httpx.Client) -> set[str]:
    return {found["name"] for found in api.get(f"{DATABASE}/collections").json()}


def test_pipelined_requests(server: RunningServer, api: httpx.Client) -> None:
    """Sent without waiting, in one packet or in crumbs, they are answered one by one in their order."""
    body = new("pipelined")
    requests = BEAT + post(body, length(body)) + BEAT + post(b"nonsense", length(b"nonsense")) + BEAT
    for size in (len(requests), 7):
        connection = connected(server)
        for start in range(0, len(requests), size):
            connection.sendall(requests[start : start + size])
        found = answers(connection, 5)
        assert [status for status, _ in found] == [200, 200, 200, 400, 200]
        assert json.loads(found[1][1])["name"] == "pipelined"
    assert "pipelined" in names(api)


def test_many_pipelined_requests(server: RunningServer) -> None:
    """A thousand at once are answered; nothing is held for ever."""
    connection = connected(server)
    connection.sendall(BEAT * 1000)
    assert [status for status, _ in answers(connection, 1000)] == [200] * 1000


def test_a_refused_request_takes_its_body_along(server: RunningServer, api: httpx.Client) -> None:
    """What follows a request that was refused before its body was read is the next request, not the rest of that."""
    inside = post(new("smuggled"), length(new("smuggled")))
    refused = b"POST /nothing HTTP/1.1\r\n" + HOST + length(inside) + b"\r\n\r\n" + inside
    typed = post(inside, b"Content-Type: text/plain", length(inside))
    read = BEAT.replace(b"\r\n\r\n", b"\r\n" + length(inside) + b"\r\n\r\n") + inside
    for request, status in ((refused, 404), (typed, 415), (read, 200)):
        connection = connected(server)
        connection.sendall(request + BEAT)
        assert [found for found, _ in answers(connection, 2)] == [status, 200]
    assert "smuggled" not in names(api)


BODY = new("smuggled")
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    "request_",
    [
        post(CHUNKED, length(b"123456"), b"Transfer-Encoding: chunked"),
        post(CHUNKED, b"Transfer-Encoding: chunked", length(CHUNKED)),
        post(BODY, length(BODY), b"Content-Length: 0"),
        post(BODY, length(BODY), length(BODY)),
        post(BODY, length(BODY) + b", %d" % len(BODY)),
        post(BODY, b"Content-Length: +%d" % len(BODY)),
        post(BODY, b"Content-Length: 0x%x" % len(BODY)),
        post(BODY, b"Content-Length: -1"),
        post(BODY, b"Content-Length: %d%d" % (2**64, len(BODY))),
        post(BODY, b"Content-Length : %d" % len(BODY)),
        post(BODY, b" Content-Length: %d" % len(BODY)),
        post(CHUNKED, b"Transfer-Encoding: xchunked"),
        post(CHUNKED, b"Transfer-Encoding: identity"),
        post(CHUNKED, b"Transfer-Encoding: chunked, identity"),
        post(CHUNKED, b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        post(CHUNKED, b"Transfer-Encoding : chunked"),
        post(CHUNKED, b"X: a\r\n Transfer-Encoding: chunked"),
        post(CHUNKED, b"X: a\x00b", b"Transfer-Encoding: chunked"),
        post(CHUNKED, b"X: a\nTransfer-Encoding: chunked"),
        post(CHUNKED, b"X: a\rTransfer-Encoding: chunked"),
        post(CHUNKED.replace(b"\r\n", b"\n"), b"Transfer-Encoding: chunked"),
        post(b"FFFFFFFFFFFFFFFFF\r\n" + BODY, b"Transfer-Encoding: chunked"),
        post(b"-2\r\n" + BODY, b"Transfer-Encoding: chunked"),
        post(b"%x;\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), b"Transfer-Encoding: chunked"),
        post(b"%x\r\n%sXX0\r\n\r\n" % (len(BODY), BODY), b"Transfer-Encoding: chunked"),
        post(CHUNKED, b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(BODY, length(BODY)).replace(b"\r\n", b"\n"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
    ids=range(29),
)
def test_what_could_be_read_in_two_ways(server: RunningServer, api: httpx.Client, request_: bytes) -> None:
    """Where a body ends is said once and plainly, or it is 400 and the connection is over: what follows is not read."""
    connection = connected(server)
    connection.sendall(request_ + BEAT)
    assert [status for status, _ in answers(connection, None)] == [400]
    assert "smuggled" not in names(api)


@pytest.mark.parametrize("name", ["Host", "Authorization", "X-Chroma-Token", "Origin", "Content-Type"])
def test_a_header_that_decides_stands_there_once(server: RunningServer, name: str) -> None:
    """A proxy in front may have looked at the other one."""
    value = "localhost" if name == "Host" else "x"
    headers = f"{name}: {value}\r\n" * 2 + ("" if name == "Host" else "Host: localhost\r\n")
    connection = connected(server)
    connection.sendall(f"GET /api/v2/heartbeat HTTP/1.1\r\n{headers}\r\n".encode())
    [(status, body)] = answers(connection, 1)
    assert (status, "twice" in json.loads(body)["message"]) == (400, True)


def test_what_comes_behind_the_body_is_no_header() -> None:
    """Trailers neither name the server nor authenticate anybody."""
    secret = "a-secret-of-the-tests"
    with running_server(token=secret) as server:
        body = b"2\r\n{}\r\n0\r\nAuthorization: Bearer %s\r\nHost: evil\r\n\r\n" % secret.encode()
        connection = connected(server)
        connection.sendall(post(body, b"Transfer-Encoding: chunked") + BEAT)
        assert [status for status, _ in answers(connection, 2)] == [401, 200]


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["one packet", "body later"])
def test_an_offer_of_http_2(server: RunningServer, api: httpx.Client, pause: float) -> None:
    """It is passed over: the request is served with its body, and so are the next ones on that connection."""
    body = new(f"from-java-{pause}")
    connection = connected(server)
    request = post(b"", *OFFER.strip().split(b"\r\n"), length(body))
    if pause:
        connection.sendall(request)
        time.sleep(pause)
        request = b""
    connection.sendall(request + body + BEAT.replace(b"\r\n\r\n", b"\r\n" + OFFER + b"\r\n") + BEAT)
    assert [status for status, _ in answers(connection, 3)] == [200, 200, 200]
    assert f"from-java-{pause}" in names(api)


def test_expect_continue(server: RunningServer) -> None:
    """A client that asks first is told to go on."""
    body = new("asked-first")
    connection = connected(server)
    connection.sendall(post(b"", length(body), b"Expect: 100-continue"))
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    connection.sendall(body)
    assert [status for status, _ in answers(connection, 1)] == [200]


@pytest.fixture(scope="module")
def impatient() -> Iterator[RunningServer]:
    with running_server(limit_stalled=0.5) as server:
        yield server


def test_a_client_that_does_not_read(impatient: RunningServer) -> None:
    """Its connection is closed after a while; others are served meanwhile, and the memory of the answer is freed."""
    rows = 200
    with httpx.Client(base_url=impatient.url, timeout=30) as api:
        made = api.post(f"{DATABASE}/collections", json={"name": "large"}).json()["id"]
        body = {"ids": [str(n) for n in range(rows)], "embeddings": [[1.0]] * rows, "documents": ["x" * 100_000] * rows}
        assert api.post(f"{DATABASE}/collections/{made}/add", json=body).status_code == 201
        head = f"POST {DATABASE}/collections/{made}/get HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}"
        greedy = [connected(impatient) for _ in range(5)]
        for connection in greedy:
            connection.sendall(head.encode())
        for _ in range(20):
            assert api.get("/api/v2/heartbeat").status_code == 200
        # Six times half a second.
        time.sleep(5)
        for connection in greedy:
            assert size_until_closed(connection) < rows * 100_000
        assert "chroma_plugin_requests_in_flight 1.0" in api.get("/metrics").text


def size_until_closed(connection: socket.socket) -> int:
    size = 0
    try:
        while chunk := connection.recv(1 << 20):
            size += len(chunk)
    except ConnectionResetError:
        pass
    connection.close()
    return size
