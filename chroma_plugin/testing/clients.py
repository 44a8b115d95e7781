"""The kit's tests through `chroma_plugin.Client`: backend and core together give the promised answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin import Client, Collection, Settings
from chroma_plugin.errors import IDAlreadyExistsError, UniqueConstraintError
from chroma_plugin.filters import Expr, parse_where
from chroma_plugin.plugins import default_manager
from chroma_plugin.plugins.options import option_fields
from chroma_plugin.testing import strategies
from chroma_plugin.testing.base import Bench
from chroma_plugin.testing.data import DIMENSION, exactly, numbered, records, vectors
from chroma_plugin.testing.filters import NODES, table
from chroma_plugin.testing.judge import check_hits, matching
from chroma_plugin.types import Hits, Metric, Records

COLUMNS = ("metadatas", "documents", "embeddings")


class Clients(Bench):
    """What the store does and what the core does for it fit together."""

    def test_it_opens_by_its_name(self, place: Path) -> None:
        """``Client(Settings(chroma_db_impl=NAME))`` finds the backend, writes and reads."""
        if not self.backend:
            pytest.skip("this class overrides `open_backend` and has no registered name")
        options = dict(self.options)
        if self.place_option in option_fields(default_manager().backend(self.backend)):
            options.setdefault(self.place_option, str(place))
        with Client(Settings(chroma_db_impl=self.backend, **options)) as client:
            collection = filled(client, numbered(3))
            assert collection.count() == 3
            assert collection.get(ids=["r2"])["documents"] == ["about r2"]

    @pytest.mark.parametrize("kind", NODES)
    def test_every_filter(self, client: Client, kind: str) -> None:
        """The table of filters, whoever evaluates them: the store, the core, or both."""
        written = table()
        collection = filled(client, written)
        wrong = [text for node in NODES[kind] for text in disagreements(collection, written, node, parse_where(node))]
        assert not wrong, "Filters that mean something else here:\n" + "\n".join(wrong[:20])

    def test_random_where_dicts(self, client: Client) -> None:
        """Random records and ``where`` dicts over values near the stored ones: get, count, query and delete agree."""

        @self.property
        @given(st.data())
        def check(data: st.DataObject) -> None:
            written = data.draw(strategies.records(DIMENSION, min_size=1))
            where = data.draw(strategies.wheres_for(written))
            where_document = data.draw(st.none() | strategies.where_documents_for(written))
            collection = filled(client, written)
            meant = parse_where(where, where_document=where_document)
            wrong = list(disagreements(collection, written, where, meant, where_document))
            deleted = collection.delete(where=where, where_document=where_document)["deleted"]
            left = collection.get(include=[])["ids"]
            client.delete_collection("things")
            assert not wrong, "\n".join(wrong)
            matched = matching(written, meant)
            assert deleted == len(matched), "`delete(where=...)` says how many it deleted."
            assert left == [id for row, id in enumerate(written.ids) if row not in matched]

        check()

    def test_never_fewer_than_n_results_while_so_many_match(self, client: Client) -> None:
        """Filters that leave half, a far cluster, or a handful of `index_size` records, whoever evaluates them."""
        cluster = np.arange(self.index_size) % 20
        centers = vectors(20, 16, seed=21) * 4
        written = records(
            [f"r{row}" for row in range(self.index_size)],
            embeddings=centers[cluster] + vectors(self.index_size, 16, seed=22),
            metadatas=[{"cluster": int(c), "row": row} for row, c in enumerate(cluster)],
        )
        collection = filled(client, written)
        collection.create_index()
        for where in (
            {"row": {"$lt": self.index_size // 2}},
            {"cluster": 19},
            {"row": {"$in": [1, 8, 2000]}},
            {"row": -1},
        ):
            among = written.take(matching(written, parse_where(where)))
            for k in (1, 10, len(among) + 5):
                found = collection.query(query_embeddings=centers[:2], n_results=k, where=where, include=["distances"])
                for query, hits in zip(centers, hits_of(found), strict=False):
                    check_hits(hits, query, among, Metric.L2, k, exact=self.ranks_exactly)

    def test_a_refused_add_changes_nothing(self, client: Client) -> None:
        """``on_conflict="error"`` with one known id among new ones."""
        collection = filled(client, numbered(3))
        with pytest.raises(IDAlreadyExistsError):
            add(collection, records(["new", "r1"]), on_conflict="error")
        assert collection.get()["ids"] == ["r0", "r1", "r2"]

    def test_a_refused_rename_changes_nothing(self, client: Client) -> None:
        """Renaming onto a taken name leaves both collections, and the name of the handle."""
        first, second = (filled(client, numbered(2), name) for name in ("first", "second"))
        with pytest.raises(UniqueConstraintError):
            second.modify(name="first")
        assert (first.name, second.name) == ("first", "second")
        assert [found.name for found in client.list_collections()] == ["first", "second"]
        assert (first.count(), second.count()) == (2, 2)

    def test_what_callers_change_afterwards_changes_no_record(self, client: Client) -> None:
        """Neither the arrays, lists and dicts that were passed, nor those that came back.

        Troubleshooting: a store must copy the embeddings that `put` gives it, and hand out no list or dict of its own.
        """
        embeddings, documents, metadata = vectors(1), ["before"], {"key": "before", "list": [1]}
        expected = embeddings.copy(), ["before"], exactly([{"key": "before", "list": [1]}])
        collection = filled(client, records(["a"], embeddings, documents, [metadata]))
        embeddings[0, 0], documents[0], metadata["key"] = 99, "after", "after"
        metadata["list"].append(2)  # type: ignore[attr-defined]
        for _ in range(2):
            found = everything(collection)
            assert found["embeddings"].tobytes() == expected[0].tobytes()
            assert (found["documents"], exactly(found["metadatas"])) == expected[1:]
            found["documents"][0], found["metadatas"][0]["key"] = "after", "after"
            found["metadatas"][0]["list"].append(3)

    def test_writes_are_seen_at_once(self, client: Client) -> None:
        """By get, count and query, through every handle of the collection."""
        collection = filled(client, numbered(50))
        other = client.get_collection("things", embedding_function=None)
        target = vectors(1, seed=31)
        for row in range(20):
            add(collection, records([f"new{row}"], embeddings=target + row))
            assert other.count() == 51 + row
            nearest = other.query(query_embeddings=target + row, n_results=1, exact=not self.ranks_exactly)["ids"]
            assert nearest == [[f"new{row}"]], "A query right after a write sees it."


def filled(client: Client, written: Records, name: str = "things") -> Collection:
    """A new collection of these records."""
    collection = client.create_collection(name, embedding_function=None)
    if len(written):
        add(collection, written)
    return collection


def add(collection: Collection, written: Records, **options: Any) -> None:
    """Add records as columns."""
    columns = {"embeddings": written.embeddings, "documents": written.documents, "metadatas": written.metadatas}
    collection.add(ids=list(written.ids), **columns, **options)  # type: ignore[arg-type]


def everything(collection: Collection) -> Any:
    """All records with all columns."""
    return collection.get(include=list(COLUMNS))


def hits_of(result: Any) -> list[Hits]:
    """The hits of a query result, one per query."""
    pairs = zip(result["ids"], result["distances"], strict=True)
    return [Hits(Records(ids), np.asarray(distances, dtype=np.float32)) for ids, distances in pairs]


def disagreements(
    collection: Collection, written: Records, where: Any, meant: Expr | None, where_document: Any = None
) -> list[str]:
    """A sentence for every method of a collection that evaluates this filter otherwise than the reference."""
    expected = [written.ids[row] for row in matching(written, meant)]
    query = np.zeros((1, DIMENSION), dtype=np.float32)
    filters = {"where": where, "where_document": where_document}
    answers = {
        "get": collection.get(**filters, include=[])["ids"],
        "get with a slice": collection.get(**filters, include=[], offset=1, limit=3)["ids"],
        "count": collection.count(**filters),
        "query": sorted(collection.query(query, n_results=len(written), **filters, include=[])["ids"][0]),
    }
    right = {"get": expected, "get with a slice": expected[1:4], "count": len(expected), "query": sorted(expected)}
    return [
        f"`{name}` gives {answers[name]} instead of {right[name]} under {where} {where_document or ''}"
        for name in answers
        if answers[name] != right[name]
    ]
