"""One collection of such a directory: its records, in the order of their insertion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import InvalidArgumentError, NotFoundError, ReadOnlyError
from chroma_plugin.parquet.checks import naming
from chroma_plugin.requests.metadata import metadata_column
from chroma_plugin.types import CollectionInfo, Field, Records, Scan
from chroma_plugin_chromadb import unfinished
from chroma_plugin_chromadb.database import Database, marks
from chroma_plugin_chromadb.embeddings import Embeddings
from chroma_plugin_chromadb.values import scalar

_PAGE: Final = 2_000
_LEAST: Final = -1
_NOT_TABLED: Final = -1
"""In place of the number of a record that is in the log alone."""
Row: TypeAlias = tuple[int, str]
"""The number of a record in the tables, and its id."""
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
        self._embeddings = Embeddings(database, directory, info, *segments["VECTOR"])
        # Lists came with chromadb 1.5.
        self._has_lists = bool(database.columns("embedding_metadata_array"))
        self._unfinished = unfinished.read(database, str(info.id), applied, self._tabled)

    # -- reading -----------------------------------------------------------------------------------------------------

    def scan(self, request: Scan) -> Iterator[Records]:
        last = None if request.limit is None else request.offset + request.limit
        if request.ids is not None:
            yield from self._by_ids(list(dict.fromkeys(request.ids))[request.offset : last], request.fields)
            return
        done = request.offset
        for page in self._pages(request.offset):
            rows = page if last is None else page[: last - done]
            if rows:
                with naming(self._info, done):
                    yield self._read(rows, request.fields)
            done += len(rows)
            if done == last:
                return

    def count(self, where: Any = None) -> int:
        if where is not None:
            return super().count(where)
        query = "SELECT count(*) FROM embeddings WHERE segment_id = ?"
        count: int = self._database.rows(query, (self._records,))[0][0]
        return count - len(self._unfinished.gone) + len(self._unfinished.added)

    def _pages(self, offset: int) -> Iterator[list[Row]]:
        """Numbers and ids, from the record at ``offset`` on."""
        if not (self._unfinished.values or self._unfinished.gone):
            yield from self._tabled_pages(offset)
            return
        for page in self._current_pages():
            yield page[offset:]
            offset = max(0, offset - len(page))

    def _current_pages(self) -> Iterator[list[Row]]:
        """What is in the tables, without what was deleted since, and then what was added."""
        for page in self._tabled_pages(0):
            yield [(number, id) for number, id in page if id not in self._unfinished.gone]
        yield [(_NOT_TABLED, id) for id in self._unfinished.added]

    def _tabled_pages(self, offset: int) -> Iterator[list[Row]]:
        query = "SELECT id, embedding_id FROM embeddings WHERE segment_id = ? AND id > ? ORDER BY id LIMIT ? OFFSET ?"
        last = _LEAST
        while page := self._database.rows(query, (self._records, last, _PAGE, offset)):
            yield [(number, id) for number, id in page]
            last, offset = page[-1][0], 0

    def _by_ids(self, ids: Sequence[str], fields: frozenset[Field]) -> Iterator[Records]:
        for start in range(0, len(ids), _PAGE):
            wanted = ids[start : start + _PAGE]
            number_of = {id: number for id, number in self._numbers(wanted).items() if id not in self._unfinished.gone}
            number_of |= dict.fromkeys(self._unfinished.added, _NOT_TABLED)
            rows = [(number_of[id], id) for id in wanted if id in number_of]
            if rows:
                yield self._read(rows, fields)

    def _numbers(self, ids: Sequence[str]) -> dict[str, int]:
        query = f"SELECT embedding_id, id FROM embeddings WHERE segment_id = ? AND embedding_id IN ({marks(len(ids))})"  # noqa: S608
        return dict(self._database.rows(query, (self._records, *ids)))

    def _tabled(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """All values of these records in the tables, by id."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), _PAGE):
            number_of = self._numbers(ids[start : start + _PAGE])
            values = self._values(list(number_of.values()))
            found |= {id: values.get(number, {}) for id, number in number_of.items()}
        return found

    def _read(self, rows: Sequence[Row], fields: frozenset[Field]) -> Records:
        ids = [_checked(id) for _, id in rows]
        values = self._values([number for number, _ in rows]) if fields & _TEXTS else {}
        late = self._unfinished.values
        texts = [dict(late[id]) if id in late else values.get(number, {}) for number, id in rows]
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
