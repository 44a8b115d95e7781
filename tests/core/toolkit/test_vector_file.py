"""Vectors in a file: what was settled is found again, and nothing else is believed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.vectors import clustered

from chroma_plugin import compiled
from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit import graph, graph_building, vector_file
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.projection import fit_for_graph
from chroma_plugin.toolkit.vector_file import VectorFile
from chroma_plugin.types import Metric

pytestmark = pytest.mark.skipif(not vector_file.SUPPORTED, reason="this system keeps vectors in the journal")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checksums over eight rows, so that a few hundred rows have many."""
    monkeypatch.setattr(vector_file, "_BLOCK_BYTES", 8 * 16 * 4)


def written(directory: Path, count: int, settled: int) -> VectorFile:
    """A file of `count` rows of 16 numbers, of which the first `settled` are settled."""
    file = VectorFile.create(directory, 16)
    file.stage(clustered(count))
    file.publish(count)
    file.settle(np.arange(settled, dtype=np.int64) * 10)
    return file


def found(directory: Path) -> Path:
    """The file that was settled last."""
    path = vector_file.latest(directory)
    assert path is not None
    return path


def reopened(directory: Path) -> VectorFile:
    return VectorFile.open(found(directory), 16)


def everything(file: VectorFile) -> np.ndarray:
    return file.block(0, len(file))


def test_the_next_process_finds_what_was_settled(tmp_path: Path) -> None:
    """Rows up to the header's end come back with their stamps; those behind it are written over."""
    written(tmp_path, 100, 61)
    file = reopened(tmp_path)

    assert np.array_equal(everything(file), clustered(100)[:61])
    assert file.stamps().tolist() == list(range(0, 610, 10))
    file.stage(clustered(9, seed=3))
    file.publish(9)
    file.settle(np.arange(70, dtype=np.int64))
    again = reopened(tmp_path)
    assert np.array_equal(everything(again), np.concatenate([clustered(100)[:61], clustered(9, seed=3)]))


def test_settling_more_and_less(tmp_path: Path) -> None:
    """Stamps go behind those that are there, over what a failed attempt has left; who settles less comes too late."""
    file = written(tmp_path, 100, 30)
    path = found(tmp_path).with_suffix(".stamps")
    path.write_bytes(path.read_bytes() + bytes(999))
    for rows in (61, 45):
        file.settle(np.arange(rows, dtype=np.int64) * 10)

    assert reopened(tmp_path).stamps().tolist() == list(range(0, 610, 10))


def test_what_is_staged_is_seen_when_it_is_published(tmp_path: Path) -> None:
    """Staged rows are behind the end; staging again replaces them."""
    file = written(tmp_path, 10, 10)
    file.stage(clustered(5, seed=1))
    assert len(file) == 10
    file.stage(clustered(5, seed=2))
    file.publish(5)
    assert np.array_equal(file.block(10, 15), clustered(5, seed=2))


def test_a_picture_stays_right_while_the_file_grows(tmp_path: Path) -> None:
    """A block that was read before shows the same rows after the file became ten times as long."""
    file = written(tmp_path, 100, 100)
    before = everything(file)
    for seed in range(10):
        file.stage(clustered(100, seed=seed))
        file.publish(100)
    file.release()

    assert np.array_equal(before, clustered(100))
    assert np.array_equal(file.block(1000, 1100), clustered(100, seed=9))


@pytest.mark.parametrize("count", [1, 7, 64, 65, 300])
def test_few_and_many_rows_are_taken_alike(tmp_path: Path, count: int) -> None:
    """Rows in any order, repeated ones too, whether they are read one by one or from the mapped file."""
    file = written(tmp_path, 400, 250)
    rows = np.random.default_rng(count).integers(0, 400, count)

    assert np.array_equal(file.take(rows), clustered(400)[rows])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["vectors", "stamps", "header"]),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_is_noticed(tmp_path: Path, suffix: str, place: float, bit: int) -> None:
    """Whichever bit of the three files is wrong: what is read was written, or an error says so."""
    written(tmp_path, 100, 100).remove_others()
    [path] = tmp_path.glob(f"*.{suffix}")
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)

    for read in (_through_the_mapping, _one_by_one, _into_memory):
        with suppress(CorruptionError):
            vectors, stamps = read(tmp_path)
            assert np.array_equal(vectors, clustered(100))
            assert stamps.tolist() == list(range(0, 1000, 10))


def _through_the_mapping(directory: Path) -> tuple[np.ndarray, np.ndarray]:
    file = reopened(directory)
    return everything(file), file.stamps()


def _one_by_one(directory: Path) -> tuple[np.ndarray, np.ndarray]:
    file = reopened(directory)
    return np.concatenate([file.take(np.array([row])) for row in range(len(file))]), file.stamps()


def _into_memory(directory: Path) -> tuple[np.ndarray, np.ndarray]:
    vectors, stamps = vector_file.in_memory(found(directory), 16)
    return vectors.block(0, len(vectors)), stamps


@pytest.mark.parametrize("suffix", ["vectors", "stamps"])
@pytest.mark.parametrize("what", ["missing", "cut", "empty"])
def test_a_missing_or_short_file_is_an_error(tmp_path: Path, suffix: str, what: str) -> None:
    """It names the file and the way out; never is a shorter collection shown."""
    written(tmp_path, 100, 100)
    [path] = tmp_path.glob(f"*.{suffix}")
    content = path.read_bytes()
    path.unlink() if what == "missing" else path.write_bytes(content[: len(content) // 2 if what == "cut" else 0])

    for read in (_through_the_mapping, _into_memory):
        with pytest.raises(CorruptionError, match="backup"):
            read(tmp_path)


def test_damage_behind_the_header_does_no_harm(tmp_path: Path) -> None:
    """A process that ended while it wrote may leave anything there."""
    written(tmp_path, 100, 60)
    [path] = tmp_path.glob("*.vectors")
    path.write_bytes(path.read_bytes()[: 60 * 64] + b"\xff" * 1000)

    assert np.array_equal(_through_the_mapping(tmp_path)[0], clustered(100)[:60])


def test_a_block_that_was_never_read_keeps_its_damage(tmp_path: Path) -> None:
    """Settling more rows does not give a damaged block that was not full a checksum that fits."""
    written(tmp_path, 100, 61)
    [path] = tmp_path.glob("*.vectors")
    content = bytearray(path.read_bytes())
    content[60 * 64] ^= 1
    path.write_bytes(content)
    file = reopened(tmp_path)
    file.stage(clustered(9))
    file.publish(9)

    with pytest.raises(CorruptionError):
        file.settle(np.arange(70, dtype=np.int64))


def test_the_newest_number_counts(tmp_path: Path) -> None:
    """A compaction that was cut short left a file without a header: the one before is the truth, and the rest goes."""
    written(tmp_path, 50, 50)
    unfinished = VectorFile.create(tmp_path, 16)
    unfinished.stage(clustered(10))
    file = reopened(tmp_path)

    assert len(file) == 50
    file.remove_others()
    assert {path.stem for path in tmp_path.iterdir()} == {"1"}


def test_a_full_disk_is_noticed_before_anything_changes(tmp_path: Path) -> None:
    """A file that can't grow says so when rows are staged, and what it holds stays readable."""
    script = f"""
        import resource
        from pathlib import Path
        import numpy as np
        from chroma_plugin.errors import StorageError
        from chroma_plugin.toolkit.vector_file import VectorFile
        file = VectorFile.create(Path({str(tmp_path)!r}), 16)
        file.stage(np.ones((100, 16), np.float32))
        file.publish(100)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            file.stage(np.zeros((1000, 16), np.float32))
        except StorageError as error:
            print("ulimit -f" in str(error), len(file), bool((file.block(0, 100) == 1).all()))
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert result.stdout == "True 100 True\n"


@pytest.mark.skipif(
    not (graph.installed() and compiled.IS_THERE), reason="hnswlib is not installed, or nothing compiled"
)
def test_who_searches_along_a_graph_is_told_of_a_file_that_was_cut(tmp_path: Path) -> None:
    """It is read there, and not mapped."""
    file, rows, settings = written(tmp_path, 600, 600), np.arange(600), GraphSettings(Metric.L2)
    projection = fit_for_graph(file, 600)
    built = graph_building.build(file, rows, rows, settings, projection, lambda: False, lambda work: work())
    assert built is not None
    assert list(file.check()) is not None  # now it is known to be sound
    query = file.block(0, 1)[0].copy()
    found = built.measured(query, 5, 20, file, settings)
    assert found is not None
    assert found[0][np.argmin(found[1])] == 0

    os.truncate(file.path, 0)

    with pytest.raises(CorruptionError, match="has become shorter"):
        built.measured(query, 5, 20, file, settings)


@pytest.mark.skipif(not compiled.IS_THERE, reason="nothing compiled")
def test_few_rows_are_read_until_they_are_many(tmp_path: Path) -> None:
    """And measured alike, or refused when the file was cut meanwhile."""
    file = written(tmp_path, 600, 600)
    query, rows = file.block(0, 1)[0].copy(), np.array([0, 599, 3])
    read = [file.measured(query, rows, Metric.L2) for _ in range(30)]
    assert file._read == 75
    assert all(np.array_equal(read[0], one) for one in read)

    file.release()
    os.truncate(file.path, 64 * file.dimension)

    with pytest.raises(CorruptionError, match="has become shorter"):
        file.measured(query, rows, Metric.L2)
