"""A storm of calls on one collection, from many workers, each of which knows what it must see.

Every worker owns some ids, which nobody else writes: it reads exactly what it wrote. All fight for the shared ids,
which are always written together: all of them have one version at any moment. Nobody sees a version that was never
written, a record whose parts are of two versions, or an older version than he has seen before.

A worker is one coroutine for both worlds: over a `Collection` nothing in it ever waits, so that a thread runs it
through; over an `AsyncCollection` it is a task.
"""

from __future__ import annotations

import inspect
import itertools
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import numpy as np

from chroma_plugin.errors import NotFoundError

SHARED: Final = [f"shared{n}" for n in range(4)]
DIMENSION: Final = 8
EVERYTHING: Final = ["documents", "metadatas", "embeddings"]


def vector(id: str, version: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One for each id and version, and no two alike."""
    return np.random.default_rng([version, *id.encode()]).standard_normal(DIMENSION).astype(np.float32)


@dataclass(frozen=True)
class State:
    """A record as it was written. Its embedding may be of an earlier write than its texts."""

    version: int
    embedded: int

    def metadata(self, owner: int) -> dict[str, int]:
        return {"owner": owner, "version": self.version, "embedded": self.embedded}

    def document(self, id: str) -> str:
        return f"{id} version{self.version}"


@dataclass
class Storm:
    """What all workers share."""

    client: Any
    collection: Any
    seconds: float
    seed: int
    own_ids: int = 12
    versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    written: set[int] = field(default_factory=set)
    """Versions of the shared ids, noted before they are written."""
    done: Counter[str] = field(default_factory=Counter)

    def workers(self, count: int) -> list[Worker]:
        return [Worker(self, number) for number in range(count)]


class Worker:
    def __init__(self, storm: Storm, number: int) -> None:
        self.storm, self.number = storm, number
        self.model: dict[str, State] = {}
        self._client, self._things = storm.client, storm.collection
        self._random = random.Random(f"{storm.seed}/{number}")
        self._ids = [f"w{number}x{n}" for n in range(storm.own_ids)]
        self._mine = {"owner": number}
        self._newest: dict[str, int] = {}
        """Of the ids of others, the version seen last."""
        self._newest_shared = 0

    async def run(self) -> None:
        """Until the time is over; an AssertionError says what was seen that can't be."""
        deadline = monotonic() + self.storm.seconds
        common, rare = self._common(), self._rare()
        while monotonic() < deadline:
            action = self._random.choice(rare if self._random.random() < 0.03 else common)
            await action()
            self.storm.done[action.__name__.strip("_")] += 1
        await self._read_all()

    def _common(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        writes = [self._add, self._upsert, self._update, self._update_texts, self._delete, self._delete_where]
        own = [
            self._read_all,
            self._read_some,
            self._read_pages,
            self._count,
            self._query,
            self._query_all,
            self._search,
        ]
        return [*writes, *own, self._write_shared, self._read_shared, self._read_others]

    def _rare(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [self._modify, self._other_collection, self._index, self._compact, self._persist, self._refresh]

    # -- writing ids of its own --------------------------------------------------------------------------------------

    def _some(self, ids: list[str]) -> list[str]:
        return self._random.sample(ids, min(len(ids), self._random.randint(1, 4)))

    def _columns(self, states: dict[str, State]) -> dict[str, Any]:
        return {
            "ids": list(states),
            "documents": [state.document(id) for id, state in states.items()],
            "metadatas": [state.metadata(self.number) for state in states.values()],
            "embeddings": np.array([vector(id, state.embedded) for id, state in states.items()]),
        }

    def _new(self, ids: list[str]) -> dict[str, State]:
        version = next(self.storm.versions)
        return {id: State(version, version) for id in ids}

    async def _add(self) -> None:
        if ids := self._some([id for id in self._ids if id not in self.model]):
            new = self._new(ids)
            await now(self._things.add(**self._columns(new)))
            self.model |= new

    async def _upsert(self) -> None:
        new = self._new(self._some(self._ids))
        await now(self._things.upsert(**self._columns(new)))
        self.model |= new

    async def _update(self) -> None:
        if ids := self._some(list(self.model)):
            new = self._new(ids)
            await now(self._things.update(**self._columns(new)))
            self.model |= new

    async def _update_texts(self) -> None:
        """The embeddings stay."""
        if ids := self._some(list(self.model)):
            version = next(self.storm.versions)
            new = {id: State(version, self.model[id].embedded) for id in ids}
            columns = self._columns(new)
            del columns["embeddings"]
            await now(self._things.update(**columns))
            self.model |= new

    async def _delete(self) -> None:
        if ids := self._some(list(self.model)):
            await now(self._things.delete(ids=ids))
            for id in ids:
                del self.model[id]

    async def _delete_where(self) -> None:
        if self.model:
            limit = self._random.choice(list(self.model.values())).version
            where = {"$and": [self._mine, {"version": limit}]}
            told = await now(self._things.delete(where=where))
            gone = [id for id, state in self.model.items() if state.version == limit]
            assert told["deleted"] == len(gone), f"{told} instead of {gone}"
            for id in gone:
                del self.model[id]

    # -- reading them ------------------------------------------------------------------------------------------------

    def _check(self, found: dict[str, State], expected: dict[str, State]) -> None:
        assert found == expected, f"worker {self.number} wrote {expected}, and reads {found}"

    async def _read_all(self) -> None:
        got = await now(self._things.get(where=self._mine, include=EVERYTHING))
        self._check(states(got), self.model)

    async def _read_some(self) -> None:
        ids = self._some(self._ids)
        got = await now(self._things.get(ids=ids, include=EVERYTHING))
        self._check(states(got), {id: self.model[id] for id in ids if id in self.model})

    async def _read_pages(self) -> None:
        """Writes of others are no reason to miss one of these or to see one twice."""
        found: dict[str, State] = {}
        for offset in range(0, self.storm.own_ids, 3):
            got = await now(self._things.get(where=self._mine, limit=3, offset=offset, include=EVERYTHING))
            page = states(got)
            assert not page.keys() & found.keys(), "a record is on two pages"
            found |= page
        self._check(found, self.model)

    async def _count(self) -> None:
        assert await now(self._things.count(where=self._mine)) == len(self.model)

    async def _query(self) -> None:
        """Each record is the nearest to its own vector."""
        if self.model:
            id = self._random.choice(list(self.model))
            asked = vector(id, self.model[id].embedded)
            where = self._random.choice([None, self._mine])
            got = await now(
                self._things.query(query_embeddings=asked, n_results=1, where=where, include=[*EVERYTHING, "distances"])
            )
            [found], [[distance]] = answers(got), got["distances"]
            self._check(states(found), {id: self.model[id]})
            assert distance < 1e-3

    async def _query_all(self) -> None:
        asked = np.zeros(DIMENSION, dtype=np.float32)
        got = await now(
            self._things.query(
                query_embeddings=asked, n_results=2 * len(self._ids), where=self._mine, include=EVERYTHING
            )
        )
        self._check(states(answers(got)[0]), self.model)

    async def _search(self) -> None:
        if self.model:
            id = self._random.choice(list(self.model))
            got = await now(self._things.search_text(id, n_results=3, include=["documents", "metadatas"]))
            assert got["ids"] == [[id]], f"a search for {id} finds {got['ids']}"
            assert got["documents"] == [[self.model[id].document(id)]]

    # -- what others write -------------------------------------------------------------------------------------------

    async def _write_shared(self) -> None:
        version = next(self.storm.versions)
        self.storm.written.add(version)
        columns = self._columns({id: State(version, version) for id in SHARED})
        columns["metadatas"] = [State(version, version).metadata(-1) for _ in SHARED]
        await now(self._things.upsert(**columns))

    async def _read_shared(self) -> None:
        if self._random.random() < 0.5:
            got = await now(self._things.get(ids=SHARED, include=EVERYTHING))
        else:
            asked = np.zeros(DIMENSION, dtype=np.float32)
            found = await now(
                self._things.query(query_embeddings=asked, n_results=9, where={"owner": -1}, include=EVERYTHING)
            )
            [got] = answers(found)
        seen = states(got)
        assert len(seen) in (0, len(SHARED)), f"part of a write is seen: {seen}"
        assert len(set(seen.values())) <= 1, f"two writes are seen in one moment: {seen}"
        assert {state.version for state in seen.values()} <= self.storm.written, f"nobody wrote that: {seen}"

    async def _read_others(self) -> None:
        """One owner writes each id, so its versions only grow."""
        got = await now(self._things.get(limit=40, offset=self._random.randint(0, 60), include=EVERYTHING))
        for id, state in states(got).items():
            if id not in SHARED:
                before = self._newest.get(id, 0)
                assert state.version >= before, f"{id} had version {before}, and has {state.version}"
                self._newest[id] = state.version

    # -- the rest ----------------------------------------------------------------------------------------------------

    async def _modify(self) -> None:
        await now(self._things.modify(metadata={"by": self.number}))
        assert self._things.metadata["by"] >= 0

    async def _other_collection(self) -> None:
        name = f"own-{self.number}"
        made = await now(self._client.create_collection(name, embedding_function=None))
        await now(made.add(ids=["a", "b"], embeddings=np.eye(2, 3)))
        assert await now(made.count()) == 2
        assert name in [each.name for each in await now(self._client.list_collections())]
        await now(self._client.delete_collection(name))
        try:
            await now(made.count())
        except NotFoundError:
            return
        raise AssertionError("a deleted collection answers")

    async def _index(self) -> None:
        await now(self._things.create_index())

    async def _compact(self) -> None:
        await now(self._client.compact())

    async def _persist(self) -> None:
        await now(self._client.persist())

    async def _refresh(self) -> None:
        assert await now(self._client.refresh()) is False


async def now(result: Any) -> Any:
    """What a call returns, or what its coroutine does."""
    return await result if inspect.isawaitable(result) else result


def run_through(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run one in which nothing waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("something in it waits")


def states(got: Any) -> dict[str, State]:
    """The records of a `get`. Each must be whole, and stand there once."""
    found: dict[str, State] = {}
    for id, document, metadata, embedding in zip(
        got["ids"], got["documents"], got["metadatas"], got["embeddings"], strict=True
    ):
        assert id not in found, f"{id} stands there twice"
        found[id] = state = State(metadata["version"], metadata["embedded"])
        assert document == state.document(id), f"{id} has the document {document!r} with {metadata}"
        assert np.array_equal(np.asarray(embedding, np.float32), vector(id, state.embedded)), f"{id}: not {metadata}"
    return found


def answers(got: Any) -> list[dict[str, Any]]:
    """The answers of a `query`, each as a `get` gives them."""
    names = [name for name in ("ids", "documents", "metadatas", "embeddings") if got.get(name) is not None]
    return [{name: got[name][at] for name in names} for at in range(len(got["ids"]))]


def check_end(got: Any, workers: list[Worker]) -> None:
    """What is there in the end is what all workers together wrote, and nothing else."""
    found = states(got)
    shared = {id: found.pop(id) for id in SHARED if id in found}
    assert len(set(shared.values())) <= 1
    expected = {id: state for worker in workers for id, state in worker.model.items()}
    assert found == expected, f"lost {expected.keys() - found.keys()}, too much {found.keys() - expected.keys()}"
