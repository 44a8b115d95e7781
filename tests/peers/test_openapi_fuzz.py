"""schemathesis reads our OpenAPI description and holds the server to it, with right requests and with wrong ones."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Final

from support.peers import run
from support.server import RunningServer, running_server

DATABASE: Final = "/api/v2/tenants/default_tenant/databases/default_database"
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SEED: Final = 20_240_501
EXAMPLES: Final = 15
"""Of each phase, for each operation."""

SETTINGS: Final = """
[parameters]
"path.tenant" = "default_tenant"
"path.database" = "default_database"
"path.collection" = "{collection}"

# 501 is said of what only Chroma Cloud has, and nothing else of the fives.
[checks]
not_a_server_error.expected-statuses = ["2xx", "4xx", "501"]

# It would take away what all other requests need.
[[operations]]
include-name = "DELETE /api/v2/tenants/{{tenant}}/databases/{{database}}"
enabled = false
"""


def filled_collection(server: RunningServer) -> str:
    """The id of a new collection with a few records, so that requests reach further than a 404."""
    collection: str = post(server, f"{DATABASE}/collections", {"name": "fuzzed"})["id"]
    records = {
        "ids": ["a", "b", "c"],
        "embeddings": [[1, 0], [0, 1], [1, 1]],
        "documents": ["one", "two", None],
        "metadatas": [{"number": 1}, {"number": 2.5, "even": True}, None],
    }
    post(server, f"{DATABASE}/collections/{collection}/add", records)
    return collection


def post(server: RunningServer, path: str, body: object) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        read: dict[str, str] = json.load(answer)
    return read


def test_the_server_does_what_it_describes(peer_python: Path, tmp_path: Path) -> None:
    """No request, allowed or not, gets a 5xx or an answer that the description does not have."""
    with running_server(tmp_path / "data") as server:
        settings = tmp_path / "schemathesis.toml"
        settings.write_text(SETTINGS.format(collection=filled_collection(server)))
        command = [str(peer_python.with_name("schemathesis")), "--config-file", str(settings), "run"]
        options = ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", str(SEED)]
        options += ["--checks", ",".join(CHECKS), "--suppress-health-check", "all", "--warnings", "off"]
        options += ["--continue-on-failure", "--request-timeout", "20", "--no-color"]
        run([*command, f"{server.url}/openapi.json", *options], seconds=600, cwd=tmp_path)
