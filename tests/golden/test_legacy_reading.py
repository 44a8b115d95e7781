"""What the real Chroma 0.3.29 wrote is read as it is, and nothing but its two Parquet files is opened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chroma_plugin.errors import CorruptionError, InvalidArgumentError, NotFoundError
from chroma_plugin.parquet import is_legacy_directory, read_legacy

GOLDEN = Path(__file__).parent / "chroma-0.3.29"
ANSWERS: dict[str, Any] = json.loads((Path(__file__).parent / "chroma-0.3.29.json").read_text("utf-8"))


def test_a_legacy_directory_is_recognised(tmp_path: Path) -> None:
    """The two Parquet files make a directory a legacy one; neither an empty one nor one of the two does."""
    assert is_legacy_directory(GOLDEN)
    assert not is_legacy_directory(tmp_path)
    assert not is_legacy_directory(tmp_path / "missing")
    shutil.copy(GOLDEN / "chroma-collections.parquet", tmp_path)
    assert not is_legacy_directory(tmp_path)


def test_every_collection_and_record_is_read() -> None:
    """Names, ids in their order, documents and metadata are those that 0.3.29 returned; embeddings are float32."""
    read = {info.name: (info, list(batches)) for info, batches in read_legacy(GOLDEN)}
    assert list(read) == ["animals", "plain", "empty"]
    for name, (info, batches) in read.items():
        expected = ANSWERS[name]["records"]
        assert info.metadata == ANSWERS[name]["metadata"]
        assert [id for batch in batches for id in batch.ids] == expected["ids"]
        assert [text for batch in batches for text in batch.documents or ()] == expected["documents"]
        assert [values for batch in batches for values in batch.metadatas or ()] == expected["metadatas"]
        for batch in batches:
            assert batch.embeddings is not None
            np.testing.assert_array_equal(batch.embeddings, np.array(expected["embeddings"], np.float32))


def test_the_distance_is_that_of_the_metadata() -> None:
    """``hnsw:space`` in a collection's metadata is its distance; without it, squared l2."""
    spaces = {info.name: info.metric.value for info, _ in read_legacy(GOLDEN)}
    assert spaces == {"animals": "cosine", "plain": "l2", "empty": "ip"}


def test_types_of_metadata_values_are_kept() -> None:
    """A 0 stays an int, a -1.0 a float, and an integer beyond 2**53 exact."""
    _, batches = next(iter(read_legacy(GOLDEN)))
    values = {id: metadata for batch in batches for id, metadata in zip(batch.ids, batch.metadatas or (), strict=True)}
    insect, snake = values["animal-6"], values["animal-9"]
    assert insect is not None
    assert type(insect["weight"]) is int
    assert snake is not None
    assert type(snake["weight"]) is float
    assert snake["large"] == 9007199254740993


def test_the_pickles_are_never_opened(tmp_path: Path) -> None:
    """Without its index folder, or with rubbish in it, a directory reads the same."""
    for name in ("chroma-collections.parquet", "chroma-embeddings.parquet"):
        shutil.copy(GOLDEN / name, tmp_path)
    (tmp_path / "index").mkdir()
    for pickled in (GOLDEN / "index").glob("*.pkl"):
        # Opening a directory as a file raises.
        (tmp_path / "index" / pickled.name).mkdir()
    assert len(list((GOLDEN / "index").glob("*.pkl"))) == 6
    assert sum(len(batch) for _, batches in read_legacy(tmp_path) for batch in batches) == 21


def test_the_files_are_left_untouched(tmp_path: Path) -> None:
    """Reading changes no byte and adds no file."""
    copy = shutil.copytree(GOLDEN, tmp_path / "copy")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    for _, batches in read_legacy(copy):
        list(batches)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["chroma-collections.parquet", "chroma-embeddings.parquet"])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    """A file that is cut off is a CorruptionError that names it; such a directory is never taken for an empty one."""
    copy = shutil.copytree(GOLDEN, tmp_path / "copy")
    (copy / name).write_bytes((GOLDEN / name).read_bytes()[:-20])
    with pytest.raises(CorruptionError, match=name):
        is_legacy_directory(copy)
    with pytest.raises(CorruptionError, match=name):
        list(read_legacy(copy))


def test_a_directory_without_the_files_is_not_found(tmp_path: Path) -> None:
    """Reading a directory that 0.3.x did not write says which file is missing."""
    with pytest.raises(NotFoundError, match=r"chroma-collections\.parquet is missing"):
        list(read_legacy(tmp_path))


@pytest.mark.parametrize("directory", ["it's", "a*", "q?", "[ab]", "per%20cent", "🐟"])
def test_a_path_is_no_pattern(tmp_path: Path, directory: str) -> None:
    """Characters that DuckDB takes for patterns are just characters of a name."""
    copy = shutil.copytree(GOLDEN, tmp_path / directory)
    shutil.copytree(GOLDEN, tmp_path / "another")
    assert [info.name for info, _ in read_legacy(copy)] == ["animals", "plain", "empty"]


def write(directory: Path, collections: str, records: str) -> Path:
    """A directory as 0.3.x writes it, from the rows of two SQL ``VALUES`` lists."""
    import duckdb

    with duckdb.connect() as connection:
        for name, query in (
            ("chroma-collections.parquet", f"SELECT * FROM (VALUES {collections}) AS t(uuid, name, metadata)"),
            (
                "chroma-embeddings.parquet",
                f"SELECT * FROM (VALUES {records}) AS t(collection_uuid, uuid, embedding, document, id, metadata)",
            ),
        ):
            connection.sql(query).write_parquet(str(directory / name))
    return directory


UUID = "'8e03bfdb-9404-4bfb-9ea9-74e4b77d3643'"
GOOD = f"({UUID}, 'u', [1.0, 2.0]::DOUBLE[], 'text', 'a', '{{}}')"


def test_all_refused_names_are_listed(tmp_path: Path) -> None:
    """Collections whose names are no names today are named together, before anything is read."""
    other = UUID.replace("8e03", "8e04")
    directory = write(tmp_path, f"({UUID}, 'x', NULL), ({other}, '127.0.0.1', 'null')", GOOD)
    with pytest.raises(InvalidArgumentError, match=r"(?s)'x'.*'127\.0\.0\.1'"):
        next(read_legacy(directory))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"({UUID}, 'u', [1.0]::DOUBLE[], 'text', 'short', NULL)", "short"),
        (f"({UUID}, 'u', NULL, 'text', 'without', NULL)", "without"),
        (f"({UUID}, 'u', [1.0, NULL]::DOUBLE[], 'text', 'hole', NULL)", "hole"),
        (f"({UUID}, 'u', [1.0, 'nan'::DOUBLE], 'text', 'b', NULL)", "nan"),
        (f"({UUID}, 'u', [1.0, 1e300], 'text', 'b', NULL)", "float32"),
        (f"({UUID}, 'u', [1.0, 2.0], 'text', 'a', NULL)", "more than once"),
        (f"({UUID}, 'u', [1.0, 2.0], 'text', '', NULL)", "without an id"),
        (f"({UUID}, 'u', [1.0, 2.0], 'text', NULL, NULL)", "without an id"),
        (f"""({UUID}, 'u', [1.0, 2.0], 'text', 'b', '{{"k": NaN}}')""", "'k'"),
        (f"""({UUID}, 'u', [1.0, 2.0], 'text', 'b', '{{"k": 9223372036854775808}}')""", "'k'"),
        (f"({UUID}, 'u', [1.0, 2.0], 'text', 'b', '[1]')", "not a JSON object"),
        (f"({UUID}, 'u', [1.0, 2.0], 'text', 'b', '{{')", "not JSON"),
    ],
)
def test_records_that_no_collection_may_hold_are_refused(tmp_path: Path, row: str, message: str) -> None:
    """What today's rules refuse is refused, and the message says what and in which collection."""
    directory = write(
        tmp_path, f"({UUID}, 'pets', NULL)", f"{GOOD}, {GOOD.replace(chr(39) + 'a', chr(39) + 'z')}, {row}"
    )
    with pytest.raises(InvalidArgumentError, match=f"(?s)'pets'.*{message}"):
        [list(batches) for _, batches in read_legacy(directory)]


def test_records_of_an_unlisted_collection_are_an_error(tmp_path: Path) -> None:
    """Records whose collection is not in the other file are not dropped in silence."""
    directory = write(tmp_path, f"({UUID.replace('8e03', '8e04')}, 'pets', NULL)", GOOD)
    with pytest.raises(CorruptionError, match="not of one export"):
        next(read_legacy(directory))


def test_collections_whose_records_are_mixed_keep_their_order(tmp_path: Path) -> None:
    """Rows of two collections that stand in turn are each read in the order of the file."""
    other = UUID.replace("8e03", "8e04")
    rows = [f"({owner}, 'u', [{n}.0], NULL, 'id{n}', NULL)" for n in range(6) for owner in (UUID, other)]
    directory = write(tmp_path, f"({UUID}, 'one', NULL), ({other}, 'two', NULL)", ", ".join(rows))
    read = {info.name: [id for batch in batches for id in batch.ids] for info, batches in read_legacy(directory)}
    assert read == {name: [f"id{n}" for n in range(6)] for name in ("one", "two")}
