"""Odd values that are legal, column by column: they come back exactly, by id and by filter."""

from __future__ import annotations

from typing import Any, Final

from inputs.odd import LONG, Fresh, Text, Whole, deep

IDS: Final[dict[str, Any]] = {
    "one character": "x",
    "a blank": " ",
    "a line feed": "\n",
    "NUL": "\0",
    "NUL inside": "a\0b",
    "quotes": 'it\'s "so" `called`',
    "SQL": "'; DROP TABLE records; --",
    "a path": "../../etc/passwd",
    "a backslash": "C:\\x",
    "percent signs": "%s%%{0}%2e",
    "a $": "$and",
    "a #": "#id",
    "JSON": '{"$eq": 1}',
    "a terminal's escape": "\x1b]0;title\x07\x1b[2J",
    "an emoji": "👩‍👩‍👧‍👦",
    "composed": "é",
    "decomposed": "e\u0301",
    "right-to-left": "\u202eabc\u202c",
    "the last of the first plane": "\uffff",
    "the last of all": "\U0010ffff",
    "a byte order mark": "\ufeffx",
    "digits": "0010",
    "looks like None": "None",
    "looks like NaN": "nan",
    "5 MB": Fresh(lambda: LONG),
    "a subclass": Text("own"),
}

DOCUMENTS: Final[dict[str, Any]] = {**IDS, "nothing in it": "", "none": None}

VALUES: Final[dict[str, Any]] = {
    **DOCUMENTS,
    "true": True,
    "zero": 0,
    "minus zero": -0.0,
    "2**63 - 1": 2**63 - 1,
    "-2**63": -(2**63),
    "2**53 + 1": 2**53 + 1,
    "2**53 as a float": 2.0**53,
    "the smallest float": 5e-324,
    "the largest float": 1.7976931348623157e308,
    "a third": 1 / 3,
    "an int of a subclass": Whole(7),
    "an empty list": [],
    "a mixed list": [1, 1.0, True, "1", None, [], {}],
    "an empty dict": {},
    "a dict of odd keys": {"": 1, "a.b": 2, "$eq": 3, "#id": 4, "\0": 5, "__proto__": 6},
    "32 levels": deep(32),
    "what LangChain would construct": {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {}},
    "what LangChain would read from the environment": {"lc": 1, "type": "secret", "id": ["PATH"]},
    "what a server calls a sparse vector": {"#type": "dense_vector", "values": [1]},
}  # fmt: skip

KEYS: Final[list[str]] = [
    " ", "a.b", "a b", "it's", 'say "x"', "a\\b", "%_", "a[0]", "\0", "\n", "x" * 10_000, "é", "e\u0301", "🔑",
    "id", "ids", "document", "metadata", "rowid", "count(*)", "1", "None", "true", "__proto__",
    "'; DROP TABLE records; --", "\x1b[2J",
]  # fmt: skip

EMBEDDINGS: Final[dict[str, list[float]]] = {
    "minus zero": [-0.0, 0.0],
    "small": [1e-18, -1e-18],
    "the largest": [3.4028234663852886e38, -3.4028234663852886e38],
    "no float32": [0.1, 1 / 3],
}
