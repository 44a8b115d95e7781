"""Writing and deleting documents. Each is one call of the collection, so all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from chroma_plugin.errors import IDAlreadyExistsError, InvalidDimensionError
from chroma_plugin_haystack import records
from chroma_plugin_haystack.conditions import EVERYTHING
from chroma_plugin_haystack.filters import required, where_of
from chroma_plugin_haystack.keys import stored_key, types_key
from chroma_plugin_haystack.steps import Call, Steps
from chroma_plugin_haystack.values import stored_meta

USUAL_DIMENSION: Final = 768
"""What a collection gets whose first documents have no embeddings, and nothing says how long they will be."""
_CONFLICTS: Final[Mapping[DuplicatePolicy, Literal["ignore", "error", "replace"]]] = {
    DuplicatePolicy.NONE: "error",
    DuplicatePolicy.FAIL: "error",
    DuplicatePolicy.SKIP: "ignore",
    DuplicatePolicy.OVERWRITE: "replace",
}
_ALL: Final = "delete_all_documents()"


def write(documents: Any, policy: DuplicatePolicy, *, dimension: int | None, exact: bool) -> Steps[int]:
    """How many were written. See `ChromaPluginDocumentStore.write_documents`."""
    if not isinstance(policy, DuplicatePolicy):
        raise ValueError(f"policy must be a DuplicatePolicy, not {policy!r:.100}.")
    given = _checked(documents)
    wanted = _without_doubles(given, policy)
    if not wanted:
        return 0
    length = yield from _dimension(wanted, dimension)
    try:
        report = yield Call("add", **records.columns(wanted, length, exact=exact), on_conflict=_CONFLICTS[policy])
    except IDAlreadyExistsError as error:
        raise DuplicateDocumentError(str(error)) from error
    return len(given) if policy is DuplicatePolicy.OVERWRITE else len(report.added)


def _checked(documents: Any) -> list[Document]:
    if isinstance(documents, (str, bytes, Mapping)) or not isinstance(documents, Iterable):
        raise ValueError(f"documents must be a list of Documents, not {documents!r:.100}.")
    listed = list(documents)
    for place, document in enumerate(listed):
        if not isinstance(document, Document):
            raise ValueError(f"documents[{place}] must be a Document, not {document!r:.100}.")
    return listed


def _without_doubles(documents: Sequence[Document], policy: DuplicatePolicy) -> list[Document]:
    """Of several documents with one id: the last when they overwrite each other, else the first; or an error."""
    if policy is DuplicatePolicy.OVERWRITE:
        return list({document.id: document for document in documents}.values())
    firsts: dict[str, Document] = {}
    for document in documents:
        if firsts.setdefault(document.id, document) is not document and policy is not DuplicatePolicy.SKIP:
            raise DuplicateDocumentError(f"The id {document.id!r} stands twice among the documents; none was written.")
    return list(firsts.values())


def _dimension(documents: Sequence[Document], wanted: int | None) -> Steps[int]:
    given = records.given_dimension(documents)
    if given is None:
        info = yield Call("info")
        return int(info["dimension"] or wanted or USUAL_DIMENSION)
    if wanted not in (None, given):
        raise InvalidDimensionError(
            f"The store was made with embedding_dim={wanted}, but these embeddings have {given} numbers."
        )
    return given


def delete(document_ids: Iterable[str]) -> Steps[None]:
    """Unknown ids are passed over."""
    ids = [id for id in dict.fromkeys(document_ids) if id]
    yield Call("delete", ids=ids)


def delete_all(*, recreate_index: bool) -> Steps[None]:
    yield Call("delete", where=EVERYTHING)
    if recreate_index:
        yield Call("create_index")


def delete_by_filter(filters: Any, *, strict: bool) -> Steps[int]:
    """How many were deleted."""
    required(filters, _ALL)
    where = yield from where_of(filters, strict=strict)
    result = yield Call("delete", where=where)
    return int(result["deleted"])


def update_by_filter(filters: Any, meta: Any, *, strict: bool) -> Steps[int]:
    """How many were updated."""
    if not isinstance(meta, Mapping):
        raise ValueError(f"meta must be a dict, not {meta!r:.100}.")
    required(filters, "a filter that all documents match")
    where = yield from where_of(filters, strict=strict)
    found = yield Call("get", where=where, include=["metadatas"])
    if not found["ids"] or not meta:
        return len(found["ids"])
    changes = {types_key(stored_key(key)): None for key in meta} | stored_meta(meta)
    if any(value is None for value in meta.values()):
        return (yield from _replace(found, changes))
    report = yield Call("update", ids=found["ids"], metadatas=[changes] * len(found["ids"]))
    return len(report.updated)


def _replace(found: Any, changes: Mapping[str, Any]) -> Steps[int]:
    """An update takes None for "remove the key", so metadata that keeps a None is written anew."""
    marks = {key for key, value in changes.items() if value is None and key.startswith(types_key(""))}
    metadatas = [
        {key: value for key, value in {**(old or {}), **changes}.items() if key not in marks}
        for old in found["metadatas"]
    ]
    report = yield Call("upsert", ids=found["ids"], metadatas=metadatas, metadata_mode="replace")
    return len(report.replaced)
