"""Collections read from Parquet into any client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from chroma_plugin.embedding_functions.resolve import resolve
from chroma_plugin.errors import InvalidDimensionError, UniqueConstraintError
from chroma_plugin.parquet import checks
from chroma_plugin.parquet.reading import ParquetDirectory, Part
from chroma_plugin.parquet.report import TransferReport
from chroma_plugin.requests.choice import one_of
from chroma_plugin.requests.configuration import legacy_section
from chroma_plugin.types import CollectionInfo

if TYPE_CHECKING:
    from chroma_plugin.api.client import Client
    from chroma_plugin.api.collection import Collection

OnConflict: TypeAlias = Literal["error", "skip", "merge"]
_CHOICES: Final[tuple[str, ...]] = get_args(OnConflict)


def import_collections(client: Client, directory: str | Path, *, on_conflict: OnConflict = "error") -> TransferReport:
    """Read the Parquet files of an export, or of Chroma 0.3.x, into the client's database.

    ``on_conflict`` decides about collections whose names are taken: ``"error"`` refuses everything, ``"skip"`` leaves
    them as they are, ``"merge"`` writes the records into them, replacing records with the same id.

    All that is in the files is checked before the first record is written. New collections get new ids. When writing
    itself fails, the collections made by this call are deleted again.

    Raises NotFoundError, CorruptionError or FormatVersionError for files that can't be read, InvalidArgumentError for
    what collections may not hold, UniqueConstraintError for names that are taken.
    """
    one_of(on_conflict, "on_conflict", _CHOICES)
    path = checks.directory(directory)
    source = ParquetDirectory(path)
    taken = {collection.name: collection for collection in client.list_collections()}
    conflicts = [part.info.name for part in source.parts if part.info.name in taken]
    if conflicts and on_conflict == "error":
        raise UniqueConstraintError(
            f"Nothing was imported: these collections exist already: {conflicts}. "
            "Pass on_conflict='skip' or on_conflict='merge'."
        )
    wanted = [part for part in source.parts if on_conflict == "merge" or part.info.name not in taken]
    _check_all(source, wanted, taken)
    counts = _write_all(client, source, wanted, taken)
    return TransferReport(path, counts, tuple(conflicts) if on_conflict == "skip" else ())


def _check_all(source: ParquetDirectory, parts: Sequence[Part], taken: Mapping[str, Collection]) -> None:
    """Read everything once, so that a fault in the last record is found before the first is written."""
    for part in parts:
        for _ in source.records(part):
            pass
        if part.info.name in taken:
            _check_dimension(part, taken[part.info.name])


def _check_dimension(part: Part, collection: Collection) -> None:
    dimension = collection.info()["dimension"]
    if None not in (dimension, part.info.dimension) and dimension != part.info.dimension:
        raise InvalidDimensionError(
            f"Nothing was imported: collection {collection.name!r} has the dimension {dimension}, the records to merge "
            f"into it have {part.info.dimension}."
        )


def _write_all(
    client: Client, source: ParquetDirectory, parts: Sequence[Part], taken: Mapping[str, Collection]
) -> Mapping[str, int]:
    made: list[str] = []
    counts: dict[str, int] = {}
    try:
        for part in parts:
            name = part.info.name
            if name not in taken:
                collection = _create(client, part.info)
                made.append(name)
            counts[name] = _write(source, part, taken.get(name) or collection)
    except BaseException:
        for name in made:
            client.delete_collection(name)
        raise
    return counts


def _create(client: Client, info: CollectionInfo) -> Collection:
    asked = info.configuration.get("hnsw") or {}
    # `modify` may have changed what the metadata still asks for; creating with both would be a contradiction.
    changed = {
        key: asked[key] for key, value in legacy_section(info.metadata).items() if asked.get(key, value) != value
    }
    collection = client.create_collection(
        info.name,
        metadata=info.metadata,
        configuration={"hnsw": {key: value for key, value in asked.items() if key not in changed}},
        # Stands for the function under its name; nothing is loaded, and unknown ones are kept as well.
        embedding_function=resolve(info.configuration.get("embedding_function")),
    )
    if changed:
        collection.modify(configuration={"hnsw": changed})
    return collection


def _write(source: ParquetDirectory, part: Part, collection: Collection) -> int:
    count = 0
    for records in source.records(part):
        collection.add(
            ids=records.ids,
            embeddings=records.embeddings,
            documents=records.documents,
            metadatas=records.metadatas,
            uris=records.uris,
            on_conflict="replace",
        )
        count += len(records)
    return count
