"""The kit's tests of records: written, read back exactly, replaced, updated, deleted, in a stable order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chroma_plugin.backend import Backend, CollectionStore
from chroma_plugin.testing.base import METRICS, Bench, created
from chroma_plugin.testing.data import (
    HARD_TEXTS,
    HARD_VALUES,
    collection,
    contents,
    exactly,
    ids_of,
    numbered,
    read,
    records,
    vectors,
)
from chroma_plugin.types import FIELDS, NO_FIELDS, Field, Metric, Records, Scan, Search


class RoundTrips(Bench):
    """What is read is what was written."""

    def test_an_empty_collection(self, store: CollectionStore) -> None:
        """It reads as nothing, counts 0, and deletes nothing."""
        assert ids_of(store) == []
        assert ids_of(store, Scan(ids=["a"])) == []
        assert store.count() == 0
        assert store.delete(["a"]) == 0

    def test_records_come_back_as_written(self, store: CollectionStore) -> None:
        """Every column, every record of the batch."""
        written = records(["b", "a", "c"], uris=["file:b", None, "file:c"])
        store.put(written)
        assert contents(read(store)) == contents(written), "A record comes back as it was written."
        assert store.count() == 3

    def test_absent_values_stay_absent(self, store: CollectionStore) -> None:
        """None is not an empty string, and a value that is None is not a key that is missing."""
        written = records(["a", "b"], documents=[None, ""], metadatas=[None, {"key": None}], uris=[None, ""])
        store.put(written)
        assert contents(read(store)) == contents(written)

    def test_uris_may_be_left_out(self, store: CollectionStore) -> None:
        """``uris=None`` writes no uri; a replaced record loses the one it had."""
        store.put(records(["a", "b"], uris=["file:a", "file:b"]))
        store.put(records(["b"]))
        assert [row[-1] for row in contents(read(store))] == ["file:a", None]

    @pytest.mark.parametrize("name", HARD_VALUES)
    def test_metadata_values_keep_value_and_type(self, store: CollectionStore, name: str) -> None:
        """1, 1.0, True and "1" are four different values; 64-bit integers are exact; lists and dicts nest.

        Troubleshooting: JSON keeps all of these apart (repr of a float is exact); columns of SQL types, or a detour
        through numpy or float, do not.
        """
        value = HARD_VALUES[name]
        store.put(records(["a", "b"], metadatas=[{"key": value, "other": 0}, {"key": [value], "deep": {"er": value}}]))
        found = read(store, Scan(fields=frozenset(("metadatas",)))).metadatas
        assert exactly(found) == exactly([{"key": value, "other": 0}, {"key": [value], "deep": {"er": value}}])

    def test_types_may_differ_from_record_to_record(self, store: CollectionStore) -> None:
        """One key holds a value of another type in every record."""
        metadatas = [{"key": value} for value in HARD_VALUES.values()]
        store.put(records([f"r{row}" for row in range(len(metadatas))], metadatas=metadatas))
        assert exactly(read(store).metadatas) == exactly(metadatas)

    def test_hard_texts(self, store: CollectionStore) -> None:
        """Ids, documents, uris, metadata keys and values are any text: Unicode, quotes, NUL, SQL, blanks."""
        ids = [text for text in HARD_TEXTS if text]
        written = records(
            ids,
            documents=ids,
            metadatas=[{text: text, "list": list(HARD_TEXTS), "deep": {text: text}} for text in ids],
            uris=ids,
        )
        store.put(written)
        assert contents(read(store)) == contents(written)
        for id in ids:
            assert ids_of(store, Scan(ids=[id])) == [id], "An id is found by the same text and no other."
        assert store.delete(ids[::2]) == len(ids[::2])
        assert ids_of(store) == ids[1::2]

    def test_big_texts(self, store: CollectionStore) -> None:
        """A document of 2 MB and an id of 10,000 characters come back whole."""
        written = records(["i" * 10_000], documents=["große " * 350_000])
        store.put(written)
        assert contents(read(store)) == contents(written)

    @pytest.mark.parametrize("metric", METRICS)
    def test_embeddings_come_back_bit_for_bit(self, engine: Backend, metric: Metric) -> None:
        """Float32, the smallest and the largest, both zeros: nothing is rounded or normalised.

        Troubleshooting: keep the 4 * dimension bytes as they are; an index that normalises needs its own copy.
        """
        limits = np.finfo(np.float32)
        hard = np.array(
            [
                [limits.max, limits.min, limits.tiny, limits.smallest_subnormal],
                [0.0, -0.0, 1 / 3, 1 + limits.eps],
                [16777216, 16777217, 1e-30, 1e30],
            ],
            dtype=np.float32,
        )
        with created(engine, collection(metric=metric)) as store:
            store.put(records(["a", "b", "c"], embeddings=hard))
            found = read(store, Scan(fields=frozenset(("embeddings",)))).embeddings
        assert found is not None
        assert found.dtype == np.float32
        assert found.shape == hard.shape
        assert found.tobytes() == hard.tobytes(), "An embedding comes back bit for bit."

    def test_a_batch_of_many(self, store: CollectionStore) -> None:
        """2,000 records in one call, and read back in as many batches as the store likes."""
        written = numbered(2000)
        store.put(written)
        assert contents(read(store)) == contents(written)
        assert store.count() == 2000


class Writes(Bench):
    """put, insert, update and delete change what they say and nothing else."""

    def test_put_replaces_whole_records_in_place(self, store: CollectionStore) -> None:
        """A known id gets every column anew and keeps its place in the order; unknown ids go to the end."""
        before = numbered(4)
        store.put(before)
        written = records(
            ["new1", "r2", "new0", "r0"],
            embeddings=vectors(4, seed=8),
            documents=["w", None, "y", "z"],
            metadatas=[{"n": 1}, None, {"n": 0}, {"other": True}],
        )
        store.put(written)
        expected = [contents(written)[3], contents(before)[1], contents(written)[1], contents(before)[3]]
        found = contents(read(store))
        assert [row[0] for row in found] == ["r0", "r1", "r2", "r3", "new1", "new0"], (
            "A replaced record keeps its place."
        )
        assert found[:4] == expected, "A replaced record has nothing of the old one."
        assert store.count() == 6

    def test_a_deleted_record_comes_back_at_the_end(self, store: CollectionStore) -> None:
        """An id that was deleted is new again."""
        store.put(numbered(3))
        assert store.delete(["r0"]) == 1
        store.put(records(["r0"]))
        assert ids_of(store) == ["r1", "r2", "r0"]

    def test_delete_counts_what_existed(self, store: CollectionStore) -> None:
        """Unknown ids are ignored and not counted; a second time deletes nothing."""
        store.put(numbered(5))
        assert store.delete(["r3", "nothing", "r1"]) == 2, "`delete` returns how many of the ids existed."
        assert ids_of(store) == ["r0", "r2", "r4"]
        assert store.count() == 3
        assert store.delete(["r3", "r1"]) == 0
        assert ids_of(store, Scan(ids=["r1", "r2", "r3"])) == ["r2"]

    def test_insert_leaves_known_records_alone(self, store: CollectionStore) -> None:
        """It adds the unknown ones, in their order, and returns the known ids."""
        before = numbered(2)
        store.put(before)
        given = records(["new1", "r1", "new0"], embeddings=vectors(3, seed=9), documents=["x", "y", "z"])
        assert list(store.insert(given)) == ["r1"], "`insert` returns the ids that were known."
        assert contents(read(store)) == contents(before) + contents(given)[::2]
        assert list(store.insert(before)) == ["r0", "r1"]
        assert store.count() == 4

    @pytest.mark.parametrize("column", sorted(FIELDS))
    def test_update_changes_one_column(self, store: CollectionStore, column: Field) -> None:
        """The columns that are None are left alone; so are the other records, and the order.

        Troubleshooting: the new metadata replaces the old one whole; the core has merged it already.
        """
        before = records(["a", "b", "c"], uris=["file:a", "file:b", "file:c"])
        store.put(before)
        after = records(["c", "a"], vectors(2, seed=9), ["new c", None], [None, {"new": 1}], [None, "file:new"])
        store.update(after.only(frozenset((column,))))
        values = {field: _column(after if field == column else before, field) for field in FIELDS}
        expected = {
            id: {field: values[field].get(id, _column(before, field)[id]) for field in FIELDS} for id in before.ids
        }
        found = read(store)
        assert list(found.ids) == ["a", "b", "c"]
        for field in sorted(FIELDS):
            wanted = {id: expected[id][field] for id in before.ids}
            assert _column(found, field) == wanted, f"`update` of {column} alone gave wrong {field}."

    def test_update_of_all_columns(self, store: CollectionStore) -> None:
        """Everything at once."""
        store.put(numbered(3))
        after = records(["r2", "r1"], vectors(2, seed=9), ["x", "y"], [{"a": 1}, None], ["u", None])
        store.update(after)
        assert contents(read(store)) == contents(numbered(1)) + contents(after)[::-1]

    def test_revise_writes_what_it_makes_of_what_it_read(self, store: CollectionStore) -> None:
        """`revise` returns what the work returns; what that wrote is there, of records old and new."""
        store.put(numbered(3))

        def work(inner: CollectionStore) -> list[str]:
            known = ids_of(inner, Scan(ids=["r1", "r3"]))
            inner.put(records(["r1", "r3"], vectors(2, seed=9), ["changed", "new"]))
            inner.update(Records(["r1"], documents=[f"known: {known}"]))
            return known

        assert store.revise(work) == ["r1"]
        assert ids_of(store) == ["r0", "r1", "r2", "r3"]
        assert list(read(store, Scan(ids=["r1", "r3"])).documents or ()) == ["known: ['r1']", "new"]

    def test_empty_batches(self, store: CollectionStore) -> None:
        """Writing or deleting nothing is allowed and changes nothing."""
        store.put(numbered(2))
        nothing = numbered(2).take([])
        store.put(nothing)
        assert list(store.insert(nothing)) == []
        assert store.delete([]) == 0
        assert contents(read(store)) == contents(numbered(2))

    def test_the_caller_may_change_his_arrays(self, store: CollectionStore) -> None:
        """`put`, `insert` and `update` copy the embeddings that they are given."""
        given = vectors(3)
        put, inserted = records(["a", "b"], given[:2]), records(["c"], given[2:])
        store.put(put)
        store.insert(inserted)
        expected = [given[0].tobytes(), vectors(1, seed=9)[0].tobytes(), given[2].tobytes()]
        new = vectors(1, seed=9)
        store.update(Records(["b"], new))
        given[:], new[:] = 99, 99
        found = read(store)
        assert found.embeddings is not None
        assert [row.tobytes() for row in found.embeddings] == expected, "Embeddings changed with the caller's array."

    def test_the_reader_may_change_metadata(self, store: CollectionStore) -> None:
        """What `scan` and `search` give out is neither what the store keeps nor what another query's hit holds.

        Troubleshooting: metadata that you keep as dicts is copied for each read, with `chroma_plugin.types.copied`.
        """
        written = {"key": 1, "list": [1, 2], "deep": {"er": [1]}}
        store.put(records(["a"], metadatas=[written]))
        queries = vectors(2)
        answers = [
            *store.scan(Scan()),
            *(hits.records for hits in store.search(Search(queries, 1, Metric.L2, fields=FIELDS))),
        ]
        for answer in answers:
            found: Any = answer.metadatas and answer.metadatas[0]
            assert found == {"key": 1, "list": [1, 2], "deep": {"er": [1]}}, (
                "Metadata changed with what was read before."
            )
            found["key"], found["new"] = 2, 3
            found["list"].append(3)
            found["deep"]["er"].append(2)
        assert read(store).metadatas == [{"key": 1, "list": [1, 2], "deep": {"er": [1]}}]

    def test_optimize_changes_nothing(self, store: CollectionStore) -> None:
        """It may be called at any time, and what is read stays the same."""
        store.put(numbered(20))
        store.delete(["r3", "r4"])
        before = contents(read(store))
        store.optimize()
        assert contents(read(store)) == before
        store.put(records(["new"]))
        assert ids_of(store)[-1] == "new"


class Scans(Bench):
    """A scan gives the records that were asked for, in the order the request states."""

    @pytest.mark.parametrize(
        ("limit", "offset"), [(None, 0), (None, 3), (0, 0), (4, 0), (4, 3), (4, 8), (4, 10), (4, 99), (99, 0), (1, 9)]
    )
    def test_limit_and_offset(self, store: CollectionStore, limit: int | None, offset: int) -> None:
        """They cut the order of insertion as a slice does, with ids too; beyond the end there is nothing."""
        store.put(numbered(10))
        end = None if limit is None else offset + limit
        everything = [f"r{row}" for row in range(10)]
        assert ids_of(store, Scan(limit=limit, offset=offset)) == everything[offset:end]
        backwards = [*reversed(everything), "nothing"]
        assert (
            ids_of(store, Scan(ids=["nothing", *backwards], limit=limit, offset=offset))
            == backwards[offset:end][: 10 - offset]
        )

    def test_ids_come_in_the_order_asked_for(self, store: CollectionStore) -> None:
        """With ids, the order is theirs, not that of insertion; unknown ones are left out."""
        store.put(numbered(6))
        found = read(store, Scan(ids=["r4", "nothing", "r0", "r5", "r1"]))
        assert list(found.ids) == ["r4", "r0", "r5", "r1"], "With `ids` the records come in that order."
        assert contents(found) == contents(numbered(6).take([4, 0, 5, 1]))
        assert ids_of(store, Scan(ids=[])) == [], "No ids asked for is no records, not all of them."

    @pytest.mark.parametrize("fields", [NO_FIELDS, *(frozenset((field,)) for field in sorted(FIELDS)), FIELDS])
    def test_fields(self, store: CollectionStore, fields: frozenset[Field]) -> None:
        """The columns asked for are there and right; the ids always are."""
        written = records(["a", "b", "c"], uris=["u", None, "v"])
        store.put(written)
        found = read(store, Scan(fields=fields))
        assert list(found.ids) == ["a", "b", "c"]
        for field in fields:
            assert getattr(found, field) is not None, f"`scan` was asked for {field} and left the column None."
            assert _column(found, field) == _column(written, field)

    def test_many_ids(self, store: CollectionStore) -> None:
        """So many that one SQL statement may not hold them."""
        store.put(numbered(2000))
        wanted = [f"r{row}" for row in range(1999, -1, -1)] + [f"unknown{row}" for row in range(40_000)]
        assert ids_of(store, Scan(ids=wanted)) == wanted[:2000]
        assert store.delete(wanted) == 2000

    def test_a_scan_that_is_not_read_to_its_end(self, store: CollectionStore) -> None:
        """It holds no lock: the store can be written, another scan begun, and the first one read on."""
        store.put(numbered(500))
        scan = iter(store.scan(Scan()))
        first = list(next(scan).ids)
        store.put(records(["new"]))
        assert ids_of(store)[-1] == "new"
        found = first + [id for batch in scan for id in batch.ids]
        assert [id for id in found if id != "new"] == list(numbered(500).ids)


def _column(found: Records, field: Field) -> dict[str, object]:
    column = getattr(found, field)
    return {
        id: value.tobytes() if field == "embeddings" else exactly(value)
        for id, value in zip(found.ids, column, strict=True)
    }
