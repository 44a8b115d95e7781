"""What users may set for the ``pgvector`` backend."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.wording import shown

_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PgvectorOptions:
    """Where the database is, and how collections are indexed in it."""

    url: str = field(default="", repr=False)
    """``postgresql://user:password@host:5432/database``, or ``key=value`` pairs as libpq takes them. Empty: what the
    environment says (``PGHOST``, ``PGDATABASE``, ``PGPASSWORD`` ...)."""
    schema: str = "chroma_plugin"
    """The schema that holds our tables; made when it does not exist. Two schemas are two databases of ours."""
    index: Literal["hnsw", "ivfflat", "none"] = "hnsw"
    """How vectors are indexed."""
    halfvec: bool = False
    """Index vectors in half precision: half the size. Records keep float32, and the nearest are measured with that."""
    index_from: int = 5_000
    """So many records make an index; with fewer, every search is exact."""
    lists: int = 0
    """Of ivfflat, the number of lists; 0: a thousandth of the records, at least 10."""
    probes: int = 10
    """Of ivfflat, the lists that a search looks into first."""
    full_text: bool = True
    """New collections get an index of words, for `search_text`. False: writes are faster, and a text search reads every
    document."""
    pool_size: int = 10
    """Connections at the same time, for each client; further calls wait for one."""
    prepare_threshold: int | None = None
    """After so many repetitions a statement is prepared. None: never, which every transaction pooler can take."""
    connect_timeout: int = 5
    """Seconds until the server must have accepted a connection."""
    timeout: float = 60
    """Seconds that a call waits for a connection of the pool."""

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema) or self.schema.startswith("pg_"):
            raise InvalidArgumentError(
                f"schema {shown(self.schema)} can't be used: it has 1 to 48 characters of a-z, 0-9 and '_', begins "
                "with no digit and not with 'pg_'."
            )
        for name, least in (("index_from", 1), ("lists", 0), ("probes", 1), ("pool_size", 1), ("connect_timeout", 1)):
            if getattr(self, name) < least:
                raise InvalidArgumentError(f"{name} must be at least {least}, not {getattr(self, name)}.")
