"""The kit's tests of failing writes: whatever goes wrong in the middle, nothing of the batch is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

import numpy as np
import pytest

from chroma_plugin.backend import CollectionStore
from chroma_plugin.testing.base import Bench
from chroma_plugin.testing.data import contents, numbered, read, records, vectors
from chroma_plugin.types import FIELDS, Records


class BrokenColumnError(Exception):
    """What a `BrokenColumn` raises."""


class BrokenColumn(Sequence[str]):
    """A column whose last value can't be read: the failure in the middle of a write."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return [self[row] for row in range(*place.indices(self._length))]
        if not -self._length <= place < self._length:
            raise IndexError(place)
        if place % self._length == self._length - 1:
            raise BrokenColumnError("the last value of this column can't be read")
        return f"document {place}"

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(self._length))


class Atomicity(Bench):
    """A write happens whole or not at all.

    Troubleshooting: prepare the whole batch first (bytes, JSON), then apply it in one transaction or one assignment.
    """

    def test_a_put_that_fails_leaves_nothing(self, store: CollectionStore) -> None:
        """New and known ids in a batch whose last document can't be read: the store is as before and works on."""
        store.put(numbered(3))
        before = contents(read(store))
        ids = ["new0", "r1", "new1", "r2", "new2"]
        broken = replace(records(ids, vectors(5, seed=9)), documents=BrokenColumn(5))
        with pytest.raises(BrokenColumnError):
            store.put(broken)
        assert contents(read(store)) == before, "A `put` that fails leaves everything as it was."
        assert store.count() == 3
        store.put(records(["after"]))
        assert [row[0] for row in contents(read(store))] == ["r0", "r1", "r2", "after"]

    def test_an_insert_that_fails_leaves_nothing(self, store: CollectionStore) -> None:
        """The same for `insert`."""
        store.put(numbered(2))
        before = contents(read(store))
        with pytest.raises(BrokenColumnError):
            store.insert(replace(records(["new0", "r1", "new1"]), documents=BrokenColumn(3)))
        assert contents(read(store)) == before

    def test_an_update_that_fails_leaves_nothing(self, store: CollectionStore) -> None:
        """The same for `update`."""
        store.put(numbered(3))
        before = contents(read(store))
        with pytest.raises(BrokenColumnError):
            store.update(Records(ids=["r0", "r2", "r1"], embeddings=vectors(3, seed=9), documents=BrokenColumn(3)))
        assert contents(read(store)) == before

    def test_a_value_that_cannot_be_stored(self, store: CollectionStore) -> None:
        """A store may refuse, or keep, what the contract does not allow; it never keeps half of such a batch."""
        store.put(numbered(2))
        before = contents(read(store))
        strange = records(["new", "r1"], vectors(2, seed=9), metadatas=[{"a": 1}, {"a": object()}])
        try:
            store.put(strange)
        except Exception:  # any refusal will do; what counts is what it leaves behind
            assert contents(read(store)) == before
        else:
            assert store.count() == 3

    def test_writing_many_known_and_new_ones(self, store: CollectionStore) -> None:
        """A mixed batch of 1,500 is there whole."""
        store.put(numbered(1000))
        written = records([f"r{row}" for row in range(500, 2000)], embeddings=vectors(1500, seed=9))
        store.put(written)
        found = read(store)
        assert list(found.ids) == [f"r{row}" for row in range(2000)]
        assert contents(found)[500:] == contents(written)
        assert found.embeddings is not None
        assert np.array_equal(found.embeddings[:500], vectors(1000)[:500])
        assert contents(found.only(FIELDS))[:500] == contents(numbered(1000))[:500]
