"""What Chroma's own servers can hold, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chroma_plugin.errors import UnsupportedError
from chroma_plugin.types import Metadata, Records
from chroma_plugin.wording import shown

_SCALARS: Final = (str, int, float, bool)
_RESERVED: Final = ("#", "$", "chroma:")


def check_records(records: Records) -> None:
    """Raises UnsupportedError that names the row and the key."""
    for row, metadata in enumerate(records.metadatas or ()):
        if metadata is not None:
            _check(metadata, f"metadatas[{row}] of record {shown(records.ids[row])}", lists=True)


def check_collection(metadata: Metadata | None) -> None:
    """The same for the metadata of a collection, which holds no lists there: a list kills the connection."""
    if metadata is not None:
        _check(metadata, "the metadata of the collection", lists=False)


def _check(metadata: Mapping[str, Any], where: str, *, lists: bool) -> None:
    for key, value in metadata.items():
        if not key or key.startswith(_RESERVED):
            raise UnsupportedError(f"A Chroma server keeps no metadata under the key {shown(key)}, in {where}.")
        fault = _fault(value, lists=lists)
        if fault:
            raise UnsupportedError(
                f"A Chroma server can't hold {fault}: {shown(key)} in {where} is {shown(value)}. "
                f"`chroma-plugin run` can; or leave it out, or store it as text."
            )


def _fault(value: Any, *, lists: bool) -> str:
    if type(value) in _SCALARS:
        return ""
    if value is None:
        return "None"
    if not isinstance(value, list):
        return "nested metadata"
    if not lists:
        return "a list here"
    if not value:
        return "an empty list"
    kinds = {type(element) for element in value}
    return "" if len(kinds) == 1 and kinds <= set(_SCALARS) else "a list of several types"
