"""What `add`, `update`, `upsert` and `delete` are asked to do, checked and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.frozen import frozen
from chroma_plugin.requests import paging
from chroma_plugin.requests.choice import one_of
from chroma_plugin.requests.documents import image_column, text_column
from chroma_plugin.requests.embeddings import matrix
from chroma_plugin.requests.filter import filter_of
from chroma_plugin.requests.ids import wanted_ids, written_ids
from chroma_plugin.requests.many import same_length
from chroma_plugin.requests.metadata import metadata_column
from chroma_plugin.types import Records

OnConflict: TypeAlias = Literal["ignore", "error", "replace"]
"""What `add` does with ids that are in the collection."""
MetadataMode: TypeAlias = Literal["merge", "replace"]
"""How `upsert` treats the metadata of records that are in the collection."""
_POLICIES: Final = get_args(OnConflict)
_MODES: Final = get_args(MetadataMode)
_WAYS_OUT: Final = "client.reset() empties the database, client.delete_collection(name) deletes a collection"


@frozen(eq=False)
class Write:
    """The records as given. A column that was left out is None."""

    records: Records
    images: Sequence[Any] | None

    def take(self, rows: Sequence[int]) -> Write:
        """The same write with the records at these positions only."""
        images = None if self.images is None else [self.images[row] for row in rows]
        return Write(self.records.take(rows), images)


@frozen(eq=False)
class AddRequest:
    write: Write
    on_conflict: OnConflict


@frozen(eq=False)
class UpdateRequest:
    write: Write


@frozen(eq=False)
class UpsertRequest:
    write: Write
    metadata_mode: MetadataMode


@frozen(eq=False)
class DeleteRequest:
    """The records that all of this leaves. With neither ids nor where: none at all."""

    ids: list[str] | None
    where: Expr | None
    limit: int | None


def add(
    ids: Any, embeddings: Any, metadatas: Any, documents: Any, images: Any, uris: Any, on_conflict: Any
) -> AddRequest:
    policy: OnConflict = "ignore" if on_conflict is None else one_of(on_conflict, "on_conflict", _POLICIES)
    return AddRequest(_write(ids, embeddings, metadatas, documents, images, uris), policy)


def update(ids: Any, embeddings: Any, metadatas: Any, documents: Any, images: Any, uris: Any) -> UpdateRequest:
    """A bare call, with no argument at all, is an update of nothing."""
    if all(given is None for given in (ids, embeddings, metadatas, documents, images, uris)):
        return UpdateRequest(Write(Records(ids=[]), None))
    return UpdateRequest(_write(ids, embeddings, metadatas, documents, images, uris))


def upsert(
    ids: Any, embeddings: Any, metadatas: Any, documents: Any, images: Any, uris: Any, metadata_mode: Any
) -> UpsertRequest:
    mode: MetadataMode = "merge" if metadata_mode is None else one_of(metadata_mode, "metadata_mode", _MODES)
    return UpsertRequest(_write(ids, embeddings, metadatas, documents, images, uris), mode)


def delete(ids: Any, where: Any, where_document: Any, limit: Any) -> DeleteRequest:
    """Filters that are there but empty are refused: they would mean everything."""
    for name, given in (("where", where), ("where_document", where_document)):
        if isinstance(given, dict) and not given:
            raise InvalidArgumentError(f"{name}={{}} would delete every record; if that is meant: {_WAYS_OUT}.")
    expr = filter_of(where, where_document)
    if limit is not None and expr is None:
        raise InvalidArgumentError("limit needs where or where_document: it bounds how many matches are deleted.")
    return DeleteRequest(None if ids is None else wanted_ids(ids), expr, paging.limit(limit))


def _write(ids: Any, embeddings: Any, metadatas: Any, documents: Any, images: Any, uris: Any) -> Write:
    records = Records(
        ids=written_ids(ids),
        embeddings=None if embeddings is None else matrix(embeddings),
        documents=text_column(documents, "documents"),
        metadatas=metadata_column(metadatas),
        uris=text_column(uris, "uris"),
    )
    write = Write(records, image_column(images, "images"))
    same_length(
        len(records),
        embeddings=records.embeddings,
        metadatas=records.metadatas,
        documents=records.documents,
        images=write.images,
        uris=records.uris,
    )
    return write
