"""The metadata keys of a record: those of the document's meta, and our own beside them.

Our own keys begin with ``_haystack:``. A key of meta that records can't have, or that looks like one of ours, is kept
under ``_haystack:key:`` and comes back as it was.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "_haystack:"

NO_EMBEDDING: Final = f"{PREFIX}no_embedding"
"""True for a document without an embedding; its record has a vector of zeros."""
EMBEDDING: Final = f"{PREFIX}embedding"
"""The embedding as it was given, where float32 would change it: base64 of little-endian float64."""
SPARSE: Final = f"{PREFIX}sparse_embedding"
BLOB: Final = f"{PREFIX}blob"
"""Both as JSON text, so that Chroma's own server can hold them, too."""
SCORE: Final = f"{PREFIX}score"

_ESCAPE: Final = f"{PREFIX}key:"
_TYPES: Final = f"{PREFIX}types:"
_RESERVED: Final = ("", "chroma:document")
_NOT_FIRST: Final = ("#", "$", PREFIX)


def stored_key(key: str) -> str:
    """The metadata key that holds this key of meta."""
    return _ESCAPE + key if key in _RESERVED or key.startswith(_NOT_FIRST) else key


def meta_key(key: str) -> str | None:
    """The key of meta that this metadata key holds; None for one of ours."""
    if not key.startswith(PREFIX):
        return key
    return key.removeprefix(_ESCAPE) if key.startswith(_ESCAPE) else None


def types_key(key: str) -> str:
    """The metadata key that says which values under another metadata key were no JSON."""
    return _TYPES + key
