"""What LlamaIndex builds on a vector store works on this one, offline, with real text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_llamaindex import ChromaPluginEmbedding, ChromaPluginVectorStore
from llama_index.core import Document, PropertyGraphIndex, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.graph_stores import SimplePropertyGraphStore
from llama_index.core.graph_stores.types import KG_NODES_KEY, KG_RELATIONS_KEY, EntityNode, Relation
from llama_index.core.indices.property_graph import VectorContextRetriever
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms import ChatMessage, CompletionResponse, CustomLLM, LLMMetadata, MockLLM
from llama_index.core.memory import VectorMemory, VectorMemoryBlock
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever, VectorIndexAutoRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import BaseNode, IndexNode, TextNode, TransformComponent
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, MetadataInfo, VectorStoreInfo

from chroma_plugin.embedding_functions import HashingEmbeddingFunction

TEXTS = {
    "moon": "The Moon is a ball of rock. It moves around the Earth once a month. Tides follow the Moon.",
    "bread": "Bread is baked of flour, water and salt. A sourdough needs a day. Bakers rise early.",
    "bees": "Bees gather nectar from flowers. They dance to tell where flowers are. Honey keeps for years.",
    "trains": "Trains run on rails of steel. A signal tells the driver to stop. Bridges carry rails over rivers.",
}
YEARS = {"moon": 1969, "bread": 1850, "bees": 1950, "trains": 1830}


@pytest.fixture(scope="module")
def embed_model() -> ChromaPluginEmbedding:
    return ChromaPluginEmbedding(HashingEmbeddingFunction(256))


def documents() -> list[Document]:
    return [
        Document(id_=id, text=text, metadata={"topic": id, "year": YEARS[id]}, excluded_embed_metadata_keys=["year"])
        for id, text in TEXTS.items()
    ]


def splitter() -> SentenceSplitter:
    # Ids of their own: an entity's text, and so its embedding, holds the id of the node it was found in.
    return SentenceSplitter(chunk_size=64, chunk_overlap=0, id_func=lambda number, node: f"{node.node_id}-{number}")


@pytest.fixture
def index(store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding) -> VectorStoreIndex:
    return VectorStoreIndex.from_documents(
        documents(),
        storage_context=StorageContext.from_defaults(vector_store=store),
        transformations=[splitter()],
        embed_model=embed_model,
    )


def texts_in(store: ChromaPluginVectorStore) -> list[str]:
    return [node.get_content() for node in store.get_nodes()]


class TestVectorStoreIndex:
    """The index itself, with what people do with it."""

    def test_retrieves(self, index: VectorStoreIndex) -> None:
        """The nodes of the right text, with their metadata and a score."""
        found = index.as_retriever(similarity_top_k=2).retrieve("Where do bees find nectar?")

        assert found[0].metadata["topic"] == "bees"
        assert found[0].node.ref_doc_id == "bees"
        assert 1 >= found[0].get_score() > found[1].get_score()

    @pytest.mark.parametrize("mode", ["default", "mmr", "text_search", "sparse", "hybrid", "semantic_hybrid"])
    async def test_modes_and_filters(self, index: VectorStoreIndex, mode: str) -> None:
        """Every mode by its name, blocking and awaited, with a filter and with doc_ids."""
        old = MetadataFilters(filters=[MetadataFilter(key="year", value=1900, operator="<")])  # type: ignore[arg-type]
        for restriction in ({"filters": old}, {"doc_ids": ["bread", "trains"]}):
            retriever = index.as_retriever(vector_store_query_mode=mode, similarity_top_k=9, **restriction)

            blocking = retriever.retrieve("rails, bees and flour")
            awaited = await retriever.aretrieve("rails, bees and flour")

            assert {hit.metadata["topic"] for hit in blocking} == {"bread", "trains"}
            assert [hit.node_id for hit in awaited] == [hit.node_id for hit in blocking]

    def test_keywords_reach_the_store(self, index: VectorStoreIndex) -> None:
        """``vector_store_kwargs`` of a retriever."""
        kwargs = {"mmr_threshold": 0.1, "where_document": {"$contains": "Moon"}}
        retriever = index.as_retriever(vector_store_query_mode="mmr", vector_store_kwargs=kwargs, similarity_top_k=9)

        assert {hit.metadata["topic"] for hit in retriever.retrieve("the sky")} == {"moon"}

    def test_answers(self, index: VectorStoreIndex) -> None:
        """A query engine puts the text that it found before the language model."""
        answer = index.as_query_engine(llm=MockLLM(), similarity_top_k=1).query("What does sourdough need?")

        # MockLLM answers with its prompt.
        assert "A sourdough needs a day." in str(answer)
        assert answer.source_nodes[0].metadata["topic"] == "bread"

    def test_documents_come_and_go(self, index: VectorStoreIndex, store: ChromaPluginVectorStore) -> None:
        """insert, update_ref_doc and delete_ref_doc change exactly the nodes of that document."""
        count = len(store.get_nodes())

        index.insert(Document(id_="new", text="A comet has a tail."))
        assert len(store.get_nodes()) == count + 1
        index.update_ref_doc(Document(id_="new", text="A comet has two tails."))
        assert [text for text in texts_in(store) if "comet" in text] == ["A comet has two tails."]
        index.delete_ref_doc("new")
        assert len(store.get_nodes()) == count

    async def test_built_and_filled_in_an_event_loop(
        self, store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding
    ) -> None:
        """From an existing store, with awaited insertions and deletions."""
        index = VectorStoreIndex.from_vector_store(store, embed_model=embed_model)

        await index.ainsert_nodes([TextNode(id_=id, text=text) for id, text in TEXTS.items()])
        await index.adelete_nodes(["bread"])

        assert sorted(node.node_id for node in await store.aget_nodes()) == ["bees", "moon", "trains"]
        answer = await index.as_query_engine(llm=MockLLM(), similarity_top_k=1).aquery("What carries rails?")
        assert answer.source_nodes[0].node_id == "trains"

    def test_persisted_and_loaded(
        self, tmp_path: Path, store: ChromaPluginVectorStore, index: VectorStoreIndex, embed_model: Any
    ) -> None:
        """The storage context keeps what is its own; the nodes are in the store already."""
        index.storage_context.persist(str(tmp_path))

        context = StorageContext.from_defaults(persist_dir=str(tmp_path), vector_store=store)
        loaded = load_index_from_storage(context, embed_model=embed_model)

        assert loaded.as_retriever(similarity_top_k=1).retrieve("honey of bees")[0].metadata["topic"] == "bees"

    def test_index_nodes_restrict_what_an_index_finds(
        self, store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding
    ) -> None:
        """An index that holds index nodes asks for those alone (LlamaIndex passes their ids); from_vector_store asks
        for all.
        """
        nodes = [TextNode(id_="text", text="honey"), IndexNode(id_="table", text="honey table", index_id="prices")]
        context = StorageContext.from_defaults(vector_store=store)
        built = VectorStoreIndex(nodes, storage_context=context, embed_model=embed_model)
        opened = VectorStoreIndex.from_vector_store(store, embed_model=embed_model)

        assert [hit.node_id for hit in built.as_retriever(similarity_top_k=2).retrieve("honey")] == ["table"]
        assert [hit.node_id for hit in opened.as_retriever(similarity_top_k=2).retrieve("honey")] == ["text", "table"]


class TestIngestionPipeline:
    """Documents that are ingested again are no duplicates, and changed ones replace what they were."""

    def pipeline(self, store: ChromaPluginVectorStore, embed_model: Any, **kwargs: Any) -> IngestionPipeline:
        kwargs = {"transformations": [splitter(), embed_model], "docstore": SimpleDocumentStore(), **kwargs}
        return IngestionPipeline(vector_store=store, **kwargs)

    def test_documents(self, store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding) -> None:
        """Twice the same: nothing happens. One changed: its nodes are replaced."""
        pipeline = self.pipeline(store, embed_model)
        pipeline.run(documents=documents())
        before = texts_in(store)
        pipeline.run(documents=documents())
        assert texts_in(store) == before

        changed = documents()
        changed[1].set_content("Bread is bought.")
        pipeline.run(documents=changed)

        of_bread = [node.get_content() for node in store.get_nodes() if node.ref_doc_id == "bread"]
        assert of_bread == ["Bread is bought."]
        assert {node.ref_doc_id for node in store.get_nodes()} == set(TEXTS)

    def test_documents_that_are_gone(self, store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding) -> None:
        """With UPSERTS_AND_DELETE, what is not there any more is deleted."""
        pipeline = self.pipeline(store, embed_model, docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE)
        pipeline.run(documents=documents())
        pipeline.run(documents=documents()[:2])

        assert {node.ref_doc_id for node in store.get_nodes()} == {"moon", "bread"}

    @pytest.mark.parametrize("with_docstore", [True, False])
    def test_bare_nodes(
        self, store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding, with_docstore: bool
    ) -> None:
        """Nodes without a document are their own: those with a known id replace the old ones."""
        docstore = SimpleDocumentStore() if with_docstore else None
        pipeline = self.pipeline(store, embed_model, transformations=[embed_model], docstore=docstore)
        pipeline.run(nodes=[TextNode(id_="n1", text="the first version"), TextNode(id_="n2", text="the same")])
        pipeline.run(nodes=[TextNode(id_="n1", text="the second version"), TextNode(id_="n2", text="the same")])

        assert sorted(texts_in(store)) == ["the same", "the second version"]

    async def test_awaited(self, store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding) -> None:
        """`arun` does the same."""
        pipeline = self.pipeline(store, embed_model)
        for _ in range(2):
            await pipeline.arun(documents=documents())

        assert {node.ref_doc_id for node in await store.aget_nodes()} == set(TEXTS)
        assert len(texts_in(store)) == len(set(texts_in(store)))


class ScriptedLLM(CustomLLM):
    """Answers every prompt with what a language model would write."""

    answer: str

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=self.answer)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("filters", "topics"),
    [
        ([{"key": "year", "value": 1900, "operator": ">"}], {"moon", "bees"}),
        ([{"key": "topic", "value": ["bees", "bread"], "operator": "in"}], {"bees", "bread"}),
        ([{"key": "topic", "value": "B", "operator": "text_match_insensitive"}], {"bees", "bread"}),
        ([{"key": "author", "value": None, "operator": "is_empty"}], set(TEXTS)),
        ([{"key": "year", "value": 1840, "operator": "<="}, {"key": "topic", "value": "bees"}], set()),
        ([], set(TEXTS)),
    ],
)
def test_auto_retriever(index: VectorStoreIndex, filters: list[dict[str, Any]], topics: set[str]) -> None:
    """Whatever operator the language model writes, it is obeyed."""
    answer = json.dumps({"query": "anything", "filters": filters, "top_k": 20})
    retriever = VectorIndexAutoRetriever(
        index,
        vector_store_info=VectorStoreInfo(
            content_info="short texts",
            metadata_info=[
                MetadataInfo(name="topic", type="str", description="what it is about"),
                MetadataInfo(name="year", type="int", description="when"),
            ],
        ),
        llm=ScriptedLLM(answer=answer),
        similarity_top_k=20,
        max_top_k=20,
    )

    assert {hit.metadata["topic"] for hit in retriever.retrieve("anything of that kind")} == topics


@pytest.mark.parametrize("mode", list(FUSION_MODES), ids=lambda mode: mode.name)
def test_query_fusion_retriever(index: VectorStoreIndex, mode: FUSION_MODES) -> None:
    """A retriever by embedding and one by words, fused by LlamaIndex."""
    retriever = QueryFusionRetriever(
        [index.as_retriever(), index.as_retriever(vector_store_query_mode="text_search")],
        llm=MockLLM(),
        mode=mode,
        num_queries=1,
        similarity_top_k=2,
        use_async=False,
    )

    assert retriever.retrieve("honey of bees")[0].metadata["topic"] == "bees"


class Topics(TransformComponent):
    """Finds the topic of each node, and that it is of a year."""

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        for node in nodes:
            topic = EntityNode(
                name=node.metadata["topic"], label="TOPIC", properties={"tags": ["a", None], "none": None}
            )
            year = EntityNode(name=str(node.metadata["year"]), label="YEAR")
            node.metadata[KG_NODES_KEY] = [topic, year]
            node.metadata[KG_RELATIONS_KEY] = [Relation(label="IS_OF", source_id=topic.id, target_id=year.id)]
        return nodes


def test_property_graph_index(store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding) -> None:
    """The graph keeps the embeddings of its entities in the store and finds them there."""
    graph = SimplePropertyGraphStore()
    PropertyGraphIndex.from_documents(
        documents(),
        property_graph_store=graph,
        vector_store=store,
        embed_model=embed_model,
        llm=MockLLM(),
        kg_extractors=[Topics()],
        transformations=[splitter()],
        embed_kg_nodes=True,
        use_async=False,
    )
    assert len(store.get_nodes()) == 8

    retriever = VectorContextRetriever(
        graph, vector_store=store, embed_model=embed_model, include_text=False, similarity_top_k=1
    )
    assert [hit.get_content() for hit in retriever.retrieve("bees")] == ["bees -> IS_OF -> 1950"]


def test_vector_memory(store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding) -> None:
    """It stores lists in metadata, replaces nodes as a conversation grows, and clears."""
    memory = VectorMemory.from_defaults(
        vector_store=store, embed_model=embed_model, retriever_kwargs={"similarity_top_k": 1}
    )
    for number, text in enumerate(TEXTS.values()):
        memory.put(ChatMessage.from_str(text, "user"))
        memory.put(ChatMessage.from_str(f"answer {number}", "assistant"))

    assert [message.content for message in memory.get("nectar and flowers for bees")] == [TEXTS["bees"], "answer 2"]
    memory.reset()
    assert store.get_nodes() == []


async def test_vector_memory_block(store: ChromaPluginVectorStore, embed_model: ChromaPluginEmbedding) -> None:
    """Sessions are kept apart by a filter, and the session may be None."""

    def block() -> Any:
        # One for each session: it keeps the filter of the first that asks.
        return VectorMemoryBlock(vector_store=store, embed_model=embed_model, similarity_top_k=1)

    for session, text in (("a", TEXTS["moon"]), ("b", TEXTS["bees"]), (None, TEXTS["bread"])):
        message = ChatMessage(role="user", content=text, additional_kwargs={"session_id": session} if session else {})
        await block().aput([message], from_short_term_memory=True)
    asked = [ChatMessage(role="user", content="bees and flowers")]

    assert "Tides" in await block().aget(asked, session_id="a")
    assert "Honey" in await block().aget(asked, session_id="b")
    assert await block().aget(asked, session_id="c") == ""
    assert [node.metadata for node in store.get_nodes()] == [{"session_id": id} for id in ("a", "b", None)]
