"""What LangChain does with a vector store: indexing, example selectors, the retrievers of langchain-classic, chains."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginEmbeddings, ChromaPluginVectorStore
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.documents import Document
from langchain_core.example_selectors import MaxMarginalRelevanceExampleSelector, SemanticSimilarityExampleSelector
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.stores import InMemoryStore
from langchain_core.tools import create_retriever_tool

import chroma_plugin as chromadb

Store = ChromaPluginVectorStore

FACTS = [
    ("glacier", "A glacier is a persistent body of dense ice that moves downhill under its own weight."),
    ("sourdough", "Sourdough bread rises by wild yeast and lactic bacteria that live in a fermented dough."),
    ("photosynthesis", "Plants turn sunlight, water and carbon dioxide into sugar and oxygen."),
    ("tcp", "TCP delivers a stream of bytes in order and sends lost packets again."),
    ("tides", "The oceans rise and fall twice a day because the Moon pulls on the water."),
    ("vaccines", "A vaccine trains the immune system to recognise a germ without causing the disease."),
]


def facts() -> list[Document]:
    return [Document(text, metadata={"source": source}) for source, text in FACTS]


# -- indexing ----------------------------------------------------------------------------------------------------------


def test_index_twice_adds_nothing_twice(store: Store) -> None:
    """With a record manager; what is gone from the source is deleted, what changed is replaced."""
    manager = InMemoryRecordManager("facts")
    manager.create_schema()

    def run(documents: list[Document], **options: Any) -> dict[str, Any]:
        options = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"} | options
        return dict(index(documents, manager, store, **options))

    assert run(facts(), batch_size=4) == {"num_added": 6, "num_updated": 0, "num_skipped": 0, "num_deleted": 0}
    assert run(facts()) == {"num_added": 0, "num_updated": 0, "num_skipped": 6, "num_deleted": 0}
    assert run(facts(), force_update=True)["num_updated"] == 6
    changed = [*facts()[:4], Document("1,1 other", metadata={"source": "tides"})]
    assert run(changed) == {"num_added": 1, "num_updated": 0, "num_skipped": 4, "num_deleted": 2}
    assert sorted(m["source"] for m in store.get()["metadatas"]) == sorted(
        ["glacier", "sourdough", "photosynthesis", "tcp", "tides"]
    )
    assert run([], cleanup="full")["num_deleted"] == 5
    assert store.get()["ids"] == []


async def test_aindex(store: Store) -> None:
    """The same in async code, incrementally."""
    manager = InMemoryRecordManager("facts")
    await manager.acreate_schema()
    options: dict[str, Any] = {"cleanup": "incremental", "source_id_key": "source", "key_encoder": "sha256"}

    assert (await aindex(facts(), manager, store, **options))["num_added"] == 6
    again = await aindex([Document("1,1 new", metadata={"source": "tcp"})], manager, store, **options)

    assert again == {"num_added": 1, "num_updated": 0, "num_skipped": 0, "num_deleted": 1}
    assert (await store.aget(where={"source": "tcp"}))["documents"] == ["1,1 new"]


# -- example selectors -------------------------------------------------------------------------------------------------

EXAMPLES = [{"input": "1,0", "output": "east"}, {"input": "0,1", "output": "north"}, {"input": "1,0.1", "output": "e"}]


async def test_example_selectors(compass: Any, client: chromadb.Client, name: str) -> None:
    """They make a store from texts by its class, sync and async; each has its own unless a client is given."""
    compass.embed_documents = lambda texts: [[float(part) for part in text.split()[0].split(",")] for text in texts]
    nearest = SemanticSimilarityExampleSelector.from_examples(
        EXAMPLES, compass, Store, k=1, input_keys=["input"], client=client, collection_name=name
    )
    diverse = await MaxMarginalRelevanceExampleSelector.afrom_examples(
        EXAMPLES, compass, Store, k=2, fetch_k=3, input_keys=["input"]
    )

    assert nearest.select_examples({"input": "0,2"}) == [EXAMPLES[1]]
    nearest.add_example({"input": "0,2", "output": "far north"})
    assert nearest.select_examples({"input": "0,2"})[0]["output"] == "far north"
    assert len(await diverse.aselect_examples({"input": "1,0"})) == 2
    assert len(diverse.vectorstore.get()["ids"]) == 3


# -- langchain-classic -------------------------------------------------------------------------------------------------


def classic(path: str) -> Any:
    """A name out of langchain-classic, which warns when it is imported under some versions of Python."""
    pytest.importorskip("langchain_classic")
    module, _, attribute = path.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(__import__(f"langchain_classic.{module}", fromlist=[attribute]), attribute)


async def test_parent_documents(store: Store) -> None:
    """Chunks are searched, whole documents come back; search_kwargs and ids arrive."""
    from langchain_text_splitters import CharacterTextSplitter

    retriever = classic("retrievers:ParentDocumentRetriever")(
        vectorstore=store,
        docstore=InMemoryStore(),
        child_splitter=CharacterTextSplitter(separator="|", chunk_size=4, chunk_overlap=0),
        search_kwargs={"k": 1},
    )
    retriever.add_documents([Document("1,0|2,0|3,0"), Document("0,1|0,2|0,3")], ids=["east", "north"])

    assert [d.page_content for d in retriever.invoke("0,9")] == ["0,1|0,2|0,3"]
    assert [d.page_content for d in await retriever.ainvoke("9,0")] == ["1,0|2,0|3,0"]


def test_several_vectors_for_a_document(store: Store) -> None:
    """MultiVectorRetriever with each of its search types."""
    store.add_documents([Document("1,0", metadata={"doc_id": "whole"}), Document("0,1", metadata={"doc_id": "other"})])
    documents: InMemoryStore = InMemoryStore()
    documents.mset([("whole", Document("whole")), ("other", Document("other"))])
    for kind in classic("retrievers.multi_vector:SearchType"):
        retriever = classic("retrievers:MultiVectorRetriever")(
            vectorstore=store,
            docstore=documents,
            search_type=kind,
            search_kwargs={"k": 2, **({"score_threshold": 0.5} if kind.value.endswith("threshold") else {})},
        )

        assert retriever.invoke("1,0")[0].page_content == "whole"


async def test_memory_that_fades(store: Store) -> None:
    """TimeWeightedVectorStoreRetriever puts datetimes into metadata and passes the time on."""
    retriever = classic("retrievers:TimeWeightedVectorStoreRetriever")(vectorstore=store, k=1, decay_rate=0.5)
    yesterday = datetime.now() - timedelta(days=1)
    retriever.add_documents([Document("1,0 old", metadata={"last_accessed_at": yesterday})])
    retriever.add_documents([Document("1,0 new")], current_time=datetime.now())

    assert [d.page_content for d in retriever.invoke("1,0")] == ["1,0 new"]
    assert [d.page_content for d in await retriever.ainvoke("1,0")] == ["1,0 new"]
    stored = store.get(where={"last_accessed_at": {"$lt": datetime.now() - timedelta(hours=12)}})
    assert stored["documents"] == ["1,0 old"]
    assert isinstance(stored["metadatas"][0]["last_accessed_at"], datetime)


def test_an_ensemble(store: Store) -> None:
    """EnsembleRetriever over two of our search types."""
    store.add_texts(["1,0 apple", "0,1 pear"], ids=["a", "b"])
    ensemble = classic("retrievers:EnsembleRetriever")(
        retrievers=[store.as_retriever(), store.as_retriever(search_type="text")], weights=[0.2, 0.8]
    )

    assert ensemble.invoke("1,0 pear")[0].id == "b"


# -- chains ------------------------------------------------------------------------------------------------------------


class Quoter(BaseChatModel):
    """A chat model that answers with the first line of the context it was given."""

    @property
    def _llm_type(self) -> str:
        return "quoter"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        context = str(messages[-1].content).split("Context:\n")[1].splitlines()[0]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=f"It says: {context}"))])


def joined(documents: list[Document]) -> str:
    return "\n".join(document.page_content for document in documents)


def chain(retriever: Any) -> Any:
    prompt = ChatPromptTemplate.from_template("Answer: {question}\nContext:\n{context}")
    return {"context": retriever | joined, "question": RunnablePassthrough()} | prompt | Quoter() | StrOutputParser()


QUESTIONS = {
    "How do baked goods get their bubbles?": "sourdough",
    "Why does the sea come and go on the beach?": "tides",
    "What makes sure that data arrives on the internet?": "tcp",
    "How can I protect myself from an infection?": "vaccines",
}


async def test_a_chain_with_the_default_embeddings(tmp_path: Any) -> None:
    """Question, retrieval by meaning, prompt, answer, sync and async, from a file; no question names what its answer is
    about.
    """
    with chromadb.PersistentClient(tmp_path) as client:
        store = client.create_collection("facts").adapt("langchain")
        store.add_documents(facts())
        answering = chain(store.as_retriever(search_kwargs={"k": 2}))
        hybrid = chain(store.as_retriever(search_type="hybrid", search_kwargs={"k": 2, "alpha": 0.8}))
        texts = dict(FACTS)

        for question, source in QUESTIONS.items():
            assert answering.invoke(question) == f"It says: {texts[source]}"
            assert await answering.ainvoke(question) == f"It says: {texts[source]}"
        assert hybrid.invoke("lactic bacteria") == f"It says: {texts['sourdough']}"
        assert answering.batch(list(QUESTIONS))[1] == f"It says: {texts['tides']}"


def test_a_retriever_is_a_tool(client: chromadb.Client, name: str) -> None:
    """For agents."""
    store = Store(name, ChromaPluginEmbeddings("hashing"), client=client)
    store.add_documents(facts())
    tool = create_retriever_tool(store.as_retriever(search_kwargs={"k": 1}), "facts", "Looks up facts.")

    assert "glacier" in tool.invoke({"query": "What is a glacier?"})


def test_what_mem0_calls(store: Store) -> None:
    """Its LangChain provider: vectors with payloads, relevance where higher is better, _collection.get, deleting."""
    store.add_embeddings(
        embeddings=[[1, 0], [0, 1]], metadatas=[{"data": "a", "user_id": "u"}, {"data": "b"}], ids=["a", "b"]
    )

    best = store.similarity_search_by_vector_with_relevance_scores(embedding=[1, 0], k=2, filter=None)
    assert [document.id for document, _ in best] == ["a", "b"]
    assert best[0][1] > best[1][1]
    assert store.similarity_search_by_vector(embedding=[1, 0], k=1, filter={"user_id": "u"})[0].metadata["data"] == "a"
    assert store._collection.get(where={"user_id": "u"}, limit=5)["ids"] == ["a"]
    store.delete(ids=["a"])
    store.delete_collection()
