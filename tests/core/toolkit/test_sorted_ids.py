"""Rows that are found by the hashes of ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin import compiled
from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit import text_file
from chroma_plugin.toolkit.id_hashes import IdHash
from chroma_plugin.toolkit.sorted_ids import CompiledIds, SortedIds, hashed
from chroma_plugin.toolkit.text_file import TextFile

SECRET = b"0123456789abcdef"
ANY = st.text(st.characters(), max_size=8)
"""Halves of surrogate pairs among them."""
UNICODE = st.text(max_size=8)
SIMILAR = st.text("ab\0", max_size=5)
"""Prefixes of each other among them, and such as have the same hash: a zero at the end adds nothing."""
LONG = st.text("xy", min_size=60, max_size=66)
IDS = st.lists(ANY | SIMILAR | LONG, max_size=40) | st.lists(UNICODE | SIMILAR, max_size=40)
MakeFile = Callable[[Sequence[str | None]], TextFile]

needs_compiled = pytest.mark.skipif(not compiled.IS_THERE, reason="nothing is compiled")
WAYS = [SortedIds, pytest.param(CompiledIds, marks=needs_compiled)]


@pytest.fixture(scope="module")
def make_file(tmp_path_factory: pytest.TempPathFactory) -> MakeFile:
    """A file of ids, and a document behind each."""
    path = tmp_path_factory.mktemp("ids") / "ids.texts"

    def make(ids: Sequence[str | None]) -> TextFile:
        path.unlink(missing_ok=True)
        return text_file.append(path, [ids, ["a document"] * len(ids)], None)

    return make


def fresh(file: TextFile) -> TextFile:
    """The same file, of which nothing was looked at."""
    return TextFile(file.path, file.lengths, file.blocks.checksums)


def made(way: type[SortedIds], ids: Sequence[str], file: TextFile) -> SortedIds:
    hash = IdHash(SECRET)
    return way(*hashed(ids, np.arange(len(ids)), hash), hash, file)


@pytest.mark.parametrize("way", WAYS)
@given(ids=IDS, asked=IDS, data=st.data())
def test_every_id_has_its_first_row_that_is_alive(
    way: type[SortedIds], make_file: MakeFile, ids: list[str], asked: list[str], data: st.DataObject
) -> None:
    """An id may have several rows, of which some are dead."""
    alive = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    asked += data.draw(st.lists(st.sampled_from(ids), max_size=20)) if ids else []
    file = make_file(ids)
    rows = {id: row for row, id in reversed([*enumerate(ids)]) if alive[row]}

    for texts in (file, fresh(file)):
        found = made(way, ids, texts).rows_of(asked, np.array(alive, dtype=np.bool_))

        assert found.dtype == np.intp
        assert found.tolist() == [rows.get(id, -1) for id in asked]


@pytest.mark.parametrize("way", WAYS)
@given(
    ids=st.lists(UNICODE, min_size=1, max_size=40, unique=True),
    hashes=st.lists(st.sampled_from([0, 1, 2**31, 2**32 - 1])),
)
def test_ids_whose_hashes_are_equal(
    way: type[SortedIds], make_file: MakeFile, ids: list[str], hashes: list[int]
) -> None:
    """They are told apart by their texts; it does not matter how many there are."""
    own = IdHash(SECRET).many(ids)
    known = np.concatenate([own, own, np.array(hashes, dtype=np.uint32)])
    rows = np.concatenate([np.arange(len(ids))[::-1], np.arange(len(ids)), np.zeros(len(hashes))]).astype(np.uint32)
    order = np.argsort(known, kind="stable")
    by_hash = way(known[order], rows[order], IdHash(SECRET), make_file(ids))

    assert by_hash.rows_of(ids, np.ones(len(ids), dtype=np.bool_)).tolist() == [*range(len(ids))]


@pytest.mark.parametrize("way", WAYS)
def test_many_ids(way: type[SortedIds], make_file: MakeFile) -> None:
    """So many that they fill some blocks, and that hashes are not where they should be."""
    ids = [f"id-{number}" for number in range(20_000)]
    by_hash = made(way, ids, fresh(make_file(ids)))
    asked = [f"id-{number}" for number in range(0, 30_000, 7)]

    found = by_hash.rows_of(asked, np.ones(len(ids), dtype=np.bool_))

    assert found.tolist() == [number if number < 20_000 else -1 for number in range(0, 30_000, 7)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spread", [0, 2**32 - 1, 1000])
def test_hashes_that_are_not_spread_evenly(way: type[SortedIds], make_file: MakeFile, spread: int) -> None:
    """What stands before or behind all others is found, or not, all the same."""
    ids = ["a", "b", "c"]
    hash = IdHash(SECRET)
    own, rows = hashed(ids, np.arange(3), hash)
    others = np.full(1000, spread, dtype=np.uint32)
    known, every = np.concatenate([own, others]), np.concatenate([rows, np.zeros(1000, dtype=np.uint32)])
    order = np.argsort(known, kind="stable")
    by_hash = way(known[order], every[order], hash, make_file(ids))

    assert by_hash.rows_of(["c", "nobody", "b", "a"] * 3, np.ones(3, dtype=np.bool_)).tolist() == [2, -1, 1, 0] * 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 20])
def test_blocks_are_looked_at_before_their_texts_are_read(
    way: type[SortedIds], make_file: MakeFile, count: int
) -> None:
    """Each when the first id in it is looked for, and not before."""
    ids = [f"id-{number}" for number in range(20_000)]
    file = make_file(ids)
    damaged = bytearray(file.path.read_bytes())
    damaged[-1] ^= 1
    file.path.write_bytes(damaged)
    by_hash, alive = made(way, ids, fresh(file)), np.ones(len(ids), dtype=np.bool_)

    assert by_hash.rows_of(ids[:count], alive).tolist() == [*range(count)]
    assert by_hash.rows_of(["nobody"] * count, alive).tolist() == [-1] * count
    with pytest.raises(CorruptionError, match="not what was written"):
        by_hash.rows_of(ids[-count:], alive)


@needs_compiled
class TestWhatIsWrong:
    """Whatever the arrays hold, nothing is read but them."""

    IDS: Final = ("a", "b", "c")

    def refused(self, by_hash: SortedIds, alive: int = 3) -> None:
        with pytest.raises(ValueError, match="a row that is not there"):
            by_hash.rows_of(self.IDS, np.ones(alive, dtype=np.bool_))

    @pytest.mark.parametrize("row", [3, 2**31, 2**32 - 1])
    def test_rows(self, make_file: MakeFile, row: int) -> None:
        hash = IdHash(SECRET)
        hashes, _ = hashed(self.IDS, np.arange(3), hash)
        self.refused(CompiledIds(hashes, np.full(3, row, dtype=np.uint32), hash, make_file(self.IDS)), alive=4)

    def test_alive(self, make_file: MakeFile) -> None:
        self.refused(made(CompiledIds, self.IDS, make_file(self.IDS)), alive=2)

    @pytest.mark.parametrize("start", [-(2**63), -1, 100, 2**63 - 1])
    def test_starts(self, make_file: MakeFile, start: int) -> None:
        file = make_file(self.IDS)
        by_hash = made(CompiledIds, self.IDS, file)
        file.parts[1][1] = start
        self.refused(by_hash)

    @pytest.mark.parametrize("length", [100, 2**31 - 1])
    def test_lengths(self, make_file: MakeFile, length: int) -> None:
        file = make_file(self.IDS)
        by_hash = made(CompiledIds, self.IDS, file)
        file.parts[2][:, 0] = length
        self.refused(by_hash)

    def test_arrays_of_different_rows(self, make_file: MakeFile) -> None:
        hash, file = IdHash(SECRET), make_file(self.IDS)
        hashes, rows = hashed(self.IDS, np.arange(3), hash)
        with pytest.raises(ValueError, match="of the same rows"):
            CompiledIds(hashes, rows[1:], hash, file)

    def test_what_is_no_id(self, make_file: MakeFile) -> None:
        ids: Any = [b"a"]
        by_hash = made(CompiledIds, self.IDS, make_file(self.IDS))
        with pytest.raises(TypeError):
            by_hash.rows_of(ids, np.ones(3, dtype=np.bool_))
