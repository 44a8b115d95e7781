"""Who may do what: tokens from files and the environment, read-only ones, ones that are bound to a place."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.server import RunningServer, running_server

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.server.routes import ROUTES, Access
from chroma_plugin.server.token_files import from_environment, from_file
from chroma_plugin.server.tokens import Tokens, hashed

ADMIN, READER, ACME, GLOBEX, SEARCH = (
    f"{name}-secret-0123456789" for name in ("admin", "reader", "acme", "globex", "s")
)
FILE = f"""
[[tokens]]
name = "admin"
hash = "{hashed(ADMIN)}"

[[tokens]]
name = "reader"
hash = "{hashed(READER)}"
read_only = true

[[tokens]]
name = "acme"
hash = "{hashed(ACME)}"
tenant = "acme"

[[tokens]]
name = "globex"
hash = "{hashed(GLOBEX)}"
tenant = "globex"

[[tokens]]
name = "search"
hash = "{hashed(SEARCH)}"
tenant = "acme"
database = "search"
"""
DEFAULT = "/api/v2/tenants/default_tenant/databases/default_database"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(user: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with those tokens and two tenants, each with the databases main and search."""
    path = tmp_path_factory.mktemp("auth") / "tokens.toml"
    path.write_text(FILE)
    with running_server(auth=path, access_log=True, allow_reset=True) as server:
        with httpx.Client(base_url=server.url, headers=bearer(ADMIN)) as admin:
            for tenant in ("acme", "globex"):
                assert admin.post("/api/v2/tenants", json={"name": tenant}).status_code == 200
                for name in ("main", "search"):
                    assert admin.post(f"/api/v2/tenants/{tenant}/databases", json={"name": name}).status_code == 200
        yield server


@pytest.fixture
def call(guarded: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.url) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        bearer(ADMIN),
        {"Authorization": f"bearer {ADMIN}"},
        {"X-Chroma-Token": ADMIN},
        {"X-Chroma-Token": f"Bearer {ADMIN}"},
        basic("admin", ADMIN),
    ],
)
def test_all_the_ways_to_show_a_token(call: httpx.Client, headers: dict[str, str]) -> None:
    """Bearer, Chroma's own header, and basic with the token's name as the user."""
    assert call.get("/api/v2/auth/identity", headers=headers).json()["user_id"] == "admin"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        bearer("wrong-secret-0123456789"),
        bearer(ADMIN[:-1]),
        bearer(ADMIN + "x"),
        basic("reader", ADMIN),
        basic("", ADMIN),
        {"Authorization": "Basic !!!"},
        {"Authorization": f"Digest {ADMIN}"},
        {"X-Chroma-Token": ""},
    ],
)
def test_no_token_and_wrong_tokens(call: httpx.Client, headers: dict[str, str]) -> None:
    """401 on every route that is not open, before a body is looked at."""
    for route in ROUTES:
        path = route.path.format(tenant="acme", database="main", collection="x", function="f", crn="c")
        answer = call.request(route.method, path, headers=headers, content=b"{" if route.method != "GET" else None)
        if route.access is Access.OPEN:
            assert answer.status_code == 200, path
        else:
            assert (answer.status_code, answer.json()["error"]) == (401, "AuthorizationError"), path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["chroma-trace-id"]


def test_a_read_only_token_reads_and_writes_nothing(call: httpx.Client) -> None:
    """403 on every route that changes something, whatever the body."""
    for route in ROUTES:
        if route.access in (Access.WRITE, Access.ADMIN):
            path = route.path.format(tenant="acme", database="main", collection="x", function="f", crn="c")
            answer = call.request(route.method, path, headers=bearer(READER), content=b"{")
            assert (answer.status_code, answer.json()["error"]) == (403, "AuthError"), path
    assert call.get(f"{DEFAULT}/collections", headers=bearer(READER)).status_code == 200


def test_every_verb_on_what_belongs_to_another_is_404(call: httpx.Client) -> None:
    """By the id of the other's collection, in the other's path and in one's own; the collection is as it was."""
    main = "/api/v2/tenants/globex/databases/main"
    created = call.post(f"{main}/collections", json={"name": "theirs"}, headers=bearer(GLOBEX)).json()
    body = {"ids": ["a"], "embeddings": [[1, 2]]}
    theirs = f"{main}/collections/{created['id']}"
    assert call.post(f"{theirs}/add", json=body, headers=bearer(GLOBEX)).status_code == 201

    for route in ROUTES:
        if "{collection}" not in route.path:
            continue
        for tenant in ("globex", "acme"):
            path = route.path.format(tenant=tenant, database="main", collection=created["id"], function="f")
            if tenant == "acme" and route.tag == "not here":
                continue  # 501 for everybody, before anything is looked up
            content = None if route.method == "GET" else b"{"
            answer = call.request(route.method, path, headers=bearer(ACME), content=content)
            assert (answer.status_code, answer.json()["error"]) == (404, "NotFoundError"), (route.method, path)
    assert call.get(f"{theirs}/count", headers=bearer(GLOBEX)).json() == 1
    assert call.get("/api/v2/tenants/globex", headers=bearer(ACME)).status_code == 404
    assert call.get("/api/v2/tenants/acme", headers=bearer(ACME)).status_code == 200


def test_a_token_of_one_database(call: httpx.Client) -> None:
    """It sees that database only, and can't make or delete any."""
    acme = "/api/v2/tenants/acme/databases"
    own = bearer(SEARCH)
    assert [found["name"] for found in call.get(acme, headers=own).json()] == ["search"]
    assert call.get(f"{acme}/main", headers=own).status_code == 404
    assert call.get(f"{acme}/main/collections", headers=own).status_code == 404
    assert call.post(f"{acme}/search/collections", json={"name": "mine"}, headers=own).status_code == 200
    assert call.post(acme, json={"name": "more"}, headers=own).status_code == 403
    assert call.delete(f"{acme}/search", headers=own).status_code == 403
    assert call.get("/api/v2/auth/identity", headers=own).json() == {
        "user_id": "search",
        "tenant": "acme",
        "databases": ["search"],
    }
    assert call.get("/api/v2/auth/identity", headers=bearer(ACME)).json()["databases"] == ["main", "search"]


def test_bound_tokens_have_no_say_about_the_whole(call: httpx.Client) -> None:
    """No tenants, no reset, no metrics, which are about all."""
    for answer in (
        call.post("/api/v2/tenants", json={"name": "more"}, headers=bearer(ACME)),
        call.post("/api/v2/reset", headers=bearer(ACME)),
        call.get("/metrics", headers=bearer(ACME)),
    ):
        assert (answer.status_code, answer.json()["error"]) == (403, "AuthError")
    assert call.get("/metrics").status_code == 401
    assert call.get("/metrics", headers=bearer(ADMIN)).status_code == 200


def test_secrets_are_nowhere_in_the_log(call: httpx.Client, guarded: RunningServer) -> None:
    """Not of those that fit, nor of those that do not."""
    for secret in (ADMIN, "another-secret-0123456789"):
        call.get(f"{DEFAULT}/collections", headers=bearer(secret))
    log = guarded.log.read_text()
    assert f"{DEFAULT}/collections" in log
    assert "secret" not in log


def test_secrets_are_nowhere_in_the_log_of_json(tmp_path: Path) -> None:
    """Wherever in the request they stand, and whether it is granted, refused or no HTTP."""
    (tmp_path / "tokens.toml").write_text(FILE)
    with running_server(auth=tmp_path / "tokens.toml", access_log=True, json_log=True) as server:
        path = f"{server.url}{DEFAULT}/collections"
        for headers in (
            bearer(ADMIN),
            bearer("another-secret-0123456789"),
            {"x-chroma-token": ADMIN},
            basic("x", ADMIN),
        ):
            httpx.get(f"{path}?token={ADMIN}", headers=headers)
            httpx.post(path, headers=headers, content=ADMIN)
        with socket.create_connection((server.host, server.port), timeout=20) as connection:
            connection.sendall(f"Authorization: Bearer {ADMIN}\r\n\r\n".encode())
            connection.recv(4096)
        server.stop()
        log = server.log.read_text()
    facts = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {each["status"] for each in facts if each.get("path") == f"{DEFAULT}/collections"} >= {200, 401}
    assert "secret" not in log
    assert base64.b64encode(f"x:{ADMIN}".encode()).decode() not in log


def test_tokens_from_the_environment() -> None:
    """One, several, and a server that takes them."""
    assert not Tokens(from_environment({}))
    found = from_environment({"CHROMA_PLUGIN_TOKEN": ADMIN, "CHROMA_PLUGIN_TOKENS": f"{ACME}, {GLOBEX},"})
    assert [token.grant.name for token in found] == ["token", "token-2", "token-3"]
    with (
        running_server(env={"CHROMA_PLUGIN_TOKEN": ADMIN}) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        assert client.get(f"{DEFAULT}/collections").status_code == 401
        assert client.get(f"{DEFAULT}/collections", headers=bearer(ADMIN)).status_code == 200


def test_a_json_file(tmp_path: Path) -> None:
    """The same fields."""
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"tokens": [{"hash": hashed(ADMIN), "read_only": True}]}))
    [token] = from_file(path)
    assert (token.grant.name, token.grant.read_only) == ("token-1", True)
    assert token.fits(ADMIN.encode())
    assert not token.fits(READER.encode())


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", "no tokens"),
        ("tokens = 5", "no tokens"),
        ("[[tokens]]\nname = 'x'", "no hash"),
        ("[[tokens]]\ntoken = 'in-the-clear-0123456'", "in the clear"),
        ("[[tokens]]\nhash = 'md5$00$00'", "can't be read"),
        ("[[tokens]]\nhash = 'sha256$zz$00'", "can't be read"),
        ("[[tokens]]\nhash = 5", "must be a str"),
        ("[[tokens]]\nhash = 'x'\nreadonly = true", "Did you mean 'read_only'"),
        ("[[tokens]]\nhash = 'x'\ndatabase = 'd'", "no tenant"),
        ("not toml in-the-clear-0123456", "can't be read"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, about: str) -> None:
    """An error that names what is wrong, and shows no value."""
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    with pytest.raises(InvalidArgumentError, match=about) as caught:
        from_file(path)
    assert "in-the-clear" not in str(caught.value)


def test_short_secrets_are_refused() -> None:
    """They could be guessed from the hash."""
    with pytest.raises(InvalidArgumentError, match="at least 16"):
        hashed("short")


def test_a_hash_says_nothing(tmp_path: Path) -> None:
    """Twice the same secret gives two lines, and the secret is in neither."""
    assert hashed(ADMIN) != hashed(ADMIN)
    assert ADMIN not in hashed(ADMIN)
