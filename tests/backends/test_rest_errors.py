"""What the rest backend says when a server is not there, is no Chroma server, or says no."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from support.server import free_port, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import (
    AuthorizationError,
    ChromaError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnreachableError,
)
from chroma_plugin.plugins import default_manager, open_backend


def opened(**options: Any) -> Any:
    """A backend, opened with these options."""
    return open_backend(default_manager().backend("rest"), {"chroma_server_host": "127.0.0.1", "retries": 0} | options)


class Scripted(BaseHTTPRequestHandler):
    """A web server that answers as it was told, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, list[tuple[int, bytes, dict[str, str]]]]] = {}
    asked: ClassVar[list[str]] = []

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.asked.append(f"{self.command} {self.path}")
        script = self.answers.get(self.path.partition("?")[0]) or [(404, b"<html>not here</html>", {})]
        status, body, headers = script.pop(0) if len(script) > 1 else script[0]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


HANDSHAKE: dict[str, list[tuple[int, bytes, dict[str, str]]]] = {
    "/api/v2/auth/identity": [(200, b'{"user_id":"","tenant":"default_tenant","databases":["default_database"]}', {})],
    "/api/v2/pre-flight-checks": [(200, b'{"max_batch_size":100}', {})],
    "/api/v2/version": [(200, b'"1.0.0"', {})],
}


@contextmanager
def scripted(answers: dict[str, list[tuple[int, bytes, dict[str, str]]]]) -> Iterator[tuple[int, list[str]]]:
    """The port of a server with these answers, and the list of what it is asked."""

    class Handler(Scripted):
        pass

    Handler.answers, Handler.asked = answers, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, Handler.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_nobody_listens() -> None:
    """Host and port are named; it is a ValueError, as with Chroma, and a ConnectionError."""
    port = free_port()
    with pytest.raises(UnreachableError, match=f"Nothing listens at 127.0.0.1:{port}") as caught:
        opened(chroma_server_http_port=port)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ConnectionError)


def test_a_name_that_does_not_exist() -> None:
    """The name is the reason."""
    with pytest.raises(UnreachableError, match=r"'nowhere\.invalid' can't be resolved"):
        opened(chroma_server_host="nowhere.invalid")


def test_tls_where_there_is_none() -> None:
    """It says TLS."""
    with scripted(HANDSHAKE) as (port, _), pytest.raises(UnreachableError, match=f"TLS with 127.0.0.1:{port} failed"):
        opened(chroma_server_http_port=port, chroma_server_ssl_enabled=True)


def test_a_server_that_is_silent() -> None:
    """Waiting is finite."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UnreachableError, match="did not answer in time"):
            opened(chroma_server_http_port=silent.getsockname()[1], timeout=0.2)


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/api/v2/auth/identity": [(200, b"<html>hello</html>", {})]},
        {"/api/v2/auth/identity": [(200, b"[]", {})]},
        {"/api/v2/auth/identity": [(302, b"", {"Location": "/login"})]},
    ],
)
def test_another_web_server(answers: dict[str, Any]) -> None:
    """Something answers, and it is no Chroma server."""
    with scripted(answers) as (port, _), pytest.raises(UnreachableError, match="is not a Chroma server"):
        opened(chroma_server_http_port=port)


def test_an_early_chroma_server() -> None:
    """One that speaks only /api/v1 is told from other web servers."""
    early = {"/api/v1/heartbeat": [(200, b'{"nanosecond heartbeat": 1}', {})]}
    with scripted(early) as (port, _), pytest.raises(UnreachableError, match="early /api/v1"):
        opened(chroma_server_http_port=port)


def test_a_token_that_is_refused() -> None:
    """401 is said, the token never."""
    with running_server(token="right-token-of-test") as server:
        for credentials in ({}, {"chroma_client_auth_credentials": "wrong-token"}):
            with pytest.raises(AuthorizationError, match=r"401: .* refused the credentials") as caught:
                opened(chroma_server_http_port=server.port, **credentials)
            assert "wrong-token" not in str(caught.value)
        for header in ("Authorization", "X-Chroma-Token"):
            backend = opened(
                chroma_server_http_port=server.port,
                chroma_client_auth_credentials="right-token-of-test",
                chroma_auth_token_transport_header=header,
            )
            assert backend.heartbeat() > 0
            backend.close()


def test_secrets_are_not_shown() -> None:
    """Neither the options nor the settings show a token."""
    from chroma_plugin_rest.options import RestOptions

    options = RestOptions(chroma_client_auth_credentials="secret-token", chroma_server_headers={"X": "secret-header"})
    settings = chromadb.Settings(chroma_api_impl="rest", chroma_client_auth_credentials="secret-token")
    assert "secret" not in repr(options) + repr(settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chroma_server_host": "http://"}, "must be like http://host:8000"),
        ({"chroma_server_host": "ftp://host"}, "must be like http://host:8000"),
        ({"chroma_server_host": "http://user:secret@host"}, "ends up in logs"),
        ({"chroma_server_host": "host/path"}, "must be a host or a URL"),
        ({"chroma_server_host": ""}, "must be a host or a URL"),
        ({"chroma_server_http_port": 0}, "from 1 to 65535"),
        ({"chroma_client_auth_provider": "tokn", "chroma_client_auth_credentials": "x"}, "Did you mean 'token'"),
        ({"chroma_client_auth_provider": "token"}, "needs chroma_client_auth_credentials"),
        ({"chroma_server_headers": {"X": "a\nb"}}, "printable ASCII"),
    ],
)
def test_options_that_can_not_be(options: dict[str, Any], message: str) -> None:
    """They are refused before anything is sent, and without showing secrets."""
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        opened(**options)
    assert "secret" not in str(caught.value)


def test_a_url_as_the_host() -> None:
    """It says where the server is, whatever the port says."""
    with running_server() as server, chromadb.HttpClient(f"http://127.0.0.1:{server.port}", port=9) as client:
        assert client.heartbeat() > 0


def test_reads_are_asked_again() -> None:
    """A read that meets a busy server is repeated, after the time the server asks for."""
    busy = (503, b"", {"Retry-After": "0"})
    beat = (200, b'{"nanosecond heartbeat": 7}', {})
    with scripted(HANDSHAKE | {"/api/v2/heartbeat": [busy, busy, beat]}) as (port, asked):
        backend = opened(chroma_server_http_port=port, retries=2)
        assert backend.heartbeat() == 7
        assert asked.count("GET /api/v2/heartbeat") == 3
        backend.close()


def test_writes_are_not() -> None:
    """A write that a broken server may have done is sent once, and the error says which status came."""
    with scripted(HANDSHAKE | {"/api/v2/reset": [(503, b"overloaded", {})]}) as (port, asked):
        backend = opened(chroma_server_http_port=port, retries=5)
        with pytest.raises(ChromaError, match=r"answered 503: overloaded"):
            backend.reset()
        assert asked.count("POST /api/v2/reset") == 1
        backend.close()


def test_unknown_errors_keep_their_text_and_their_trace() -> None:
    """A name that we do not know becomes an InternalError; the trace id is there for whoever reads the server's log."""
    answer = (500, b'{"error":"NeverHeardOf","message":"the text"}', {"chroma-trace-id": "abc"})
    with scripted(HANDSHAKE | {"/api/v2/reset": [answer]}) as (port, _):
        backend = opened(chroma_server_http_port=port)
        with pytest.raises(InternalError, match="the text") as caught:
            backend.reset()
        assert caught.value.trace_id == "abc"
        backend.close()


def test_errors_of_the_server_are_errors_of_ours() -> None:
    """The classes, and the trace id, come over the wire."""
    with running_server() as server, chromadb.HttpClient(server.host, server.port) as client:
        with pytest.raises(AuthorizationError, match="Reset is disabled"):
            client.reset()
        first = client.create_collection("things", embedding_function=None)
        client.delete_collection("things")
        with pytest.raises(NotFoundError):
            first.count()


def test_the_server_restarts() -> None:
    """A client goes on with the next server at the same port."""
    from support.server import start_server

    server = start_server()
    with chromadb.HttpClient(server.host, server.port) as client:
        assert client.count_collections() == 0
        server.stop()
        again = start_server(port=server.port)
        try:
            assert client.count_collections() == 0
        finally:
            again.stop()
