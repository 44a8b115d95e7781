"""The field of a filter: where it stands in a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chroma_plugin.filters import DOCUMENT, ID, Compare, Expr, Not, Op, Path
from chroma_plugin_haystack import keys
from chroma_plugin_haystack.values import meta_of, walked

_META: Final = "meta."
_TEXTS: Final[Mapping[str, Path]] = {"id": ID, "content": DOCUMENT}
_NOWHERE: Final = Path((f"{keys.PREFIX}nowhere",))
_NO_EMBEDDING: Final = Compare(Path((keys.NO_EMBEDDING,)), Op.EQ, True)
HAS_EMBEDDING: Final = Not(_NO_EMBEDDING)
_OBJECTS: Final[Mapping[str, Expr]] = {
    "embedding": _NO_EMBEDDING,
    "sparse_embedding": Compare(Path((keys.SPARSE,)), Op.EQ, None),
    "blob": Compare(Path((keys.BLOB,)), Op.EQ, None),
}
"""Fields that hold more than a value, and the filter that says they are None."""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    path: Path
    parts: tuple[str, ...] = ()
    """The keys of meta that lead to it; none when it is not in meta."""
    is_none: Expr | None = None
    """For a field that can only be compared with None: the filter that says it is."""

    @property
    def is_text(self) -> bool:
        """Whether it is the id or the content: always a str, or None."""
        return self.path in (ID, DOCUMENT)

    def value(self, id: str, metadata: Mapping[str, Any] | None, text: str | None) -> Any:
        """What a record holds there, None where there is nothing."""
        if self.is_text:
            return id if self.path == ID else text
        if not self.parts:
            return (metadata or {}).get(*self.path.parts)
        return walked(meta_of(metadata), self.parts)


def field_of(name: str) -> Field:
    """As Haystack reads it: ``meta.author.name`` walks into nested dicts; a name that is no attribute of a Document is
    a key of meta. What no document can have, such as ``content.x``, is always None.
    """
    if name in _TEXTS:
        return Field(name, _TEXTS[name])
    if name in _OBJECTS:
        return Field(name, _NOWHERE, is_none=_OBJECTS[name])
    if name == "meta":
        return Field(name, _NOWHERE, is_none=Not(Compare(_NOWHERE, Op.EQ, None)))
    if name == "score":
        return Field(name, Path((keys.SCORE,)))
    if name.startswith(_META):
        return _in_meta(name, tuple(name.removeprefix(_META).split(".")))
    return Field(name, _NOWHERE) if "." in name else _in_meta(name, (name,))


def _in_meta(name: str, parts: tuple[str, ...]) -> Field:
    first, *others = parts
    if not all(others) or not all(map(_is_text, parts)):
        return Field(name, _NOWHERE)
    return Field(name, Path((keys.stored_key(first), *others)), parts)


def _is_text(key: str) -> bool:
    """Whether a record can have such a key."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
