"""Prints, as JSON, what LangChain's and LlamaIndex's Chroma stores answer over HTTP.

Usage: ``framework_adapters.py HOST PORT``. Both are the packages that people have installed (langchain-chroma,
llama-index-vector-stores-chroma), on chromadb's own HttpClient. The same program is run against our server and against
``chroma run``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import chromadb
from chromadb.api import ClientAPI
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, VectorStoreQuery
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, VectorStoreQueryMode
from llama_index.vector_stores.chroma import ChromaVectorStore

TEXTS = ["the old oak", "a birch in winter", "basil and thyme", "a bowl of mint"]
METADATAS = [{"kind": "tree", "height": 12}, {"kind": "tree", "height": 3}, {"kind": "herb", "height": 0}, {}]
IDS = ["oak", "birch", "basil", "mint"]


class Letters(Embeddings):
    """How often each of a few letters is in the text."""

    def embed_query(self, text: str) -> list[float]:
        return [float(text.count(letter)) + 0.25 for letter in "abiotw"]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def shown(documents: list[Document]) -> list[Any]:
    return [[each.id, each.page_content, each.metadata] for each in documents]


def attempt(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except Exception as error:
        return {"raises": type(error).__name__}


def langchain(client: ClientAPI) -> dict[str, Any]:
    store = Chroma(
        collection_name="langchain",
        embedding_function=Letters(),
        client=client,
        collection_metadata={"hnsw:space": "cosine"},
    )
    answers: dict[str, Any] = {"added": store.add_texts(TEXTS, METADATAS, ids=IDS)}
    scored = store.similarity_search_with_score("oak wood", k=2)
    answers["scored"] = [[document.id, round(score, 4)] for document, score in scored]
    relevant = store.similarity_search_with_relevance_scores("oak wood", k=1)
    answers["relevance"] = [[document.id, round(score, 4)] for document, score in relevant]
    answers["filtered"] = shown(store.similarity_search("winter", k=4, filter={"kind": "tree"}))
    answers["comparing"] = shown(store.similarity_search("winter", k=4, filter={"height": {"$lt": 5}}))
    contains = {"$contains": "thyme"}
    answers["containing"] = shown(store.similarity_search("winter", k=4, where_document=contains))
    answers["diverse"] = [each.id for each in store.max_marginal_relevance_search("a tree", k=3, fetch_k=4)]
    answers["retrieved"] = [each.id for each in store.as_retriever(search_kwargs={"k": 2}).invoke("mint")]
    answers["by id"] = shown(store.get_by_ids(["basil", "nothing"]))
    store.update_document("basil", Document(page_content="sage", metadata={"kind": "herb", "dried": True}))
    answers["updated"] = shown(store.get_by_ids(["basil"]))
    store.delete(ids=["oak"])
    answers["left"] = store.get()["ids"]
    more = Chroma.from_documents(
        [Document(page_content=text, id=id) for text, id in zip(TEXTS, IDS, strict=True)],
        Letters(),
        client=client,
        collection_name="from-documents",
    )
    answers["from documents"] = sorted(more.get()["ids"])
    store.reset_collection()
    answers["reset"] = store.get()["ids"]
    store.delete_collection()
    answers["deleted"] = attempt(client.get_collection, "langchain")
    return answers


def node(number: int) -> TextNode:
    """A node of one of two source documents."""
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document-{number % 2}")}
    return TextNode(
        id_=IDS[number],
        text=TEXTS[number],
        metadata=METADATAS[number],
        embedding=Letters().embed_query(TEXTS[number]),
        relationships=source,
    )


def where(*conditions: tuple[str, FilterOperator, Any], condition: FilterCondition = FilterCondition.AND) -> Any:
    filters = [MetadataFilter(key=key, operator=operator, value=value) for key, operator, value in conditions]
    return MetadataFilters(filters=filters, condition=condition)


def llama_index(client: ClientAPI) -> dict[str, Any]:
    store = ChromaVectorStore.from_collection(client.get_or_create_collection("llama"))
    answers: dict[str, Any] = {"added": store.add([node(number) for number in range(4)])}

    def ask(text: str, **options: Any) -> Any:
        query = VectorStoreQuery(query_embedding=Letters().embed_query(text), similarity_top_k=3, **options)
        found = store.query(query)
        assert found.nodes is not None
        return [[each.node_id, each.get_content(), each.metadata] for each in found.nodes]

    tree = ("kind", FilterOperator.EQ, "tree")
    answers["nearest"] = ask("oak wood")
    answers["filtered"] = ask("oak wood", filters=where(tree, ("height", FilterOperator.GT, 5)))
    answers["either"] = ask("oak", filters=where(tree, ("height", FilterOperator.EQ, 0), condition=FilterCondition.OR))
    answers["in"] = ask("oak wood", filters=where(("kind", FilterOperator.IN, ["herb", "bush"])))
    answers["diverse"] = ask("oak wood", mode=VectorStoreQueryMode.MMR)
    answers["nodes"] = sorted(each.node_id for each in store.get_nodes(["oak", "mint"]))
    store.delete("document-0")
    answers["a document deleted"] = sorted(each.node_id for each in store.get_nodes(None))
    store.delete_nodes(["birch"])
    answers["a node deleted"] = sorted(each.node_id for each in store.get_nodes(None))
    store.clear()
    answers["cleared"] = client.get_collection("llama").count()
    return answers


def main(host: str, port: int) -> None:
    client = chromadb.HttpClient(host=host, port=port)
    print(json.dumps({"langchain": langchain(client), "llama_index": llama_index(client)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
