"""What users may set for the ``milvus`` backend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MilvusOptions:
    """Where Milvus is, and how its collections are made."""

    uri: str = "./milvus.db"
    """``http://host:19530``, a Zilliz endpoint, or a path that ends in ``.db`` for Milvus Lite."""
    token: str = field(default="", repr=False)
    """``user:password`` or an API key."""
    db_name: str = ""
    """The Milvus database; empty: the default one. Milvus Lite has no others."""
    prefix: str = "chroma_"
    """What the names of our Milvus collections begin with; two prefixes are two separate stores."""
    index_type: str = "HNSW"
    """The Milvus index of new collections: ``HNSW``, ``FLAT`` (exact), ``AUTOINDEX`` ..."""
    index_params: Mapping[str, Any] = field(default_factory=dict)
    """Its build parameters, over those that a collection's configuration gives (HNSW: M, efConstruction)."""
    search_params: Mapping[str, Any] = field(default_factory=dict)
    """Its search parameters, over those that a collection's configuration gives (HNSW: ef)."""
    consistency_level: str = "Strong"
    """``Strong``: every process reads what any has written. ``Session``: each its own writes, at less cost."""
    timeout: float = 60
    """Seconds that one request may take."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.prefix):
            raise InvalidArgumentError(
                f"prefix {self.prefix!r} can't begin the name of a Milvus collection: use letters, digits and _."
            )
        if self.consistency_level not in ("Strong", "Session"):
            raise InvalidArgumentError(
                f"consistency_level is 'Strong' or 'Session', got {self.consistency_level!r}: with less, "
                "a read could miss what was just written."
            )


def is_lite(uri: str) -> bool:
    """Whether this is a directory of Milvus Lite."""
    return uri.endswith(".db") and "://" not in uri
