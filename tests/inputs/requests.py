"""Hostile requests, as data: what is sent in place of a body, of a field, of a part of the path."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from chroma_plugin.server.routes import Route
from chroma_plugin.server.schemas import SCHEMAS

_DEEP: Final = 5_000
_JSON: Final = {"content-type": "application/json"}

BODIES: Final[list[tuple[str, bytes, dict[str, str], int]]] = [
    ("nothing that is JSON", b"{", _JSON, 400),
    ("cut in a str", b'{"ids": ["x', _JSON, 400),
    ("null", b"null", _JSON, 400),
    ("a list", b"[]", _JSON, 400),
    ("a number", b"5", _JSON, 400),
    ("a str", b'"text"', _JSON, 400),
    ("two objects", b"{}{}", _JSON, 400),
    ("a comment", b"{} // done", _JSON, 400),
    ("single quotes", b"{'ids': []}", _JSON, 400),
    ("NUL bytes", b"\0" * 1000, _JSON, 400),
    ("invalid UTF-8", b'{"ids": ["\xff\xfe"]}', _JSON, 400),
    ("a lone surrogate", b'{"ids": ["\\ud800"]}', _JSON, 400),
    ("UTF-16", '{"ids": []}'.encode("utf-16"), _JSON, 400),
    ("a byte order mark", b"\xef\xbb\xbf{}", _JSON, 400),
    ("NaN", b'{"ids": [NaN]}', _JSON, 400),
    ("Infinity", b'{"limit": Infinity}', _JSON, 400),
    ("deep lists", b'{"where": ' + b"[" * _DEEP + b"]" * _DEEP + b"}", _JSON, 400),
    ("deep objects", b'{"a":' * _DEEP + b"1" + b"}" * _DEEP, _JSON, 400),
    ("deep and never closed", b"[" * 100_000, _JSON, 400),
    ("packed", gzip.compress(b'{"ids": ["x"]}'), {**_JSON, "content-encoding": "gzip"}, 400),
    ("plain text", b"{}", {"content-type": "text/plain"}, 415),
    ("a form", b"ids=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("parts of a form", b"--x\r\n\r\n--x--", {"content-type": "multipart/form-data; boundary=x"}, 415),
    ("XML", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", {"content-type": "text/xml"}, 415),
    ("a pickle", b"\x80\x04cos\nsystem\n(S'true'\ntR.", {"content-type": "application/octet-stream"}, 415),
]  # fmt: skip
"""What it is, the body, its headers, the status."""

VALUES: Final[list[Any]] = [
    5, -1, 2**63, -(2**70), 10**30, 1.5, 1e308, True, "", "text", "x\0y", "../../etc/passwd", "'; DROP TABLE x; --",
    "a://" + ":" * 200_000, [], [None], [[]], ["x", 5], [[["x"]]], [{"a": 1}], [1e308, 1], ["AAAA"], {}, {"a": 1},
    {"$or": []}, {"$and": [{"n": n} for n in range(12_000)]}, {"not": {"not": {}}},
    {"path": ["n"], "op": "$regex", "value": "("}, {"type": "known", "name": "os.system", "config": {"cmd": "true"}},
]  # fmt: skip
"""In place of each field of each body."""

PARTS: Final = [
    "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00", "%ff%fe", "a%2fb", "%27%20OR%20%271%27=%271", "x" * 5_000,
    "%F0%9F%94%91", "%0d%0aX-Evil:%20yes", "%1b%5b2J", "00000000-0000-0000-0000-000000000005", "%20", "*", "{id}",
    "%25",
]  # fmt: skip
"""In place of each part of each path. Not "..", which httpx itself takes out."""

QUERIES: Final = ["limit=", "limit=x", "limit=-1", "offset=1.5", "limit=" + "9" * 5_000, "limit=%00", "offset=1e3"]


@dataclass(frozen=True)
class Hostile:
    """One request, and the statuses that may answer it; none: anything but a failure of the server."""

    what: str
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = ()


def hostile(route: Route, place: dict[str, str]) -> Iterator[Hostile]:
    """Everything that is tried on a route. ``place`` has right values for the parts of its path."""
    path = route.path.format(**place)
    for part in place:
        if f"{{{part}}}" in route.path:
            for value in PARTS:
                wrong = route.path.format(**{**place, part: value})
                yield Hostile(
                    f"{part} {value:.30}", route.method, wrong, _body({}), _JSON, (400, 403, 404, 405, 414, 431, 501)
                )
    for query in QUERIES if "limit" in route.query else ():
        yield Hostile(f"?{query:.30}", route.method, f"{path}?{query}", statuses=(400,))
    if route.body is not None:
        for what, body, headers, status in BODIES:
            yield Hostile(what, route.method, path, body, headers, (status,))
        for name in SCHEMAS[route.body].get("properties", {}):
            for value in VALUES:
                body = _body({**RIGHT.get(route.body, {}), name: value})
                yield Hostile(f"{name}: {value!r:.40}", route.method, path, body, _JSON)


def _body(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


_ONE: Final = {"ids": ["new"], "embeddings": [[1, 2]]}
RIGHT: Final[dict[str, dict[str, Any]]] = {
    "NewRecords": _ONE,
    "ChangedRecords": {"ids": ["a"]},
    "Query": {"query_embeddings": [[1, 2]]},
    "Get": {"ids": ["a"]},
    "Delete": {"ids": ["nobody"]},
    "NewCollection": {"name": "made-by-a-stranger", "get_or_create": True},
    "StoreSearch": {"embeddings": "AACAPwAAAEA=", "dimension": 2, "k": 2},
    "StoreTextSearch": {"queries": ["apple"], "k": 2},
    "StoreWrite": {"records": {"ids": ["new"], "embeddings": "AACAPwAAAEA=", "dimension": 2}},
    "StoreRevision": {"records": {"ids": ["new"], "embeddings": "AACAPwAAAEA=", "dimension": 2}},
    "StoreDelete": {"ids": ["nobody"]},
    "HybridSearch": {"searches": [{"limit": {"limit": 2}}]},
}
"""So that a field that is wrong is the only one."""
