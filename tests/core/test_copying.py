"""Collections go from any engine to any other whole, once, and verified."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import plain_backend
from support.server import HOST, RunningServer, running_server

import chroma_plugin as chromadb
from chroma_plugin.backend import CollectionStore
from chroma_plugin.copying import batches
from chroma_plugin.errors import (
    CorruptionError,
    InvalidArgumentError,
    InvalidDimensionError,
    NotFoundError,
    StorageError,
    UniqueConstraintError,
    UnsupportedError,
)
from chroma_plugin.plugins import BackendSpec, PluginManager, hookimpl
from chroma_plugin.types import CollectionInfo, Records

COUNT = 4_103
METADATAS: list[Any] = [
    {"n": 1, "x": 1.0, "b": True, "s": "l'été 貓", "none": None, "list": [1, "a", None], "dict": {"a": {"b": [1.5]}}},
    {"n": 2**63 - 1, "x": -0.1},
    None,
]
FUNCTION = {"type": "known", "name": "somebody-s", "config": {"model": "m"}}


def fill(client: chromadb.Client, name: str = "things", count: int = COUNT, dimension: int = 8) -> chromadb.Collection:
    collection = client.create_collection(
        name,
        configuration={"hnsw": {"space": "cosine", "ef_search": 33}},
        metadata={"about": "things", "n": 1},
        embedding_function=None,
    )
    if count:
        rows = range(count)
        collection.add(
            ids=[f"id {row}" for row in rows],
            embeddings=np.random.default_rng(1).normal(size=(count, dimension)).astype(np.float32),
            documents=[None if row % 5 == 0 else f"document {row}" for row in rows],
            metadatas=[METADATAS[row % len(METADATAS)] for row in rows],
            uris=[f"file://{row}" if row % 3 else None for row in rows],
        )
        collection.delete(ids=["id 7"])
        collection.update(ids=["id 3"], documents=["changed"], metadatas=[{"n": 3}], embeddings=[[1.0] * dimension])
    return collection


def contents(collection: chromadb.Collection) -> dict[str, Any]:
    """Everything there is to know, comparable."""
    found: Any = collection.get(include=["embeddings", "documents", "metadatas", "uris"])
    return {
        "vectors": np.asarray(found["embeddings"]).tobytes(),
        # JSON keeps 1, 1.0 and true apart.
        "rest": json.dumps([found["ids"], found["documents"], found["metadatas"], found["uris"]]),
        "metadata": collection.metadata,
        "configuration": collection.configuration_json,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(allow_reset=True) as server:
        yield server


@pytest.fixture(params=["memory", "duckdb", "rest", "plain"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    """An empty database of each kind."""
    if request.param == "duckdb":
        client = chromadb.PersistentClient(tmp_path / "target")
    elif request.param == "rest":
        client = chromadb.HttpClient(HOST, request.getfixturevalue("server").port)
        client.reset()
    else:
        client = chromadb.Client(chroma_db_impl=request.param, plugins=PluginManager([plain_backend]))
    with client:
        yield client


@pytest.fixture
def source() -> chromadb.Client:
    """A database in memory with two collections."""
    client = chromadb.Client()
    fill(client)
    fill(client, "empty", 0)
    return client


def test_a_copy_is_the_same(source: chromadb.Client, target: chromadb.Client) -> None:
    """Records bit for bit in their order, metadata, configuration; and back again from there."""
    report = source.copy_to(target)
    assert [(copied.name, copied.records, copied.written) for copied in report.collections] == [
        ("things", COUNT - 1, COUNT - 1),
        ("empty", 0, 0),
    ]
    assert all(copied.exact for copied in report.collections)
    back = chromadb.Client()
    again = target.copy_to(back)
    assert [copied.checksum for copied in again.collections] == [copied.checksum for copied in report.collections]
    for name in ("things", "empty"):
        expected = contents(source.get_collection(name))
        assert contents(target.get_collection(name)) == expected
        assert contents(back.get_collection(name)) == expected


def test_the_embedding_function_is_kept_by_name(source: chromadb.Client) -> None:
    """Also one that is not installed here; nothing is looked up."""
    opened = source._session.find("things", source.tenant, source.database)
    assert opened is not None
    opened.change(lambda info: replace(info, configuration={**info.configuration, "embedding_function": FUNCTION}))
    target = chromadb.Client()
    source.copy_to(target)
    assert target.get_collection("things").configuration_json["embedding_function"] == FUNCTION


def test_names_choose(source: chromadb.Client) -> None:
    """Only those; an unknown one is an error before anything is copied."""
    target = chromadb.Client()
    with pytest.raises(NotFoundError, match="nothing-like-it"):
        source.copy_to(target, names=["empty", "nothing-like-it"])
    assert target.count_collections() == 0
    source.copy_to(target, names=["empty"])
    assert [collection.name for collection in target.list_collections()] == ["empty"]


def test_everything_goes_with_tenants_and_databases(target: chromadb.Client) -> None:
    """To the same names, which are made; an engine with one tenant refuses before it has copied a record."""
    source = chromadb.Client()
    fill(source, count=10)
    source.create_tenant("other-tenant")
    source.create_database("other-database", "other-tenant")
    source.set_tenant("other-tenant", "other-database")
    fill(source, count=20)
    if target.get_settings().chroma_db_impl == "plain":
        with pytest.raises(UnsupportedError):
            source.copy_to(target, everything=True)
        assert target.count_collections() == 0
        return
    report = source.copy_to(target, everything=True)
    assert [(copied.tenant, copied.database, copied.records) for copied in report.collections] == [
        ("default_tenant", "default_database", 9),
        ("other-tenant", "other-database", 19),
    ]
    target.set_tenant("other-tenant", "other-database")
    assert contents(target.get_collection("things")) == contents(source.get_collection("things"))


def test_progress_is_told(source: chromadb.Client) -> None:
    """Records done and records in all, from none to all."""
    told: list[tuple[str, int, int]] = []
    source.copy_to(chromadb.Client(), names=["things"], on_progress=lambda *news: told.append(news))
    assert [done for _, done, _ in told] == [0, 2_000, 4_000, COUNT - 1]
    assert {(name, count) for name, _, count in told} == {("things", COUNT - 1)}


async def test_the_async_twin(source: chromadb.Client) -> None:
    """Into an async or a sync client."""
    async with chromadb.AsyncClient() as first, chromadb.AsyncClient() as second:
        assert (await first._call(source.copy_to)).records == COUNT - 1
        assert (await first.copy_to(second, names=["things"])).written == COUNT - 1
        third = chromadb.Client()
        assert (await second.copy_to(third)).written == COUNT - 1
    assert contents(third.get_collection("things")) == contents(source.get_collection("things"))


def test_a_database_is_not_copied_onto_itself(source: chromadb.Client, tmp_path: Path) -> None:
    """Also not through another client of the same directory; but into another database of it."""
    with pytest.raises(InvalidArgumentError, match="same database"):
        source.copy_to(source)
    with chromadb.PersistentClient(tmp_path) as one, chromadb.PersistentClient(tmp_path) as two:
        fill(one, count=10)
        with pytest.raises(InvalidArgumentError, match="same database"):
            one.copy_to(two)
        two.create_database("second")
        two.set_database("second")
        assert one.copy_to(two).written == 9
        assert contents(two.get_collection("things")) == contents(one.get_collection("things"))


# -- a name that is taken --------------------------------------------------------------------------------------------


def test_a_second_copy_writes_nothing(source: chromadb.Client, target: chromadb.Client) -> None:
    """It is verified again, and what came in since is added."""
    source.copy_to(target)
    assert source.copy_to(target).written == 0
    source.get_collection("things").add(ids=["late"], embeddings=[[1.0] * 8])
    report = source.copy_to(target, names=["things"])
    assert report.collections[0].records == COUNT
    assert contents(target.get_collection("things")) == contents(source.get_collection("things"))


def cut(store: type[CollectionStore], after: int) -> Any:
    """A `put` that fails after so many batches, as a full disk or a lost connection would make it."""
    put, calls = store.put, [0]

    def failing(self: CollectionStore, records: Records) -> None:
        calls[0] += 1
        if calls[0] > after:
            raise StorageError("cut")
        put(self, records)

    return failing


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_copy_that_was_cut_goes_on(
    source: chromadb.Client, target: chromadb.Client, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The second run writes what the first did not, and no more."""
    source.copy_to(target, names=["empty"])
    opened = target._session.find("empty", target.tenant, target.database)
    assert opened is not None
    with opened.reading() as store:
        kind = type(store)
    with monkeypatch.context() as patched:
        patched.setattr(kind, "put", cut(kind, after))
        with pytest.raises(StorageError, match="cut"):
            source.copy_to(target)
    assert target.get_collection("things").count() == after * batches.SIZE
    assert source.copy_to(target).written == COUNT - 1 - after * batches.SIZE
    assert contents(target.get_collection("things")) == contents(source.get_collection("things"))


def test_a_batch_of_which_a_part_arrived_is_written_again(source: chromadb.Client) -> None:
    """A server may take a batch in several requests."""
    target = chromadb.Client()
    source.copy_to(target)
    things = target.get_collection("things")
    things.delete(ids=things.get(include=[], offset=2_500)["ids"])
    assert source.copy_to(target, names=["things"]).written == COUNT - 1 - 2_000
    assert contents(things) == contents(source.get_collection("things"))


KILLED = """
import sys, chroma_plugin
with chroma_plugin.PersistentClient(sys.argv[1]) as source, chroma_plugin.PersistentClient(sys.argv[2]) as target:
    source.copy_to(target, on_progress=lambda name, done, count: print(done, flush=True))
"""


def test_a_copy_that_was_killed_goes_on(tmp_path: Path) -> None:
    """``kill -9`` in the middle: what was reported as done is there, and the rest follows."""
    with chromadb.PersistentClient(tmp_path / "source") as source:
        fill(source, count=20_000)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "source"), str(tmp_path / "target")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    done = next(int(line) for line in process.stdout if int(line) >= 4_000)
    process.kill()
    process.wait()
    process.stdout.close()
    with (
        chromadb.PersistentClient(tmp_path / "source", read_only=True) as source,
        chromadb.PersistentClient(tmp_path / "target") as target,
    ):
        assert source.copy_to(target).written <= 19_999 - done
        assert contents(target.get_collection("things")) == contents(source.get_collection("things"))


@pytest.mark.parametrize("difference", ["another", "more", "space", "dimension", "metadata"])
def test_somebody_else_s_collection_is_not_written_to(source: chromadb.Client, difference: str) -> None:
    """One that is not the beginning of this copy is refused, before anything is written anywhere."""
    target = chromadb.Client()
    source.copy_to(target, names=["things"])
    things = target.get_collection("things")
    if difference == "another":
        things.update(ids=["id 4000"], documents=["something else"], embeddings=[[1.0] * 8])
    elif difference == "more":
        things.add(ids=["more"], embeddings=[[1.0] * 8])
    elif difference == "metadata":
        things.modify(metadata={"about": "other things"})
    else:
        target.delete_collection("things")
        space = {"hnsw": {"space": "l2" if difference == "space" else "cosine"}}
        made = target.create_collection(
            "things", configuration=space, metadata={"about": "things", "n": 1}, embedding_function=None
        )
        made.add(ids=["x"], embeddings=[[1.0] * (8 if difference == "space" else 7)])
    before = contents(target.get_collection("things"))
    with pytest.raises(UniqueConstraintError, match="'things' already"):
        source.copy_to(target)
    assert contents(target.get_collection("things")) == before
    assert target.count_collections() == 1


def test_skip_leaves_it_alone(source: chromadb.Client) -> None:
    """And says so."""
    target = chromadb.Client()
    fill(target, count=3)
    report = source.copy_to(target, on_conflict="skip")
    assert (list(report.skipped), [copied.name for copied in report.collections]) == (["things"], ["empty"])
    assert target.get_collection("things").count() == 3


def test_merge_writes_what_is_missing_or_different(source: chromadb.Client, target: chromadb.Client) -> None:
    """And leaves what only the target has."""
    source.copy_to(target, names=["things"])
    things = target.get_collection("things")
    things.delete(ids=["id 0", "id 4050"])
    things.update(ids=["id 9"], documents=["other"], embeddings=[[9.0] * 8])
    things.add(ids=["mine"], embeddings=[[1.0] * 8])
    report = source.copy_to(target, names=["things"], on_conflict="merge")
    assert (report.collections[0].records, report.collections[0].written) == (COUNT - 1, 3)
    assert things.count() == COUNT
    ids = source.get_collection("things").get(include=[])["ids"]
    mine, theirs = (collection.get(ids=ids) for collection in (source.get_collection("things"), things))
    assert mine == theirs


def test_merge_refuses_another_dimension(source: chromadb.Client) -> None:
    """Before anything is written."""
    target = chromadb.Client()
    fill(target, count=10, dimension=5)
    with pytest.raises(InvalidDimensionError):
        source.copy_to(target, on_conflict="merge")
    assert target.count_collections() == 1


def test_another_word_is_refused(source: chromadb.Client) -> None:
    """With the words there are."""
    with pytest.raises(InvalidArgumentError, match="'resume', 'skip', 'merge'"):
        source.copy_to(chromadb.Client(), on_conflict="replace")  # type: ignore[arg-type]


# -- verification ----------------------------------------------------------------------------------------------------


class LossyBackend(plain_backend.PlainBackend):
    """An engine with a fault of its own, chosen by the name of the collection."""

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        super().open_collection(info)
        return LossyStore(self._rows[info.id], info.name)


class LossyStore(plain_backend.PlainStore):
    def __init__(self, rows: dict[str, Records], fault: str) -> None:
        super().__init__(rows, plain_backend.PlainOptions())
        self._fault = fault

    def put(self, records: Records) -> None:
        assert records.embeddings is not None
        assert records.metadatas is not None
        if self._fault == "normalises":
            lengths = np.linalg.norm(records.embeddings, axis=1, keepdims=True)
            records = replace(records, embeddings=records.embeddings / lengths)
        elif self._fault == "rounds":
            records = replace(records, embeddings=records.embeddings.astype(np.float16).astype(np.float32))
        elif self._fault == "floats":
            changed = [{**row, "n": float(row["n"])} if row else None for row in records.metadatas]
            records = replace(records, metadatas=changed)
        elif self._fault == "loses-one":
            records = records.take(range(1, len(records)))
        super().put(records)


class Lossy:
    @hookimpl
    def register_backends(self) -> list[BackendSpec]:
        options = "support.plain_backend:PlainOptions"
        return [BackendSpec(name="lossy", open=f"{__name__}:LossyBackend", options=options)]


@pytest.fixture
def lossy() -> chromadb.Client:
    return chromadb.Client(chroma_db_impl="lossy", plugins=PluginManager([Lossy()]))


@pytest.mark.parametrize("fault", ["rounds", "floats", "loses-one"])
def test_a_faulty_engine_is_noticed(lossy: chromadb.Client, fault: str) -> None:
    """Rounded vectors, 1 that became 1.0, a record that is missing."""
    source = chromadb.Client()
    fill(source, fault, count=100)
    with pytest.raises(CorruptionError, match=fault):
        source.copy_to(lossy)


def test_an_engine_that_normalises_is_no_fault(lossy: chromadb.Client) -> None:
    """In a cosine collection alone, and the report says so; a second run finds it complete."""
    source = chromadb.Client()
    fill(source, "normalises", count=4_100)
    assert source.copy_to(lossy).collections[0].exact is False
    again = source.copy_to(lossy).collections[0]
    assert (again.exact, again.written) == (False, 0)
