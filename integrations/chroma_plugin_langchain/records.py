"""LangChain's documents as records of a collection, and back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from langchain_core.documents import Document

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.steps import Matrix
from chroma_plugin_langchain.values import read_metadata, stored_metadatas


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts to store."""

    ids: list[str]
    texts: list[str]
    metadatas: Sequence[Any] | None
    all_new: bool
    """All ids were made here, so no record of that id is in any collection."""


def batch_of_texts(texts: Iterable[str], metadatas: Iterable[Any] | None, ids: Iterable[str | None] | None) -> Batch:
    """Raises InvalidArgumentError, a ValueError, when the three are not of one length or a text is no str."""
    texts = _listed(texts)
    _check_texts(texts)
    given = None if metadatas is None else list(metadatas)
    if given:
        _check_length(len(texts), "texts", metadatas=given)
    new_ids, all_new = ids_for(len(texts), ids)
    return Batch(new_ids, texts, stored_metadatas(given) if given else None, all_new)


def batch_of_documents(documents: Iterable[Document], ids: Iterable[str | None] | None) -> Batch:
    """``ids`` come before the documents' own; a document without any gets one."""
    listed = list(documents)
    for row, document in enumerate(listed):
        if not isinstance(document, Document):
            raise InvalidArgumentError(f"documents[{row}] must be a Document, not {type(document).__name__}.")
    if ids is None:
        ids = [document.id or None for document in listed]
    new_ids, all_new = ids_for(len(listed), ids)
    metadatas = stored_metadatas([document.metadata for document in listed])
    return Batch(new_ids, [document.page_content for document in listed], metadatas, all_new)


def ids_for(count: int, ids: Iterable[str | None] | None) -> tuple[list[str], bool]:
    """The ids, with new ones where there is none, and whether all are new."""
    if ids is None:
        return [str(uuid.uuid4()) for _ in range(count)], True
    if isinstance(ids, str):
        raise InvalidArgumentError(f"ids must be a list with an id for each text, not the str {ids!r}.")
    given = list(ids)
    _check_length(count, "texts", ids=given)
    return [str(uuid.uuid4()) if id is None else id for id in given], all(id is None for id in given)


def distinct(ids: str | Iterable[str]) -> list[str]:
    """Each id once; a single id is a list of one."""
    return [ids] if isinstance(ids, str) else list(dict.fromkeys(ids))


def documents_of(ids: Sequence[str], texts: Sequence[str | None], metadatas: Sequence[Any]) -> list[Document]:
    """A record without text is a document with an empty one."""
    return [
        Document(page_content=text or "", metadata=read_metadata(metadata), id=id)
        for id, text, metadata in zip(ids, texts, metadatas, strict=True)
    ]


def got(result: Mapping[str, Any]) -> list[Document]:
    """The documents of a get."""
    return documents_of(result["ids"], result["documents"], result["metadatas"])


def hits(result: Mapping[str, Any]) -> list[Document]:
    """The documents that one question found, best first."""
    return documents_of(result["ids"][0], result["documents"][0], result["metadatas"][0])


def scored_hits(result: Mapping[str, Any], column: str = "distances") -> list[tuple[Document, float]]:
    return list(zip(hits(result), result[column][0], strict=True))


def hits_with_vectors(result: Mapping[str, Any]) -> list[tuple[Document, Matrix]]:
    return list(zip(hits(result), np.asarray(result["embeddings"][0]), strict=True))


def _listed(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise InvalidArgumentError("texts must be a list of texts, not one str; write [text].")
    return list(texts)


def _check_texts(texts: list[str]) -> None:
    """Before a model is paid for."""
    if set(map(type, texts)) - {str}:
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise InvalidArgumentError(f"texts[{row}] must be a str, not {type(text).__name__}.")


def _check_length(count: int, counted: str, **column: list[Any]) -> None:
    for name, values in column.items():
        if len(values) != count:
            raise InvalidArgumentError(
                f"There must be one of {name} for each of {counted}, but there are {len(values)} {name} "
                f"and {count} {counted}."
            )
