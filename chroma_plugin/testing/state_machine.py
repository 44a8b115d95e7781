"""The kit's state machine: random calls through the client against a dict that does the same in plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chroma_plugin import Client, Collection
from chroma_plugin.errors import NotFoundError, UniqueConstraintError
from chroma_plugin.filters import parse_where
from chroma_plugin.testing import opening, strategies
from chroma_plugin.testing.base import Bench
from chroma_plugin.testing.clients import everything, filled, hits_of
from chroma_plugin.testing.data import DIMENSION, exactly
from chroma_plugin.testing.judge import check_hits, check_ranked, matching
from chroma_plugin.testing.texts import HAS_LIBRARY
from chroma_plugin.types import Matrix, Metadata, Metric, Ranked, Records

POOL = ("a", "b", "c", "A", "it's", '"', "é", "🔑", "a\x00b", "%", "10", "x" * 300)
"""So few ids that calls meet each other's records."""
BESIDE = st.sampled_from(("beside-1", "beside-2"))


@dataclass(frozen=True, slots=True)
class Row:
    """What the model keeps about a record."""

    embedding: Matrix
    document: str | None
    metadata: Metadata | None


def batches() -> st.SearchStrategy[Records]:
    """A batch for one call: ids from the pool and a value in every column."""
    ids = st.lists(st.sampled_from(POOL), min_size=1, max_size=5, unique=True)
    return ids.flatmap(
        lambda ids: st.builds(
            Records,
            ids=st.just(ids),
            embeddings=strategies.embeddings(len(ids), DIMENSION),
            documents=st.lists(strategies.documents(), min_size=len(ids), max_size=len(ids)),
            metadatas=st.lists(strategies.metadatas(), min_size=len(ids), max_size=len(ids)),
        )
    )


class Model(RuleBasedStateMachine):
    """A collection and a dict, told the same, must say the same; others beside it come and go and are left alone."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(ignore_cleanup_errors=True)
        self.rows: dict[str, Row] = {}
        self.beside: dict[str, dict[str, Row]] = {}
        """The records of the other collections, by name."""
        self.open()

    def open(self) -> None:
        self.opening = opening.client(self.bench, Path(self.folder.name) / "place")
        self.client: Client = self.opening.__enter__()

    @initialize()
    def create(self) -> None:
        self.collection = filled(self.client, Records([]))

    # -- writes ------------------------------------------------------------------------------------------------------

    @rule(batch=batches())
    def add(self, batch: Records) -> None:
        report = self.collection.add(**columns(batch), on_conflict="ignore")
        new = [id for id in batch.ids if id not in self.rows]
        assert list(report.added) == new
        for id, row in rows_of(batch):
            self.rows.setdefault(id, row)

    @rule(batch=batches(), replaces=st.booleans())
    def upsert(self, batch: Records, replaces: bool) -> None:
        self.collection.upsert(**columns(batch), metadata_mode="replace" if replaces else "merge")
        for id, row in rows_of(batch):
            old = self.rows.get(id)
            document = old.document if old and row.document is None else row.document
            metadata = row.metadata if replaces else merged(old.metadata if old else None, row.metadata)
            self.rows[id] = Row(row.embedding, document, metadata)

    @rule(batch=batches(), column=st.sampled_from(("embeddings", "documents", "metadatas")))
    def update(self, batch: Records, column: str) -> None:
        self.collection.update(ids=batch.ids, **{column: columns(batch)[column]})
        for id, row in rows_of(batch):
            if old := self.rows.get(id):
                embedding = row.embedding if column == "embeddings" else old.embedding
                document = row.document if column == "documents" and row.document is not None else old.document
                metadata = merged(old.metadata, row.metadata) if column == "metadatas" else old.metadata
                self.rows[id] = Row(embedding, document, metadata)

    @rule(ids=st.lists(st.sampled_from(POOL), min_size=1, unique=True))
    def delete(self, ids: list[str]) -> None:
        existing = [id for id in ids if self.rows.pop(id, None)]
        assert self.collection.delete(ids=ids)["deleted"] == len(existing)

    @rule(data=st.data())
    def delete_where(self, data: st.DataObject) -> None:
        known = self.records()
        where = data.draw(strategies.exprs_for(known))
        doomed = [known.ids[row] for row in matching(known, where)]
        assert self.collection.delete(where=where)["deleted"] == len(doomed)
        for id in doomed:
            del self.rows[id]

    @rule(name=st.sampled_from(("things", "others", "more")), text=st.sampled_from(("a", "🔑")))
    def modify(self, name: str, text: str) -> None:
        self.collection.modify(name=name, metadata={"text": text})
        found = self.client.get_collection(name, embedding_function=None)
        assert (found.id, found.metadata) == (self.collection.id, {"text": text})

    @rule(call=st.sampled_from(("create_index", "persist", "compact")))
    def upkeep(self, call: str) -> None:
        """Nothing of which is ever seen in an answer."""
        getattr(self.collection if call == "create_index" else self.client, call)()

    @rule()
    @precondition(lambda self: self.keeps)
    def reopen(self) -> None:
        name = self.collection.name
        self.client.close()
        self.open()
        self.collection = self.client.get_collection(name, embedding_function=None)
        for other in self.beside:
            self.is_the_same(self.client.get_collection(other, embedding_function=None), self.beside[other])

    # -- other collections -------------------------------------------------------------------------------------------

    @rule(name=BESIDE, batch=batches())
    def write_beside(self, name: str, batch: Records) -> None:
        if name not in self.beside:
            self.client.create_collection(name, embedding_function=None)
            self.beside[name] = {}
        other = self.client.get_collection(name, embedding_function=None)
        other.add(**columns(batch), on_conflict="replace")
        for id, row in rows_of(batch):
            # What is replaced moves to no other place.
            self.beside[name][id] = row
        self.is_the_same(other, self.beside[name])

    @rule(name=BESIDE)
    def create_beside(self, name: str) -> None:
        if name in self.beside:
            with pytest.raises(UniqueConstraintError):
                self.client.create_collection(name, embedding_function=None)
        else:
            assert self.client.create_collection(name, embedding_function=None).count() == 0
            self.beside[name] = {}

    @rule(name=BESIDE)
    def delete_beside(self, name: str) -> None:
        if name in self.beside:
            other = self.client.get_collection(name, embedding_function=None)
            self.is_the_same(other, self.beside.pop(name))
            self.client.delete_collection(name)
            with pytest.raises(NotFoundError):
                other.count()
        else:
            with pytest.raises(NotFoundError):
                self.client.delete_collection(name)

    # -- reads -------------------------------------------------------------------------------------------------------

    @rule(
        ids=st.lists(st.sampled_from(POOL), unique=True), limit=st.none() | st.integers(0, 5), offset=st.integers(0, 3)
    )
    def get_by_ids(self, ids: list[str], limit: int | None, offset: int) -> None:
        found = self.collection.get(ids=ids, limit=limit, offset=offset)["ids"]
        end = None if limit is None else offset + limit
        assert found == [id for id in ids if id in self.rows][offset:end]

    @rule(data=st.data(), limit=st.none() | st.integers(0, 5), offset=st.integers(0, 3))
    def get_where(self, data: st.DataObject, limit: int | None, offset: int) -> None:
        known = self.records()
        where = data.draw(strategies.exprs_for(known))
        expected = [known.ids[row] for row in matching(known, where)]
        end = None if limit is None else offset + limit
        assert self.collection.get(where=where, limit=limit, offset=offset)["ids"] == expected[offset:end]
        assert self.collection.count(where=where) == len(expected)

    @rule(data=st.data(), k=st.integers(1, 14), query=strategies.embeddings(1, DIMENSION), filters=st.booleans())
    def query(self, data: st.DataObject, k: int, query: Matrix, filters: bool) -> None:
        known = self.records()
        filtered: dict[str, Any] = {}
        if filters:
            filtered["where"] = data.draw(strategies.exprs_for(known))
            filtered["where_document"] = data.draw(st.none() | strategies.where_documents_for(known))
        found = self.collection.query(query, n_results=k, exact=not self.bench.ranks_exactly, **filtered)
        among = known.take(matching(known, parse_where(**filtered) if filtered else None))
        check_hits(hits_of(found)[0], query[0], among, Metric.L2, k)

    @rule(query=strategies.documents(), k=st.integers(1, 14))
    @precondition(lambda self: HAS_LIBRARY)
    def search_text(self, query: str | None, k: int) -> None:
        known = self.records()
        found = self.collection.search_text(query or "a 1", n_results=k, include=["scores"])
        ranked = Ranked(Records(found["ids"][0]), np.array(found["scores"][0]))
        check_ranked(ranked, query or "a 1", known, range(len(known)), k)

    @invariant()
    def everything_is_the_same(self) -> None:
        if not hasattr(self, "collection"):
            return
        self.is_the_same(self.collection, self.rows)
        there = [(found.name, found.count()) for found in self.client.list_collections()]
        beside = [(name, len(rows)) for name, rows in self.beside.items()]
        assert there == [(self.collection.name, len(self.rows)), *beside], (
            "Other collections than the model's, in another order, or with another number of records."
        )

    # -- helpers -----------------------------------------------------------------------------------------------------

    def is_the_same(self, collection: Collection, rows: dict[str, Row]) -> None:
        found = everything(collection)
        assert found["ids"] == list(rows), "The collection and the model hold different records, or in another order."
        assert collection.count() == len(rows)
        for row, model in enumerate(rows.values()):
            assert np.asarray(found["embeddings"][row], dtype=np.float32).tobytes() == model.embedding.tobytes()
            assert found["documents"][row] == model.document
            assert exactly(found["metadatas"][row]) == exactly(model.metadata)

    @property
    def keeps(self) -> bool:
        persistent = self.bench.persistent
        return bool(self.client.info()["persistent"]) if persistent is None else persistent

    def records(self) -> Records:
        """The model, as records."""
        rows = list(self.rows.values())
        embeddings = np.array([row.embedding for row in rows], dtype=np.float32).reshape(len(rows), DIMENSION)
        return Records(list(self.rows), embeddings, [row.document for row in rows], [row.metadata for row in rows])

    def teardown(self) -> None:
        self.opening.__exit__(None, None, None)
        self.folder.cleanup()


class StateMachine(Bench):
    """Any sequence of calls gives what plain Python gives."""

    def test_random_calls(self) -> None:
        """add, upsert, update, delete, modify, get, query, count, upkeep, other collections that come and go and, where
        it is promised, reopening.

        Troubleshooting: set ``shrinks = True`` to be shown the shortest sequence of calls that fails.
        """
        machine = type("ConformanceMachine", (Model,), {"bench": self})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=12,
                deadline=None,
                database=None,
                phases=[phase for phase in Phase if self.shrinks or phase not in (Phase.shrink, Phase.explain)],
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )


def columns(batch: Records) -> dict[str, Any]:
    """The batch as arguments of `Collection.add`."""
    return {
        "ids": batch.ids,
        "embeddings": batch.embeddings,
        "documents": batch.documents,
        "metadatas": batch.metadatas,
    }


def rows_of(batch: Records) -> list[tuple[str, Row]]:
    """The batch as the model keeps it; an empty metadata is none."""
    values = zip(batch.embeddings, batch.documents, batch.metadatas, strict=True)  # type: ignore[arg-type]
    return [(id, Row(np.array(e), d, m or None)) for id, (e, d, m) in zip(batch.ids, values, strict=True)]


def merged(old: Metadata | None, new: Metadata | None) -> Metadata | None:
    """Key by key; None removes a key."""
    if new is None:
        return old
    kept = {key: value for key, value in (old or {}).items() if key not in new}
    return {**kept, **{key: value for key, value in new.items() if value is not None}} or None
