"""Request bodies: JSON objects whose fields have the right kind of value. What is in them, `chroma_plugin.requests`
checks.
"""

from __future__ import annotations

import binascii
import json
from typing import Any, Final

import numpy as np
import orjson

from chroma_plugin.errors import BatchSizeExceededError, InvalidArgumentError, InvalidDimensionError
from chroma_plugin.requests.embeddings import matrix
from chroma_plugin.requests.shown import kind
from chroma_plugin.types import Matrix

_KINDS: Final = {list: "a list", dict: "an object", str: "a string", bool: "true or false", int: "an integer"}
_WIDE: Final = float(2**63)


class Body:
    """A JSON object. A field that is null counts as left out; unknown fields have no effect."""

    def __init__(self, fields: dict[str, Any], raw: bytes | None = None) -> None:
        """Without ``raw``, its numbers are as they were written."""
        self._fields = fields
        self._raw = raw

    def has(self, name: str) -> bool:
        """Whether it is there, were it null."""
        return name in self._fields

    def given(self, name: str, kind_of: type) -> Any:
        """The value, or None. Raises InvalidArgumentError for one of another kind."""
        value = self._fields.get(name)
        if value is not None and type(value) is not kind_of:
            raise InvalidArgumentError(f"{name} must be {_KINDS[kind_of]}, not {kind(value)}.")
        return value

    def needed(self, name: str, kind_of: type) -> Any:
        """The value; a missing one is an InvalidArgumentError."""
        value = self.given(name, kind_of)
        if value is None:
            raise InvalidArgumentError(f"{name} is missing: it must be {_KINDS[kind_of]}.")
        return value

    def any(self, name: str, default: Any = None) -> Any:
        """Whatever is there; for numbers that are checked elsewhere."""
        value = self._fields.get(name)
        return default if value is None else value

    def data(self, name: str, kind_of: type) -> Any:
        """As `given`, with integers as they were written: the quick parser makes floats of wide ones."""
        value = self.given(name, kind_of)
        return self._exactly(name) if self._raw is not None and _has_wide_number(value) else value

    def inside(self, name: str) -> Body | None:
        """The object of that name."""
        value = self.data(name, dict)
        return None if value is None else Body(value)

    def each(self, name: str) -> list[Body]:
        """The objects in the list of that name."""
        values = self.data(name, list) or []
        odd = [value for value in values if type(value) is not dict]
        if odd:
            raise InvalidArgumentError(f"{name} holds {kind(odd[0])}; each has to be an object.")
        return [Body(value) for value in values]

    def ids(self, most: int) -> list[str]:
        """The ids of a write. Raises BatchSizeExceededError for too many."""
        ids: list[str] = self.needed("ids", list)
        if len(ids) > most:
            raise BatchSizeExceededError(
                f"This server takes {most} records in one request, not {len(ids)}: split them."
            )
        return ids

    def _exactly(self, name: str) -> Any:
        assert self._raw is not None
        try:
            return json.loads(self._raw)[name]
        except (ValueError, RecursionError) as error:
            raise InvalidArgumentError(f"{name} can't be read: {error}.") from error


def parse(raw: bytes) -> Body:
    """The body of a request. No body at all is an empty object."""
    try:
        value = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise InvalidArgumentError(f"The body is no JSON: {error.msg} (byte {error.pos}).") from error
    if type(value) is not dict:
        raise InvalidArgumentError(f"The body must be a JSON object, not {kind(value)}.")
    return Body(value, raw)


def embeddings(rows: list[Any], what: str = "embeddings") -> Matrix:
    """A row per item; items are lists of numbers, or base64 of little-endian float32."""
    kinds = set(map(type, rows))
    if kinds == {str}:
        return matrix(_decoded(rows, what), what)
    if kinds - {list} or not rows:
        raise InvalidArgumentError(f"{what} must be lists of numbers, or base64 strings, one for each record.")
    return matrix(rows, what)


def packed(text: str, dimension: int, what: str = "embeddings") -> Matrix:
    """All rows in one base64 string of little-endian float32."""
    raw = _bytes(text, what)
    if dimension < 1 or len(raw) % (4 * dimension):
        raise InvalidDimensionError(f"{what} holds {len(raw)} bytes, which are no rows of {dimension} float32.")
    return matrix(np.frombuffer(raw, "<f4").reshape(-1, dimension), what)


def _decoded(rows: list[str], what: str) -> Matrix:
    decoded = [_bytes(row, what) for row in rows]
    size = len(decoded[0])
    odd = next((number for number, row in enumerate(decoded) if len(row) != size), None)
    if odd is not None:
        raise InvalidDimensionError(
            f"{what} must all have one dimension, but {what}[0] has {size / 4:g} numbers "
            f"and {what}[{odd}] has {len(decoded[odd]) / 4:g}."
        )
    if size % 4:
        raise InvalidArgumentError(f"{what}[0] holds {size} bytes, which are no float32 numbers.")
    return np.frombuffer(b"".join(decoded), "<f4").reshape(len(rows), -1)


def _bytes(text: str, what: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:  # binascii.Error is one, and so is what text outside ASCII raises
        raise InvalidArgumentError(f"{what} holds a string that is no base64: {kind(text)}.") from error


def _has_wide_number(value: Any) -> bool:
    """Whether a float is somewhere in it that may have been an integer too wide for 64 bits."""
    pending = [value]
    while pending:
        item = pending.pop()
        if type(item) is dict:
            pending += item.values()
        elif type(item) is list:
            pending += item
        elif type(item) is float and abs(item) >= _WIDE:
            return True
    return False
