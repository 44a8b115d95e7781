"""One side of `adapters.py`: our adapters, or the official ones over chromadb.

    python adapter_side.py ours|official TEXTS.json VECTORS.npy

The texts are those of the records and then those of the queries; the vectors belong to them. Each line of its input
names a framework and what to measure, as JSON, and is answered with microseconds an operation, through the adapter and
through the plain client underneath.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

os.environ["ANONYMIZED_TELEMETRY"] = "False"
OURS = sys.argv[1:2] == ["ours"]
BATCH = 5_000
"""chromadb takes 5,461 records in a call, and its adapters for LangChain and LlamaIndex do not split."""
TASKS = 32
K = 4
SPACE = {"hnsw": {"space": "cosine"}}
PLAIN_COLUMNS = ["metadatas", "documents", "distances"]


class Corpus:
    """Texts, their vectors, and the metadata of each: a tenth of the records has the source that queries ask for."""

    def __init__(self, texts: Path, vectors: Path) -> None:
        told = json.loads(texts.read_text())
        self.texts: list[str] = told["records"]
        self.queries: list[str] = told["queries"]
        matrix = np.load(vectors)
        self.vectors: list[list[float]] = matrix.tolist()
        self.by_text = dict(zip(self.texts + self.queries, self.vectors, strict=True))
        self.asked = self.vectors[len(self.texts) :]
        self.ids = [f"record-{number}" for number in range(len(self.texts))]
        self.metadatas = [{"source": f"source-{number % 10}", "page": number} for number in range(len(self.texts))]

    def batches(self) -> Iterator[slice]:
        for start in range(0, len(self.ids), BATCH):
            yield slice(start, min(start + BATCH, len(self.ids)))


class Framework:
    """A store of a framework and the collection under it."""

    collection: Any

    def __init__(self, corpus: Corpus, client: Any, name: str) -> None:
        """Makes an empty one."""
        self.corpus = corpus
        self.make(client, name)

    def make(self, client: Any, name: str) -> None:
        self.collection = client.create_collection(name, embedding_function=None, configuration=SPACE)

    def prepared(self) -> list[Any]:
        """The records as the framework has them."""
        raise NotImplementedError

    def add(self, records: Sequence[Any]) -> None:
        raise NotImplementedError

    def search(self, number: int, *, filtered: bool = False, mmr: bool = False) -> Any:
        """Ask the query of that number."""
        raise NotImplementedError

    async def asearch(self, number: int) -> Any:
        raise NotImplementedError


class LangChain(Framework):
    def make(self, client: Any, name: str) -> None:
        from langchain_core.embeddings import Embeddings

        table = self.corpus.by_text

        class Known(Embeddings):
            """No model: the vectors are there."""

            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return [table[text] for text in texts]

            def embed_query(self, text: str) -> list[float]:
                return table[text]

            async def aembed_query(self, text: str) -> list[float]:
                return table[text]

        super().make(client, name)
        if OURS:
            from chroma_plugin_langchain import ChromaPluginVectorStore as Store
        else:
            from langchain_chroma import Chroma as Store
        self.store = Store(name, Known(), client=client)

    def prepared(self) -> list[Any]:
        from langchain_core.documents import Document

        corpus = self.corpus
        rows = zip(corpus.ids, corpus.texts, corpus.metadatas, strict=True)
        return [Document(id=id, page_content=text, metadata=metadata) for id, text, metadata in rows]

    def add(self, records: Sequence[Any]) -> None:
        self.store.add_documents(list(records), ids=[record.id for record in records])

    def search(self, number: int, *, filtered: bool = False, mmr: bool = False) -> Any:
        options: dict[str, Any] = {"filter": {"source": "source-3"}} if filtered else {}
        search = self.store.max_marginal_relevance_search if mmr else self.store.similarity_search
        return search(self.corpus.queries[number], k=K, **options)

    async def asearch(self, number: int) -> Any:
        return await self.store.asimilarity_search(self.corpus.queries[number], k=K)


class LlamaIndex(Framework):
    def make(self, client: Any, name: str) -> None:
        super().make(client, name)
        if OURS:
            from chroma_plugin_llamaindex import ChromaPluginVectorStore as Store
        else:
            from llama_index.vector_stores.chroma import ChromaVectorStore as Store
        self.store = Store(chroma_collection=self.collection)

    def prepared(self) -> list[Any]:
        from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

        corpus = self.corpus
        return [
            TextNode(
                id_=id,
                text=text,
                metadata=metadata,
                embedding=vector,
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"file-{metadata['page'] // 10}")},
            )
            for id, text, metadata, vector in zip(
                corpus.ids, corpus.texts, corpus.metadatas, corpus.vectors, strict=False
            )
        ]

    def add(self, records: Sequence[Any]) -> None:
        self.store.add(list(records))

    def search(self, number: int, *, filtered: bool = False, mmr: bool = False) -> Any:
        return self.store.query(self._query(number, filtered, mmr))

    async def asearch(self, number: int) -> Any:
        return await self.store.aquery(self._query(number, False, False))

    def _query(self, number: int, filtered: bool, mmr: bool) -> Any:
        from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, VectorStoreQuery
        from llama_index.core.vector_stores.types import VectorStoreQueryMode

        return VectorStoreQuery(
            query_embedding=self.corpus.asked[number],
            similarity_top_k=K,
            mode=VectorStoreQueryMode.MMR if mmr else VectorStoreQueryMode.DEFAULT,
            filters=MetadataFilters(filters=[MetadataFilter(key="source", value="source-3")]) if filtered else None,
        )


class Haystack(Framework):
    def make(self, client: Any, name: str) -> None:
        if OURS:
            from chroma_plugin_haystack import ChromaPluginDocumentStore, ChromaPluginEmbeddingRetriever

            super().make(client, name)
            self.store: Any = ChromaPluginDocumentStore(collection=self.collection)
            self.retriever: Any = ChromaPluginEmbeddingRetriever(self.store, top_k=K)
        else:
            from haystack_integrations.components.retrievers.chroma import ChromaEmbeddingRetriever
            from haystack_integrations.document_stores.chroma import ChromaDocumentStore

            self.store = ChromaDocumentStore(name, distance_function="cosine")
            self.store.count_documents()  # opens it
            self.collection = self.store._collection
            self.retriever = ChromaEmbeddingRetriever(self.store, top_k=K)

    def prepared(self) -> list[Any]:
        from haystack import Document

        corpus = self.corpus
        rows = zip(corpus.ids, corpus.texts, corpus.metadatas, corpus.vectors, strict=False)
        return [Document(id=id, content=text, meta=meta, embedding=vector) for id, text, meta, vector in rows]

    def add(self, records: Sequence[Any]) -> None:
        from haystack.document_stores.types import DuplicatePolicy

        self.store.write_documents(list(records), policy=DuplicatePolicy.OVERWRITE)

    def search(self, number: int, *, filtered: bool = False, mmr: bool = False) -> Any:
        if mmr:
            raise NotImplementedError("Haystack has no search by MMR in its stores.")
        wanted = {"field": "meta.source", "operator": "==", "value": "source-3"} if filtered else None
        return self.retriever.run(query_embedding=self.corpus.asked[number], filters=wanted)["documents"]

    async def asearch(self, number: int) -> Any:
        return (await self.retriever.run_async(query_embedding=self.corpus.asked[number]))["documents"]


FRAMEWORKS: dict[str, type[Framework]] = {"LangChain": LangChain, "LlamaIndex": LlamaIndex, "Haystack": Haystack}


class Side:
    """The stores that queries are asked of are filled when they are first needed."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.client = _client()
        self.filled: dict[str, Framework] = {}
        self.prepared: dict[str, list[Any]] = {}
        self.names = (f"made-{number}" for number in range(1_000_000))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        kind = FRAMEWORKS[request["framework"]]
        if request["work"] == "add":
            return self._adding(kind)
        framework = self._filled(kind)
        count = len(self.corpus.queries)
        if request["work"] == "32 tasks":
            return {"us": _us(lambda: asyncio.run(_tasks(framework, count))) / count}
        options = {"filtered": request["work"] == "filter", "mmr": request["work"] == "MMR"}
        framework.search(0, **options)
        pairs = [
            (
                _us(lambda number=number: framework.search(number, **options)),
                _us(lambda number=number: _plain_query(framework, number, **options)),
            )
            for number in range(count)
        ]
        return {
            "us": statistics.median(adapter for adapter, _ in pairs),
            "plain_us": statistics.median(plain for _, plain in pairs),
            "overhead_us": statistics.median(adapter - plain for adapter, plain in pairs),
        }

    def _adding(self, kind: type[Framework]) -> dict[str, Any]:
        framework = kind(self.corpus, self.client, next(self.names))
        adapter = self._add(framework)
        self._drop(framework)
        beside = LangChain if kind is Haystack and not OURS else kind  # its store makes collections in its own way
        framework = beside(self.corpus, self.client, next(self.names))
        plain = _us(lambda: [_plain_add(framework, part) for part in self.corpus.batches()])
        self._drop(framework)
        count = len(self.corpus.ids)
        return {"us": adapter / count, "plain_us": plain / count, "overhead_us": (adapter - plain) / count}

    def _add(self, framework: Framework) -> float:
        name = type(framework).__name__
        if name not in self.prepared:
            self.prepared[name] = framework.prepared()
        records = self.prepared[name]
        return _us(lambda: [framework.add(records[part]) for part in self.corpus.batches()])

    def _drop(self, framework: Framework) -> None:
        count = framework.collection.count()
        if count != len(self.corpus.ids):
            raise RuntimeError(f"{count} records instead of {len(self.corpus.ids)}")
        self.client.delete_collection(framework.collection.name)

    def _filled(self, kind: type[Framework]) -> Framework:
        if kind.__name__ not in self.filled:
            framework = kind(self.corpus, self.client, f"filled-{kind.__name__}")
            self._add(framework)
            self.filled[kind.__name__] = framework
        return self.filled[kind.__name__]


def _client() -> Any:
    """In memory."""
    if OURS:
        import chroma_plugin

        return chroma_plugin.Client()
    import chromadb

    return chromadb.EphemeralClient()


async def _tasks(framework: Framework, count: int) -> None:
    async def task(first: int) -> None:
        for number in range(first, count, TASKS):
            await framework.asearch(number)

    await asyncio.gather(*(task(first) for first in range(TASKS)))


def _plain_add(framework: Framework, part: slice) -> None:
    corpus = framework.corpus
    framework.collection.upsert(
        ids=corpus.ids[part],
        embeddings=corpus.vectors[part],
        documents=corpus.texts[part],
        metadatas=corpus.metadatas[part],
    )


def _plain_query(framework: Framework, number: int, *, filtered: bool, mmr: bool) -> None:
    framework.collection.query(
        query_embeddings=[framework.corpus.asked[number]],
        n_results=20 if mmr else K,
        where={"source": "source-3"} if filtered else None,
        include=[*PLAIN_COLUMNS, "embeddings"] if mmr else PLAIN_COLUMNS,
    )


def _us(work: Callable[[], Any]) -> float:
    """Microseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def main() -> None:
    side = Side(Corpus(Path(sys.argv[2]), Path(sys.argv[3])))
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    for line in sys.stdin:
        try:
            answer = side.answer(json.loads(line))
        except Exception as error:  # of a framework, and part of the comparison
            answer = {"impossible": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
