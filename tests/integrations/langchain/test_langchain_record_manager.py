"""`ChromaPluginRecordManager` remembers what LangChain's `index()` has indexed, as LangChain's own does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from chroma_plugin_langchain import ChromaPluginRecordManager
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import IndexingResult, InMemoryRecordManager, RecordManager, aindex, index
from langchain_core.vectorstores import InMemoryVectorStore
from support.places import PLACES, open_place

import chroma_plugin as chromadb


@pytest.fixture(params=PLACES)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    with open_place(request.param, tmp_path) as client:
        yield client


@pytest.fixture
def manager(client: chromadb.Client) -> ChromaPluginRecordManager:
    return ChromaPluginRecordManager("books", client=client)


# -- index() ---------------------------------------------------------------------------------------------------------

Cleanup = Literal["incremental", "full", "scoped_full"] | None
CLEANUPS: tuple[Cleanup, ...] = (None, "incremental", "full", "scoped_full")


def pages(*texts: str, source: str = "a") -> list[Document]:
    return [Document(page_content=text, metadata={"source": source}) for text in texts]


RUNS = [
    pages("one", "two", "three"),
    pages("one", "two", "three"),
    pages("one", "changed", "three"),
    pages("one", source="b"),
    [*pages("one", "one"), *pages("one", "four", source="b")],
    [],
    pages("two"),
]


class Target:
    """A vector store with a record manager of its own."""

    def __init__(self, manager: RecordManager, cleanup: Cleanup) -> None:
        self.manager = manager
        self.store = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
        self.options: dict[str, Any] = {"source_id_key": "source", "key_encoder": "blake2b", "batch_size": 2}
        self.options["cleanup"] = cleanup

    def index(self, documents: list[Document], **options: Any) -> IndexingResult:
        return index(documents, self.manager, self.store, **self.options, **options)

    async def aindex(self, documents: list[Document], **options: Any) -> IndexingResult:
        return await aindex(documents, self.manager, self.store, **self.options, **options)

    def contents(self) -> list[tuple[str, str]]:
        return sorted((kept["text"], kept["metadata"]["source"]) for kept in self.store.store.values())


@pytest.mark.parametrize("cleanup", CLEANUPS)
@pytest.mark.parametrize("force_update", [False, True])
def test_index_does_what_it_does_with_langchain_s_manager(
    manager: ChromaPluginRecordManager, cleanup: Cleanup, force_update: bool
) -> None:
    """In each cleanup mode every run adds, skips, updates and deletes the same."""
    ours, theirs = Target(manager, cleanup), Target(InMemoryRecordManager("books"), cleanup)
    for run in RUNS:
        assert ours.index(run, force_update=force_update) == theirs.index(run, force_update=force_update)
        assert ours.contents() == theirs.contents()
        assert sorted(manager.list_keys()) == sorted(theirs.manager.list_keys())


@pytest.mark.parametrize("cleanup", CLEANUPS)
async def test_aindex_does_what_it_does_with_langchain_s_manager(
    manager: ChromaPluginRecordManager, cleanup: Cleanup
) -> None:
    """The same, awaited."""
    ours, theirs = Target(manager, cleanup), Target(InMemoryRecordManager("books"), cleanup)
    for run in RUNS:
        assert await ours.aindex(run) == await theirs.aindex(run)
        assert ours.contents() == theirs.contents()


def test_a_second_process_goes_on_where_the_first_stopped(tmp_path: Path) -> None:
    """What was indexed is known after the database was closed and opened again."""
    with chromadb.PersistentClient(tmp_path) as client:
        Target(ChromaPluginRecordManager("books", client=client), "full").index(RUNS[0])
    with chromadb.PersistentClient(tmp_path) as client:
        target = Target(ChromaPluginRecordManager("books", client=client), "full")
        assert target.index(RUNS[0])["num_skipped"] == 3


# -- the manager itself ----------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c", 'd"', "$e"])
GROUPS = st.sampled_from([None, "g", "h"])
RECORDS = st.lists(st.tuples(KEYS, GROUPS), max_size=4, unique_by=lambda pair: pair[0])
MOMENTS = st.none() | st.integers(0, 20)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("update"), RECORDS),
        st.tuples(st.just("refresh"), st.lists(KEYS, max_size=3)),
        st.tuples(st.just("exists"), st.lists(KEYS, max_size=4)),
        st.tuples(st.just("delete"), st.lists(KEYS, max_size=2)),
        st.tuples(st.just("list"), st.tuples(MOMENTS, MOMENTS, st.none() | st.lists(GROUPS, max_size=2))),
    ),
    max_size=15,
)


class Counting(InMemoryRecordManager):
    """LangChain's manager with a clock that two calls always tell apart."""

    def __init__(self) -> None:
        super().__init__("books")
        self.now = 0.0

    def get_time(self) -> float:
        self.now += 1
        return self.now


def performed(manager: RecordManager, operations: list[Any]) -> Iterator[Any]:
    """The answers; the times are those that the manager itself gave before each operation."""
    moments: list[float] = []
    for name, operand in operations:
        moments.append(manager.get_time())
        match name:
            case "update":
                keys, groups = [key for key, _ in operand], [group for _, group in operand]
                yield manager.update(keys, group_ids=groups, time_at_least=moments[0])
            case "refresh":
                yield manager.update(operand)
            case "exists":
                yield manager.exists(operand)
            case "delete":
                yield manager.delete_keys(operand)
            case "list":
                before, after = (None if at is None else moments[at % len(moments)] for at in operand[:2])
                yield sorted(manager.list_keys(before=before, after=after, group_ids=operand[2]))


@given(operations=OPERATIONS)
@settings(max_examples=60, deadline=None)
def test_any_calls_have_langchain_s_answers(operations: list[Any]) -> None:
    """Whatever is updated, looked up, listed and deleted: as `InMemoryRecordManager`."""
    with chromadb.Client() as client:
        ours = performed(ChromaPluginRecordManager("books", client=client), operations)
        theirs = performed(Counting(), operations)
        assert list(ours) == list(theirs)


def test_limit_cuts_the_list(manager: ChromaPluginRecordManager) -> None:
    """Oldest first; without a limit, or with 0 as in LangChain's, all."""
    manager.update(["a", "b", "c"])
    assert manager.list_keys(limit=2) == ["a", "b"]
    assert manager.list_keys(limit=0) == ["a", "b", "c"]


def test_namespaces_do_not_meet(client: chromadb.Client) -> None:
    """Two managers of one collection know nothing of each other, whatever their namespaces and keys are."""
    spaces = ["a", 'a","b', "", "a\x00"]
    managers = {space: ChromaPluginRecordManager(space, client=client) for space in spaces}
    managers["a"].update(['b","c'])
    managers['a","b'].update(["c"])
    assert managers["a"].list_keys() == ['b","c']
    assert managers['a","b'].list_keys() == ["c"]
    assert managers[""].list_keys() == []
    managers["a"].delete_keys(["c"])
    assert managers['a","b'].exists(["c"]) == [True]


def test_wrong_arguments_change_nothing(manager: ChromaPluginRecordManager) -> None:
    """As many groups as keys; no time to come."""
    with pytest.raises(ValueError, match="2 keys need as many group_ids, got 1"):
        manager.update(["a", "b"], group_ids=["g"])
    with pytest.raises(ValueError, match="time_at_least"):
        manager.update(["a"], time_at_least=manager.get_time() + 3600)
    assert manager.list_keys() == []


class Clock:
    """Stands for a server's clock that somebody sets."""

    def __init__(self, client: chromadb.Client) -> None:
        self.client = client
        self.nanoseconds = 2_000_000_000 * 10**9

    def heartbeat(self) -> int:
        return self.nanoseconds

    def get_or_create_collection(self, *args: Any, **options: Any) -> chromadb.Collection:
        return self.client.get_or_create_collection(*args, **options)


def managers_with(clock: Any) -> Callable[[], ChromaPluginRecordManager]:
    return lambda: ChromaPluginRecordManager("books", client=clock)


def test_the_time_never_goes_back(client: chromadb.Client) -> None:
    """Neither when the clock stands still, nor when it is set back between two processes: no document is lost."""
    clock = Clock(client)
    opened = managers_with(clock)
    first = opened()
    times = [first.get_time() for _ in range(5)]
    assert times == sorted(set(times))
    first.update(["a"], time_at_least=times[-1])
    clock.nanoseconds -= 3600 * 10**9
    second = opened()
    started = second.get_time()
    assert second.list_keys(before=started) == ["a"]
    second.update(["b"], time_at_least=started)
    assert second.list_keys(after=started) == ["b"]


def test_a_collection_may_be_given(client: chromadb.Client) -> None:
    """Then that one holds the records, and no other is made."""
    collection = client.create_collection("mine", embedding_function=None)
    manager = ChromaPluginRecordManager("books", collection=collection)
    manager.create_schema()
    started = manager.get_time()
    manager.update(["a"], time_at_least=started)
    assert manager.list_keys(after=started) == ["a"]
    assert [known.name for known in client.list_collections()] == ["mine"]
    with pytest.raises(ValueError, match="either client= or collection="):
        ChromaPluginRecordManager("books")


async def test_the_async_methods_are_the_same(manager: ChromaPluginRecordManager) -> None:
    """Each awaited method does what its twin does."""
    await manager.acreate_schema()
    started = await manager.aget_time()
    await manager.aupdate(["a", "b"], group_ids=["g", None], time_at_least=started)
    assert await manager.aexists(["a", "x"]) == [True, False]
    assert await manager.alist_keys(after=started, group_ids=["g"]) == ["a"]
    await manager.adelete_keys(["a"])
    assert manager.list_keys() == ["b"]
