"""A client of a server that answers anything: an error of ours, or what the answer says."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import chroma_plugin as chromadb
from chroma_plugin.errors import ChromaError

_ID = "00000000-0000-0000-0000-000000000005"
_COLLECTION = {"id": _ID, "name": "things", "metadata": None, "configuration": {}, "dimension": 2,
               "tenant": "default_tenant", "database": "default_database"}  # fmt: skip
_RECORDS = {
    "ids": ["a"],
    "embeddings": "AACAPwAAAEA=",
    "dimension": 2,
    "documents": ["one"],
    "metadatas": [None],
    "uris": [None],
}
_SOUND: dict[str, Any] = {
    "/auth/identity": {"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]},
    "/pre-flight-checks": {"max_batch_size": 100, "chroma_plugin": {"version": 1, "max_body_bytes": 1 << 20}},
    "/version": "1.0.0",
    "/tenants/default_tenant": {"name": "default_tenant"},
    "/databases/default_database": {"id": _ID, "name": "default_database", "tenant": "default_tenant"},
    "/store/collections": [_COLLECTION],
}
_ANSWERS: list[Any] = [
    [_COLLECTION],
    _COLLECTION,
    {"records": [_RECORDS], "more": False},
    [{"records": _RECORDS, "distances": "AACAPw=="}],
    3,
    {"hits": [{"records": _RECORDS, "distances": "AACAPw=="}]},
    {"deleted": 1},
    {"count": 3},
    {"known": ["a"]},
    {},
    {"ids": [["a"]], "distances": [[1.0]]},
    {"error": "NotFoundError", "message": "gone"},
    None,
    "text",
    [[]],
]
SEEDS = [bytes([status]) + json.dumps(answer).encode() for status in (0, 1, 2, 3) for answer in _ANSWERS]
_STATUSES = (200, 200, 404, 500)
_now: list[tuple[int, bytes] | None] = [None]


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one packet an answer

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        if _now[0] is not None:
            status, body = _now[0]
        else:
            status, body = 200, json.dumps(next((v for end, v in _SOUND.items() if path.endswith(end)), {})).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Nothing."""


_server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
threading.Thread(target=_server.serve_forever, daemon=True).start()
_client = chromadb.Client(
    chroma_api_impl="rest", chroma_server_host="127.0.0.1", chroma_server_http_port=_server.server_port, retries=0
)
_things = _client.get_collection("things", embedding_function=None)


def one(data: bytes) -> None:
    _now[0] = (_STATUSES[data[0] % len(_STATUSES)], data[1:]) if data else (200, b"")
    try:
        for call in _CALLS:
            try:
                call()
            except ChromaError:
                continue
    finally:
        _now[0] = None


_CALLS = (
    lambda: _things.get(include=["embeddings", "documents", "metadatas", "uris"]),
    _things.count,
    lambda: _things.query([1, 2], include=["embeddings", "distances"]),
    lambda: _things.search_text("apple"),
    lambda: _things.add(ids=["x"], embeddings=[1, 2], on_conflict="ignore"),
    lambda: _things.update(ids=["x"], embeddings=[1, 2]),
    lambda: _things.delete(where={"n": 1}),
    _client.list_collections,
    lambda: _client.get_collection("things", embedding_function=None),
    _client.list_databases,
    _client.heartbeat,
)
