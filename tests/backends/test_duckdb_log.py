"""DuckDB's log is read before DuckDB sees it: what was acknowledged is there, or an error says what is not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.file import NAME
from chroma_plugin_duckdb.guard import UnfinishedWriteWarning
from chroma_plugin_duckdb.log import head_of_log, log_head, log_of, read_log
from chroma_plugin_duckdb.opening import opened
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.receipt import Receipt, receipt_of

from chroma_plugin.errors import CorruptionError, StorageError
from chroma_plugin.types import CollectionInfo, Scan

INFO = CollectionInfo(UUID(int=7), "things", configuration={"hnsw": {"space": "l2"}}, dimension=4)

WRITER = """
    import os, sys
    import numpy as np
    from uuid import UUID
    from chroma_plugin.types import CollectionInfo, Records
    from chroma_plugin_duckdb.backend import DuckDBBackend, DuckDBOptions
    backend = DuckDBBackend(DuckDBOptions(sys.argv[1]))
    info = CollectionInfo(UUID(int=7), "things", configuration={"hnsw": {"space": "l2"}}, dimension=4)
    backend.create_collection(info)
    store = backend.open_collection(info)
    backend.flush()
    for batch in range(4):
        ids = [f"{batch}-{row}" for row in range(50)]
        store.put(Records(ids, np.full((50, 4), batch, np.float32), ["words"] * 50, [{"n": batch}] * 50))
        print((backend._file.path.with_name("chroma.duckdb.wal")).stat().st_size, flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[int]]:
    """The files of a store whose process ended after four writes, and how long the log was after each."""
    place = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(place)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {path.name: path.read_bytes() for path in place.iterdir()}, [int(line) for line in told.split()]


@pytest.fixture
def place(tmp_path: Path, killed: tuple[dict[str, bytes], list[int]]) -> Path:
    for name, data in killed[0].items():
        (tmp_path / name).write_bytes(data)
    return tmp_path / NAME


@pytest.fixture
def ends(killed: tuple[dict[str, bytes], list[int]]) -> list[int]:
    return killed[1]


def ids_in(path: Path, *, read_only: bool = False) -> list[str]:
    backend = opened(DuckDBOptions(path.parent, read_only=read_only))
    try:
        return [id for batch in backend.open_collection(INFO).scan(Scan()) for id in batch.ids]
    finally:
        backend.close()


def batches(count: int) -> list[str]:
    return [f"{batch}-{row}" for batch in range(count) for row in range(50)]


def flip(path: Path, at: int, mask: int = 4) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def test_every_frame_of_a_log_is_understood(place: Path, ends: list[int]) -> None:
    """Head, sizes, checksums and ends of transactions are read as DuckDB writes them: its format is still this one."""
    data = log_of(place).read_bytes()
    head = log_head(data)
    receipt = Receipt.read(place)

    assert head is not None
    assert data.startswith(head_of_log(head.head))
    assert len(head_of_log(head.head)) == head.length
    assert receipt == Receipt(head.head, ends[-1])
    reading = read_log(log_of(place), head.length)
    assert (reading.size, reading.whole, reading.bad) == (ends[-1], ends[-1], None)
    for shorter in (ends[2], ends[2] + 1, ends[2] + 30, ends[3] - 1):
        log_of(place).write_bytes(data[:shorter])
        assert read_log(log_of(place), head.length).whole == ends[2]


def put_back(place: Path, killed: tuple[dict[str, bytes], list[int]]) -> None:
    for path in place.parent.iterdir():
        path.unlink()
    for name, data in killed[0].items():
        (place.parent / name).write_bytes(data)


def spots(ends: list[int]) -> Iterator[int]:
    """Of the head, of each end of a transaction and the beginning of the next, and of the rest."""
    yield from range(0, 64, 3)
    for end in ends:
        yield from range(end - 25, min(end + 20, ends[-1]), 4)
    yield from range(64, ends[-1], 1997)


def test_a_flipped_byte_is_an_error_that_names_the_log(
    place: Path, ends: list[int], killed: tuple[dict[str, bytes], list[int]]
) -> None:
    """Wherever it stands: nothing that was acknowledged is dropped in silence."""
    for at in spots(ends):
        put_back(place, killed)
        flip(log_of(place), at)
        with pytest.raises(StorageError, match=r"chroma\.duckdb"):
            ids_in(place)


def test_without_a_receipt_the_last_write_may_have_been_cut_short(
    place: Path, ends: list[int], killed: tuple[dict[str, bytes], list[int]]
) -> None:
    """Damage before it is an error all the same; in it, the write is taken off, with a warning and a copy."""
    for at in spots(ends):
        put_back(place, killed)
        receipt_of(place).unlink()
        flip(log_of(place), at)
        if at < ends[2]:
            with pytest.raises(StorageError, match=r"chroma\.duckdb"):
                ids_in(place)
        else:
            with pytest.warns(UnfinishedWriteWarning, match=r"wal\.unfinished-1"):
                assert ids_in(place) == batches(3)
            assert log_of(place).with_name(f"{NAME}.wal.unfinished-1").stat().st_size == ends[3]


@pytest.mark.parametrize("size", [0, 1, 30, 60, -1, -30], ids=lambda size: f"to {size}")
def test_a_cut_log_is_an_error(place: Path, ends: list[int], size: int) -> None:
    """It says that something is missing, and the other files stay as they are."""
    os.truncate(log_of(place), size % ends[-1])
    before = place.read_bytes()

    with pytest.raises(CorruptionError, match=r"duckdb\.wal (has|is missing).*doctor --repair"):
        ids_in(place)
    assert place.read_bytes() == before


def test_a_missing_log_is_an_error(place: Path) -> None:
    """For readers too."""
    log_of(place).unlink()

    for read_only in (False, True):
        with pytest.raises(CorruptionError, match=r"duckdb\.wal is missing"):
            ids_in(place, read_only=read_only)


def test_a_write_that_was_cut_short_is_dropped(
    place: Path, ends: list[int], killed: tuple[dict[str, bytes], list[int]]
) -> None:
    """A log that just ends too early, behind what was acknowledged, is what a killed process leaves: no word of it."""
    data = log_of(place).read_bytes()
    for tail in (data[ends[2] : ends[3] - 40], b"garbage! " * 50):
        put_back(place, killed)
        log_of(place).write_bytes(data + tail)

        assert ids_in(place) == batches(4)


@pytest.mark.parametrize("kind", ["hole", "zeros"])
def test_a_hole_in_a_write_that_was_not_acknowledged(place: Path, ends: list[int], kind: str) -> None:
    """A loss of power leaves it; DuckDB alone would refuse all of the database. Readers can't take it off."""
    data = log_of(place).read_bytes()
    last = bytearray(data[ends[2] : ends[3]])
    last[100:900] = bytes(800)
    tail = bytes(last) if kind == "hole" else bytes(500)
    log_of(place).write_bytes(data + tail)

    with pytest.raises(StorageError, match="once without read_only"):
        ids_in(place, read_only=True)
    with pytest.warns(UnfinishedWriteWarning, match=f"from byte {ends[3]} on"):
        assert ids_in(place) == batches(4)
    assert log_of(place).with_name(f"{NAME}.wal.unfinished-1").read_bytes() == data + tail
    assert ids_in(place) == batches(4)


def test_a_first_write_whose_beginning_never_arrived(place: Path, ends: list[int]) -> None:
    """A loss of power right after a checkpoint, in the first write to a new log. Behind two writes it is damage."""
    data = log_of(place).read_bytes()
    assert ids_in(place) == batches(4)  # which empties the log

    log_of(place).write_bytes(bytes(512) + data[512 : ends[3]])
    with pytest.raises(CorruptionError, match="does not begin as a log does"):
        ids_in(place)
    log_of(place).write_bytes(bytes(512) + data[ends[2] : ends[3]])
    with pytest.warns(UnfinishedWriteWarning, match="from byte 0 on"):
        assert ids_in(place) == batches(4)
    assert ids_in(place) == batches(4)


def test_the_log_of_another_state_is_an_error(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """And so is that of another store, an older file, and another store's file."""
    old, log = place.read_bytes(), log_of(place).read_bytes()
    ids_in(place)
    other = tmp_path_factory.mktemp("other")
    DuckDBBackend(DuckDBOptions(other)).close()

    log_of(place).write_bytes(log)
    with pytest.raises(CorruptionError, match=r"WAL was created for an older version.*doctor --repair"):
        ids_in(place)
    log_of(place).unlink()
    place.write_bytes(old)
    with pytest.raises(CorruptionError, match=r"older state.*delete .*receipt"):
        ids_in(place)
    place.write_bytes((other / NAME).read_bytes())
    with pytest.raises(CorruptionError, match="another one"):
        ids_in(place)
    log_of(other / NAME).write_bytes(log)
    with pytest.raises(CorruptionError, match="another DuckDB file"):
        DuckDBBackend(DuckDBOptions(other))


@pytest.mark.parametrize("damage", ["gone", "empty"])
def test_a_lost_file_is_not_a_new_store(place: Path, damage: str) -> None:
    """The log, the receipt, vectors and the like show that there was one; and nothing is made."""
    log = log_of(place).read_bytes()
    place.unlink()
    if damage == "empty":
        place.touch()

    with pytest.raises(CorruptionError, match=rf"{'empty' if damage == 'empty' else 'missing'}, but there was a store"):
        ids_in(place)
    assert log_of(place).read_bytes() == log


@pytest.mark.parametrize("damage", ["gone", "empty", "junk", "directory"])
def test_the_receipt_can_be_missing(place: Path, damage: str) -> None:
    """It is no part of the data."""
    receipt = receipt_of(place)
    receipt.unlink()
    if damage == "directory":
        receipt.mkdir()
    elif damage != "gone":
        receipt.write_bytes(b"junk 12" if damage == "junk" else b"")

    assert ids_in(place) == batches(4)
    assert ids_in(place) == batches(4)


def test_a_compaction_begins_anew(place: Path) -> None:
    """Another file takes the place of the first; what is written to it is acknowledged like the rest."""
    backend = DuckDBBackend(DuckDBOptions(place.parent))
    backend.compact()
    backend.open_collection(INFO).delete(["0-0"])
    receipt = Receipt.read(place)
    backend.close()

    assert receipt is not None
    assert receipt.log
    assert ids_in(place) == batches(4)[1:]
