"""One directory of Parquet files, read in batches; what comes out is checked, as the core checks what users pass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from chroma_plugin.errors import CorruptionError, InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.parquet import checks
from chroma_plugin.parquet.engine import connection, literal, reading
from chroma_plugin.parquet.layout import COLLECTIONS_FILE, RECORDS_FILE, Layout, detect
from chroma_plugin.requests import configuration as configurations
from chroma_plugin.requests import embeddings
from chroma_plugin.requests.metadata import metadata_column
from chroma_plugin.types import CollectionInfo, Metadata, Metric, Records

if TYPE_CHECKING:
    import duckdb

_WITHOUT_ID: Final = "AND (id IS NULL OR id = '')"
_DOUBLED: Final = "GROUP BY id HAVING count(*) > 1"
_OTHER_LENGTH: Final = "AND (list_count(embedding) <> len(embedding) OR len(embedding) IS DISTINCT FROM ?)"
ROWS: Final = 10_240
"""Rows read at a time: a multiple of DuckDB's vector size, and the size of the row groups that `exporting` writes."""


@frozen
class Part:
    """One collection in the files, and the rows between which its records stand."""

    info: CollectionInfo
    owner: str
    """The collection's id as the files write it."""
    count: int
    first: int
    last: int


class ParquetDirectory:
    """The collections and records in a directory of Parquet files.

    Raises NotFoundError, CorruptionError or FormatVersionError when it is none that can be read, and
    InvalidArgumentError when it holds collections, ids or embeddings that today's rules refuse.
    """

    def __init__(self, directory: Path) -> None:
        self._collections_file = directory / COLLECTIONS_FILE
        self._records_file = directory / RECORDS_FILE
        with connection() as connected:
            self.layout: Layout = detect(connected, directory)
            self.parts: Sequence[Part] = self._read_parts(connected)

    def records(self, part: Part) -> Iterator[Records]:
        """The records of one collection in their order, in batches.

        Raises InvalidArgumentError, naming collection and record, for what no collection may hold.
        """
        done = 0
        with connection() as connected:
            for start in range(part.first, part.last + 1, ROWS):
                columns = self._columns(connected, part, start, min(start + ROWS - 1, part.last))
                if len(columns["id"]):
                    with checks.naming(part.info, done):
                        batch = _records(columns)
                    yield batch
                    done += len(batch)

    def _read_parts(self, connected: duckdb.DuckDBPyConnection) -> list[Part]:
        with reading(self._collections_file):
            rows = connected.execute(self.layout.collections, [literal(self._collections_file)]).fetchall()
        spans = self._spans(connected)
        parts = [self._part(connected, row, spans.pop(row[0], (0, 0, -1))) for row in rows]
        if spans:
            raise CorruptionError(
                f"{str(self._records_file)!r} has records of collections that {COLLECTIONS_FILE} does not list: "
                f"{sorted(map(str, spans))[:5]}. The two files are not of one export."
            )
        checks.collections([part.info for part in parts])
        for part in parts:
            self._check_rows(connected, part)
        return parts

    def _spans(self, connected: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int, int]]:
        """Collection id -> number of records, first row, last row."""
        query = f"""
            SELECT {self.layout.owner}, count(*), min(file_row_number), max(file_row_number)
            FROM read_parquet(?, file_row_number = true) GROUP BY 1"""  # noqa: S608 - a constant of Layout
        with reading(self._records_file):
            rows = connected.execute(query, [literal(self._records_file)]).fetchall()
        return {owner: (count, first, last) for owner, count, first, last in rows}

    def _part(self, connected: duckdb.DuckDBPyConnection, row: Sequence[Any], span: tuple[int, int, int]) -> Part:
        id, name, metadata, configuration, dimension, tenant, database = row
        count, first, last = span
        settings = _json_object(metadata, f"The metadata of collection {name!r}")
        info = CollectionInfo(
            id=_uuid(id, self._collections_file),
            name=name,
            metadata=settings,
            configuration=_configuration(configuration, settings, name),
            dimension=self._dimension(connected, id) if dimension is None else dimension,
            tenant=tenant,
            database=database,
        )
        return Part(info, id, count, first, last)

    def _dimension(self, connected: duckdb.DuckDBPyConnection, owner: str) -> int | None:
        """The length that most embeddings of a collection have: 0.3.x could keep rows of another one."""
        query = f"""
            SELECT len(embedding) FROM read_parquet(?) WHERE {self.layout.owner} = ? AND embedding IS NOT NULL
            GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"""  # noqa: S608 - a constant of Layout
        with reading(self._records_file):
            row = connected.execute(query, [literal(self._records_file), owner]).fetchone()
        return None if row is None else int(row[0])

    def _check_rows(self, connected: duckdb.DuckDBPyConnection, part: Part) -> None:
        """Raise for missing or doubled ids and embeddings of another length, before any record is read."""
        name = part.info.name
        if self._ids(connected, part, _WITHOUT_ID):
            raise InvalidArgumentError(f"Collection {name!r} has records without an id.")
        doubled = self._ids(connected, part, _DOUBLED)
        if doubled:
            raise InvalidArgumentError(f"Collection {name!r} has ids more than once, for instance {doubled}.")
        wrong = self._ids(connected, part, _OTHER_LENGTH, part.info.dimension)
        if wrong:
            raise InvalidArgumentError(
                f"Collection {name!r} has the dimension {part.info.dimension}, but the embeddings of some records have "
                f"another length or none, for instance {wrong}. Delete these with the release that wrote the files."
            )

    def _ids(
        self, connected: duckdb.DuckDBPyConnection, part: Part, condition: str, *parameters: Any
    ) -> list[str | None]:
        """Some ids of one collection for which a condition holds."""
        query = f"SELECT id FROM read_parquet(?) WHERE {self.layout.owner} = ? {condition} LIMIT 5"  # noqa: S608 - constants
        with reading(self._records_file):
            rows = connected.execute(query, [literal(self._records_file), part.owner, *parameters]).fetchall()
        return [row[0] for row in rows]

    def _columns(self, connected: duckdb.DuckDBPyConnection, part: Part, first: int, last: int) -> Mapping[str, Any]:
        with reading(self._records_file):
            found: Mapping[str, Any] = connected.execute(
                self.layout.records, [literal(self._records_file), part.owner, first, last]
            ).fetchnumpy()
        return found


def _records(columns: Mapping[str, Any]) -> Records:
    texts = _texts(columns["metadata"])
    return Records(
        ids=columns["id"].tolist(),
        embeddings=embeddings.matrix(list(columns["embedding"])),
        documents=_texts(columns["document"]),
        metadatas=metadata_column([_json_object(text, f"metadatas[{row}]") for row, text in enumerate(texts)]),
        uris=_texts(columns["uri"]),
    )


def _texts(column: Any) -> list[str | None]:
    # A column with NULLs is a masked array; only its tolist() makes None of them (filled() makes "?").
    texts: list[str | None] = column.tolist()
    return texts


def _json_object(text: str | None, what: str) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"{what} is not JSON: {text[:80]!r}") from error
    # 0.3.x wrote `null` for a collection without metadata; an empty dict is no metadata either.
    if value is not None and not isinstance(value, dict):
        raise InvalidArgumentError(f"{what} is not a JSON object: {text[:80]!r}")
    return value or None


def _configuration(text: str | None, metadata: Metadata | None, name: str) -> dict[str, Any]:
    if text is not None:
        return _json_object(text, f"The configuration of collection {name!r}") or {}
    try:
        hnsw = configurations.created(None, metadata, Metric.L2.value)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"Collection {name!r} can't be taken over: {error}") from error
    # 0.3.x did not say which embedding function it was.
    return {"hnsw": hnsw, "spann": None, "embedding_function": {"type": "legacy"}}


def _uuid(text: Any, path: Path) -> UUID:
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise CorruptionError(f"{str(path)!r} has a collection whose id is no UUID: {text!r}") from error
