"""Adding, replacing and deleting."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from langchain_core.documents import Document

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.opening import Place
from chroma_plugin_langchain.options import refuse_unknown
from chroma_plugin_langchain.records import Batch, batch_of_documents, distinct, ids_for
from chroma_plugin_langchain.steps import Matrix, Procedure, call, embed_documents, embed_images
from chroma_plugin_langchain.values import stored_filter, stored_metadatas

_WRITE_OPTIONS: Final = ("batch_size", "current_time")
"""What LangChain passes to every store: ``index`` its batch size, TimeWeightedVectorStoreRetriever the time."""


def add(place: Place, batch: Batch, options: Mapping[str, Any]) -> Procedure[list[str]]:
    """Store the texts, all or none; a record of the same id is replaced, whole."""
    refuse_unknown(options, _WRITE_OPTIONS, "adding")
    batch_size = _checked_size(options.get("batch_size"))
    collection = yield from place.open()
    if not batch.ids:
        return []
    vectors = yield from embed_documents(batch.texts, batch_size)
    yield from call(
        collection.add,
        ids=batch.ids,
        embeddings=vectors,
        documents=batch.texts,
        metadatas=batch.metadatas,
        # New ids need not be looked for.
        on_conflict="ignore" if batch.all_new else "replace",
    )
    return batch.ids


def add_embeddings(
    place: Place,
    embeddings: Any,
    texts: Iterable[str | None] | None,
    metadatas: Iterable[Any] | None,
    ids: Iterable[str | None] | None,
) -> Procedure[list[str]]:
    collection = yield from place.open()
    vectors = embeddings if hasattr(embeddings, "__len__") else list(embeddings)
    if not len(vectors):
        return []
    new_ids, _ = ids_for(len(vectors), ids)
    yield from call(
        collection.add,
        ids=new_ids,
        embeddings=vectors,
        documents=None if texts is None else list(texts),
        metadatas=None if metadatas is None else stored_metadatas(list(metadatas)),
        on_conflict="replace",
    )
    return new_ids


def add_images(
    place: Place,
    uris: Sequence[str],
    metadatas: Sequence[Any] | None,
    ids: Iterable[str | None] | None,
    contents: Sequence[str],
) -> Procedure[list[str]]:
    """``contents`` are the images as text, which become the page contents."""
    collection = yield from place.open()
    if not uris:
        return []
    new_ids, _ = ids_for(len(uris), ids)
    vectors: Matrix = yield from embed_images(list(uris))
    yield from call(
        collection.add,
        ids=new_ids,
        embeddings=vectors,
        documents=list(contents),
        metadatas=stored_metadatas(list(metadatas)) if metadatas else None,
        uris=list(uris),
        on_conflict="replace",
    )
    return new_ids


def image_text(uri: str) -> str:
    """The file in base64."""
    return base64.b64encode(Path(uri).read_bytes()).decode("ascii")


def update(place: Place, ids: Sequence[str], documents: Sequence[Document]) -> Procedure[list[str]]:
    """Put the documents in the place of the records with these ids; ids that are not there are left out."""
    batch = batch_of_documents(documents, ids)
    collection = yield from place.open()
    if not batch.ids:
        return []
    found = yield from call(collection.get, ids=batch.ids, include=[])
    known = set(found["ids"])
    rows = [row for row, id in enumerate(batch.ids) if id in known]
    if not rows:
        return []
    assert batch.metadatas is not None
    there = Batch(
        [batch.ids[row] for row in rows],
        [batch.texts[row] for row in rows],
        [batch.metadatas[row] for row in rows],
        all_new=False,
    )
    return (yield from add(place, there, {}))


def delete(place: Place, ids: str | Iterable[str] | None, options: Mapping[str, Any]) -> Procedure[bool]:
    """True: afterwards none of them is there. Nothing at all is never taken for everything."""
    refuse_unknown(options, ("where", "filter", "where_document"), "deleting")
    where, other = options.get("where"), options.get("filter")
    if where is not None and other is not None:
        raise InvalidArgumentError("filter and where are two names of one filter; give one of them.")
    chosen = stored_filter(other if where is None else where)
    document = options.get("where_document")
    if ids is None and chosen is None and document is None:
        raise InvalidArgumentError(
            "delete needs ids, a filter or where_document. To delete everything use reset_collection()."
        )
    collection = yield from place.open()
    wanted = None if ids is None else distinct(ids)
    yield from call(collection.delete, ids=wanted, where=chosen, where_document=document)
    return True


def _checked_size(batch_size: Any) -> int | None:
    if batch_size is None:
        return None
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise InvalidArgumentError(f"batch_size must be an int of at least 1, not {batch_size!r}.")
    return batch_size
