"""Nodes as records, and records as nodes.

The layout is that of llama-index-vector-stores-chroma, so that collections are exchanged with it: the text is the
document; the metadata is the node's, and besides it ``_node_content`` (the node as JSON, without text and embedding),
``_node_type``, and the id of the source document as ``document_id``, ``doc_id`` and ``ref_doc_id``. A node is read from
``_node_content``; the metadata of the record is there to be filtered by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from llama_index.core.schema import BaseNode, Document, ImageNode, IndexNode, MetadataMode, Node, TextNode
from llama_index.core.vector_stores.utils import legacy_metadata_dict_to_node, node_to_metadata_dict

from chroma_plugin.errors import InvalidArgumentError

SOURCE_ID: Final = "document_id"
"""The metadata key that holds the id of the document a node was made from."""
_CONTENT: Final = "_node_content"
_TYPE: Final = "_node_type"
_KINDS: Final[dict[str, type[BaseNode]]] = {kind.class_name(): kind for kind in (TextNode, IndexNode, ImageNode)}
_RESOURCE_KINDS: Final[dict[str, type[BaseNode]]] = {kind.class_name(): kind for kind in (Node, Document)}


def records_of(nodes: Sequence[BaseNode], *, flat: bool) -> dict[str, Any]:
    """The nodes as the columns that `Collection.add` takes; of nodes with the same id the last one.

    Raises InvalidArgumentError for a node without embedding and, with ``flat``, for metadata that is a list or a dict.
    """
    distinct = list({node.node_id: node for node in nodes}.values())
    return {
        "ids": [node.node_id for node in distinct],
        "embeddings": [_embedding_of(node) for node in distinct],
        "documents": [node.get_content(metadata_mode=MetadataMode.NONE) for node in distinct],
        "metadatas": [_metadata_of(node, flat=flat) for node in distinct],
    }


def nodes_of(
    ids: Iterable[str],
    documents: Iterable[str | None],
    metadatas: Iterable[dict[str, Any] | None],
    embeddings: Iterable[Any] | None = None,
) -> list[BaseNode]:
    """The nodes of these records, with their embeddings where there are any."""
    nodes = [node_of(*record) for record in zip(ids, documents, metadatas, strict=True)]
    if embeddings is not None:
        for node, embedding in zip(nodes, embeddings, strict=True):
            node.embedding = embedding.tolist()
    return nodes


def node_of(id: str, document: str | None, metadata: dict[str, Any] | None) -> BaseNode:
    """The node that was stored so. A record that holds none, as of a plain client, is a TextNode of its document."""
    metadata = metadata or {}
    content = metadata.get(_CONTENT)
    if isinstance(content, str):
        try:
            return _restored(json.loads(content), metadata.get(_TYPE), document)
        except (ValueError, TypeError, AttributeError):
            # What can't be read back must not take the other results of a query with it.
            pass
    elif "node_info" in metadata:
        return _of_early_layout(id, document, metadata)
    return TextNode(id_=id, text=document or "", metadata=metadata)


def _restored(data: dict[str, Any], type_name: Any, document: str | None) -> BaseNode:
    if type_name in _RESOURCE_KINDS:
        data.pop("text", None)
        return _RESOURCE_KINDS[type_name].from_dict(data, text_resource={"text": document or ""})
    return _KINDS.get(type_name, TextNode).from_dict(data, text=document or "")


def _of_early_layout(id: str, document: str | None, metadata: dict[str, Any]) -> TextNode:
    """A node as llama-index stored it until 2023: relationships and offsets in metadata of their own."""
    try:
        own, info, relationships = legacy_metadata_dict_to_node(metadata)
        return TextNode(
            id_=id,
            text=document or "",
            metadata=own,
            relationships=relationships,
            start_char_idx=info.get("start"),
            end_char_idx=info.get("end"),
        )
    except (ValueError, TypeError, AttributeError):
        return TextNode(id_=id, text=document or "", metadata=metadata)


def _embedding_of(node: BaseNode) -> list[float]:
    if node.embedding is None:
        raise InvalidArgumentError(
            f"Node {node.node_id!r} has no embedding. Add nodes through a VectorStoreIndex or an IngestionPipeline "
            "with an embed_model, or set node.embedding."
        )
    return node.embedding


def _metadata_of(node: BaseNode, *, flat: bool) -> dict[str, Any]:
    # The copy is shallow; without the embedding, which is not stored in it anyway, it is quicker to write.
    bare = node.model_copy(update={"embedding": None})
    try:
        metadata = node_to_metadata_dict(bare, remove_text=True, flat_metadata=flat)
    except ValueError as error:
        raise InvalidArgumentError(f"Node {node.node_id!r} can't be stored: {error}") from error
    return {key: _to_filter_by(value) for key, value in metadata.items() if _is_key(key)}


def _to_filter_by(value: Any) -> Any:
    """An empty list is None here: filters of LlamaIndex treat them alike, and only None can be asked for."""
    return None if value == [] else value


def _is_key(key: str) -> bool:
    """Other keys can't be filtered by, so they only stand in the content of the node."""
    return key != "" and key[0] not in "#$" and key != "chroma:document"
