"""The kit's tests of `Backend.commit`: reads that are checked again, changes that are one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from chroma_plugin import Client
from chroma_plugin.backend import Backend, Change, CollectionStore
from chroma_plugin.errors import StaleReadError, UnsupportedError
from chroma_plugin.testing.atomicity import BrokenColumn, BrokenColumnError
from chroma_plugin.testing.base import Bench, created
from chroma_plugin.testing.clients import filled
from chroma_plugin.testing.data import collection, contents, numbered, read, records, vectors
from chroma_plugin.transactions import check
from chroma_plugin.transactions.recording import RecordingStore
from chroma_plugin.types import FIELDS, Count, Metric, Read, Records, Scan, Search

WRITERS = 4
ADDITIONS = 5
KINDS = {Scan: "get", Count: "count", Search: "query"}


class Transactions(Bench):
    """Reads still have their answers when a transaction ends, or nothing is written; what it writes is one change.

    Troubleshooting: without `Backend.commit` one write is allowed, which the default does. With it: keep other writers
    away (locks, or the engine's own transaction), call `Change.check`, then write everything in one step.
    """

    def test_a_transaction_that_writes_once(self, engine: Backend) -> None:
        """What was read is unchanged, so the records are put; or deleted."""
        with created(engine) as store:
            store.put(numbered(3))
            engine.commit([change(store, reads_of(store), written=records(["new"]))])
            assert ids(store) == ["r0", "r1", "r2", "new"]
            engine.commit([change(store, reads_of(store), deleted=["r1", "unknown"])])
            assert ids(store) == ["r0", "r2", "new"]

    @pytest.mark.parametrize("meanwhile", ["replaced", "deleted", "added"])
    @pytest.mark.parametrize("question", ["get", "count", "query"])
    def test_a_stale_read_is_refused(self, engine: Backend, question: str, meanwhile: str) -> None:
        """Somebody else replaced, deleted or added what was read: nothing is written, unless the answer is the same."""
        with created(engine) as store:
            store.put(numbered(3))
            known = [read for read in reads_of(store) if KINDS[type(read.question)] == question]
            if meanwhile == "deleted":
                store.delete(["r1"])
            else:
                store.put(records(["r1" if meanwhile == "replaced" else "r1b"], vectors(1, seed=8), ["other"]))
            before = contents(read(store))
            if (question, meanwhile) == ("count", "replaced"):
                engine.commit([change(store, known)])
                return
            with pytest.raises(StaleReadError):
                engine.commit([change(store, known, written=records(["never"]))])
            assert contents(read(store)) == before, "A transaction with a stale read changes nothing."

    def test_several_changes_are_one(self, engine: Backend) -> None:
        """In two collections, deleting and putting: done; or, with the default, refused with nothing changed."""
        with two(engine) as (first, second):
            changes = [
                change(first, reads_of(first), deleted=["r0"], written=records(["a", "r1"])),
                change(second, reads_of(second), written=records(["b"])),
            ]
            if type(engine).commit is Backend.commit:
                with pytest.raises(UnsupportedError):
                    engine.commit(changes)
                assert [ids(first), ids(second)] == [["r0", "r1", "r2"]] * 2
            else:
                engine.commit(changes)
                assert ids(first) == ["r1", "r2", "a"]
                assert ids(second) == ["r0", "r1", "r2", "b"]

    def test_one_stale_read_refuses_all(self, engine: Backend) -> None:
        """A transaction that writes to one collection what it read in another."""
        with two(engine) as (first, second):
            changes = [change(first, reads_of(first)), change(second, (), written=records(["b"]))]
            first.delete(["r2"])
            with pytest.raises(StaleReadError):
                engine.commit(changes)
            assert ids(second) == ["r0", "r1", "r2"]

    def test_a_commit_that_fails_leaves_nothing(self, engine: Backend) -> None:
        """The last value of the last collection can't be read: the first is unchanged, too."""
        with two(engine) as (first, second):
            broken = replace(records(["b0", "b1"]), documents=BrokenColumn(2))
            before = contents(read(first)), contents(read(second))
            with pytest.raises((BrokenColumnError, UnsupportedError)):
                engine.commit([change(first, (), written=records(["a"])), change(second, (), written=broken)])
            assert (contents(read(first)), contents(read(second))) == before
            second.put(records(["after"]))
            assert ids(second)[-1] == "after"

    def test_deleted_and_written_again_is_new(self, engine: Backend) -> None:
        """It comes last, where a replaced record keeps its place."""
        with created(engine) as store:
            store.put(numbered(3))
            again = change(store, (), deleted=["r0"], written=records(["r0"]))
            if type(engine).commit is Backend.commit:
                with pytest.raises(UnsupportedError):
                    engine.commit([again])
            else:
                engine.commit([again])
                assert ids(store) == ["r1", "r2", "r0"]

    def test_no_addition_is_lost(self, client: Client) -> None:
        """Four threads add to one number, each reading it first and trying again when it is stale."""
        account = filled(client, Records(["n"], vectors(1), ["0"], [{"n": 0}]))

        def add_one(_: int) -> None:
            for _ in range(WRITERS * ADDITIONS * 20):
                try:
                    with account.transaction() as inside:
                        number = inside.get(ids="n")["metadatas"][0]["n"]  # type: ignore[index]
                        inside.update(ids="n", metadatas={"n": number + 1})
                except StaleReadError:
                    continue
                return
            raise AssertionError("A transaction never came to its end.")

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(add_one, range(WRITERS * ADDITIONS)))
        assert account.get(ids="n")["metadatas"] == [{"n": WRITERS * ADDITIONS}]


@contextmanager
def two(engine: Backend) -> Iterator[tuple[CollectionStore, CollectionStore]]:
    """Two collections of three records."""
    with created(engine, collection("first")) as first, created(engine, collection("second")) as second:
        first.put(numbered(3))
        second.put(numbered(3))
        yield first, second


def reads_of(store: CollectionStore) -> list[Read]:
    """What a transaction remembers of a get, a count and a query."""
    reads: list[Read] = []
    recording = RecordingStore(store, reads)
    list(recording.scan(Scan()))
    recording.count()
    recording.search(Search(vectors(1), 10, Metric.L2, fields=FIELDS))
    return reads


def change(
    store: CollectionStore, reads: Sequence[Read], deleted: Sequence[str] = (), written: Records | None = None
) -> Change:
    """What the core makes of a transaction."""
    return Change(store, reads, deleted, written, partial(check, reads))


def ids(store: CollectionStore) -> list[str]:
    """In the order of insertion."""
    return list(read(store).ids)
