"""What a store answered to a question, as a digest, so that it can be asked again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import orjson

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import StaleReadError
from chroma_plugin.operations import pushdown
from chroma_plugin.types import Count, Question, Read, Records, Scan, Search

_SIZE: Final = 16
"""Bytes: two answers that differ have the same digest once in 2**64 transactions or so, by chance."""


def check(reads: Sequence[Read], store: CollectionStore) -> None:
    """Raises StaleReadError when one of them has another answer by now."""
    for read in reads:
        if asked(store, read.question) != read.answer:
            raise StaleReadError(
                f"What the transaction read with {_named(read.question)} has been changed by somebody else since. "
                "Nothing was written: begin the transaction again."
            )


def asked(store: CollectionStore, question: Question) -> bytes:
    """The digest of what the store answers now."""
    if isinstance(question, Count):
        return of_count(pushdown.count(store, question.where))
    if isinstance(question, Scan):
        return of_records(pushdown.scan(store, question))
    if isinstance(question, Search):
        return of_records(hits.records for hits in pushdown.search(store, question))
    return of_records(ranked.records for ranked in pushdown.search_text(store, question))


def of_count(count: int) -> bytes:
    return _digest([b"%d" % count])


def of_records(batches: Iterable[Records]) -> bytes:
    """The same for the same records in the same order, however they are cut into batches."""
    return _digest(piece for batch in batches for piece in _pieces(batch))


def _pieces(batch: Records) -> Iterable[bytes]:
    nothing = [None] * len(batch)
    rows = zip(batch.ids, batch.documents or nothing, batch.metadatas or nothing, batch.uris or nothing, strict=True)
    yield from (_plain(row) for row in rows)
    if batch.embeddings is not None:
        yield np.ascontiguousarray(batch.embeddings, dtype="<f4").tobytes()


def _plain(row: tuple[Any, ...]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _digest(pieces: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=_SIZE)
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _named(question: Question) -> str:
    return {Count: "count", Scan: "get", Search: "query"}.get(type(question), "search_text")
