"""One collection of such a directory: its records, in the order of their insertion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import InvalidArgumentError, NotFoundError, ReadOnlyError, StorageError
from chroma_plugin.parquet.checks import naming
from chroma_plugin.requests.metadata import metadata_column
from chroma_plugin.types import CollectionInfo, Field, Records, Scan
from chroma_plugin_chromadb import changes
from chroma_plugin_chromadb.database import Database, marks
from chroma_plugin_chromadb.embeddings import Embeddings
from chroma_plugin_chromadb.values import scalar

_PAGE: Final = 2_000
_LEAST: Final = -1
_DOCUMENT: Final = "chroma:document"
_URI: Final = "chroma:uri"
_TEXTS: Final[frozenset[Field]] = frozenset(("documents", "metadatas", "uris"))
_SEGMENTS: Final = """
    SELECT s.scope, s.id, m.seq_id FROM segments s LEFT JOIN max_seq_id m ON m.segment_id = s.id
    WHERE s.collection = ?"""


class ChromadbStore(CollectionStore):
    """It reads; every write raises ReadOnlyError."""

    def __init__(self, database: Database, directory: Path, info: CollectionInfo) -> None:
        self._database = database
        self._info = info
        segments = {scope: (id, _number(applied)) for scope, id, applied in database.rows(_SEGMENTS, (str(info.id),))}
        if not segments.keys() >= {"VECTOR", "METADATA"}:
            raise NotFoundError(
                f"Collection {info.name!r} ({info.id}) does not exist, or is not kept in this directory."
            )
        self._records, applied = segments["METADATA"]
        self._refuse_unapplied(applied)
        self._embeddings = Embeddings(database, directory, info, *segments["VECTOR"])
        # Lists came with chromadb 1.5.
        self._has_lists = bool(database.columns("embedding_metadata_array"))

    def _refuse_unapplied(self, applied: int) -> None:
        """Documents and metadata in the log and not yet in the tables: chromadb was ended between the two."""
        if changes.last_change(self._database, str(self._info.id)) > applied > 0:
            raise StorageError(
                f"Collection {self._info.name!r} has changes that chromadb has not finished: open the directory "
                "with it once, count the collection, and try again."
            )

    # -- reading -----------------------------------------------------------------------------------------------------

    def scan(self, request: Scan) -> Iterator[Records]:
        last = None if request.limit is None else request.offset + request.limit
        if request.ids is not None:
            yield from self._by_ids(list(dict.fromkeys(request.ids))[request.offset : last], request.fields)
            return
        done, batches = request.offset, self._pages(request.offset)
        for page in batches if last is None else islice(batches, max(0, last - request.offset) // _PAGE + 1):
            rows = page if last is None else page[: last - done]
            if rows:
                with naming(self._info, done):
                    yield self._read(rows, request.fields)
            done += len(rows)

    def count(self, where: Any = None) -> int:
        if where is not None:
            return super().count(where)
        query = "SELECT count(*) FROM embeddings WHERE segment_id = ?"
        count: int = self._database.rows(query, (self._records,))[0][0]
        return count

    def _pages(self, offset: int) -> Iterator[list[tuple[int, str]]]:
        """Numbers and ids, from the record at ``offset`` on."""
        query = "SELECT id, embedding_id FROM embeddings WHERE segment_id = ? AND id > ? ORDER BY id LIMIT ? OFFSET ?"
        last = _LEAST
        while page := self._database.rows(query, (self._records, last, _PAGE, offset)):
            yield page
            last, offset = page[-1][0], 0

    def _by_ids(self, ids: Sequence[str], fields: frozenset[Field]) -> Iterator[Records]:
        for start in range(0, len(ids), _PAGE):
            wanted = ids[start : start + _PAGE]
            query = f"SELECT embedding_id, id FROM embeddings WHERE segment_id = ? AND embedding_id IN ({marks(len(wanted))})"  # noqa: E501, S608
            number_of = dict(self._database.rows(query, (self._records, *wanted)))
            rows = [(number_of[id], id) for id in wanted if id in number_of]
            if rows:
                yield self._read(rows, fields)

    def _read(self, rows: Sequence[tuple[int, str]], fields: frozenset[Field]) -> Records:
        numbers, ids = [number for number, _ in rows], [_checked(id) for _, id in rows]
        values = self._values(numbers) if fields & _TEXTS else {}
        texts = [values.get(number, {}) for number in numbers]
        documents, uris = ([record.pop(key, None) for record in texts] for key in (_DOCUMENT, _URI))
        matrix = self._embeddings.take(ids) if "embeddings" in fields else None
        return Records(ids, matrix, documents, metadata_column(texts) if texts else [], uris).only(fields)

    def _values(self, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Everything that is kept by key: metadata, and the document and the URI under keys of their own."""
        found: dict[int, dict[str, Any]] = {}
        for number, key, *columns in self._rows("embedding_metadata", numbers):
            found.setdefault(number, {})[key] = scalar(*columns)
        if self._has_lists:
            lists: dict[tuple[int, str], list[Any]] = {}
            for number, key, *columns in self._rows("embedding_metadata_array", numbers):
                lists.setdefault((number, key), []).append(scalar(*columns))
            for (number, key), items in lists.items():
                found.setdefault(number, {})[key] = items
        return found

    def _rows(self, table: str, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        columns = "id, key, string_value, int_value, float_value, bool_value"
        query = f"SELECT {columns} FROM {table} WHERE id IN ({marks(len(numbers))}) ORDER BY rowid"  # noqa: S608
        return self._database.rows(query, numbers)

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, records: Records) -> NoReturn:
        raise self._refusal()

    def delete(self, ids: Sequence[str]) -> NoReturn:
        raise self._refusal()

    def insert(self, records: Records) -> NoReturn:
        raise self._refusal()

    def update(self, records: Records) -> NoReturn:
        raise self._refusal()

    def _refusal(self) -> ReadOnlyError:
        return read_only(self._database)


def read_only(database: Database) -> ReadOnlyError:
    return ReadOnlyError(
        f"{database.path.parent} was written by chromadb and is only read here. Copy it: "
        f"chroma-plugin copy {database.path.parent} NEW_DIRECTORY"
    )


def _number(value: Any) -> int:
    """A number of a change; early releases kept it as eight bytes."""
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value or 0)


def _checked(id: Any) -> str:
    if not isinstance(id, str) or not id:
        raise InvalidArgumentError(f"A record has the id {id!r}; an id is a str that is not empty.")
    return id
