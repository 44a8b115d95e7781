"""What the first release wrote opens, whatever was in it; and what a later one writes is refused, or made again."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pytest
from golden.make_format_1 import ANSWERS, STORES, answer, answers

import chroma_plugin as chromadb
from chroma_plugin.errors import FormatVersionError
from chroma_plugin.toolkit import graph, sketch, vector_file
from chroma_plugin.toolkit.checked_file import write_checked

EXPECTED: dict[str, Any] = json.loads(ANSWERS.read_text("utf-8"))
STATES = sorted(EXPECTED)

pytestmark = pytest.mark.skipif(not vector_file.SUPPORTED, reason="this system keeps vectors in the DuckDB file")


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """Copies that may be written to."""
    shutil.unpack_archive(STORES, tmp_path)
    return tmp_path


def strict(value: Any) -> str:
    """A form in which 1, 1.0 and True differ, and so do 0.0 and -0.0."""
    return json.dumps(value, sort_keys=True)


def found(path: Path, **options: Any) -> str:
    with chromadb.PersistentClient(path, **options) as client:
        return strict(answers(client))


# -- released formats ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("state", STATES)
def test_all_that_was_written_is_read(stores: Path, state: str, read_only: bool) -> None:
    """Every value of every kind, also what stood in the log; and again by the next opening."""
    for _ in range(2):
        assert found(stores / state, read_only=read_only) == strict(EXPECTED[state])


@pytest.mark.parametrize("state", STATES)
def test_it_can_be_written_to(stores: Path, state: str) -> None:
    """And is then what it was with that change."""
    with chromadb.PersistentClient(stores / state) as client:
        large = client.get_collection("large", embedding_function=None)
        before = large.get(include=[])["ids"]
        large.add(ids=["of today"], embeddings=np.ones((1, 8)))
        large.delete(ids=before[:5])
    with chromadb.PersistentClient(stores / state) as client:
        large = client.get_collection("large", embedding_function=None)
        assert large.get(include=[])["ids"] == [*before[5:], "of today"]
        assert large.query(query_embeddings=np.ones((1, 8)), n_results=1, include=[])["ids"] == [["of today"]]


def test_what_makes_opening_quick_is_used(stores: Path) -> None:
    """The catalog, texts and rows: DuckDB is not opened."""
    with chromadb.PersistentClient(stores / "closed") as client:
        large = client.get_collection("large", embedding_function=None)
        assert strict(answer(large)) == strict(EXPECTED["closed"]["default_tenant/default_database/large"])
        assert not client._session.backend._file.touched  # type: ignore[attr-defined]


@pytest.mark.skipif(not (sketch.available() and graph.available()), reason="numkong and hnswlib are not installed")
@pytest.mark.parametrize("state", STATES)
def test_indexes_are_used(stores: Path, state: str) -> None:
    """Sketches and graphs of that release."""
    with chromadb.PersistentClient(stores / state) as client:
        store = client.get_collection("large", embedding_function=None).info()["store"]
    assert (store["index"], store["damaged_indexes"], store["sketched"]) == ("hnsw", 0, 150)


def test_a_backup_is_restored(stores: Path) -> None:
    """The first release's backup."""
    chromadb.restore(stores / "backup", stores / "restored")
    assert found(stores / "restored") == strict(EXPECTED["closed"])


def test_an_export_is_imported(stores: Path) -> None:
    """The first release's Parquet files, which have one database."""
    with chromadb.Client() as client:
        client.import_(stores / "export")
        imported = answers(client)
    names = ("default_database/large", "default_database/small", "default_database/late")
    assert strict({name: each["records"] for name, each in imported.items()}) == strict(
        {f"default_tenant/{name}": EXPECTED["closed"][f"default_tenant/{name}"]["records"] for name in names}
    )


# -- later formats ---------------------------------------------------------------------------------------------------


def later_checked_file(path: Path) -> None:
    """The header of a checked file as a later release may write it: another number, a field more."""
    line, newline, body = path.read_bytes().partition(b"\n")
    header = orjson.loads(line.partition(b" ")[2])
    text = orjson.dumps({**header, "format": header["format"] + 1, "written_by": "7.2.0", "new": True})
    path.write_bytes(b"%d %s" % (zlib.crc32(body, zlib.crc32(text)), text) + newline + body)


def later_vectors(path: Path) -> None:
    header = orjson.loads(path.read_bytes().partition(b" ")[2])
    text = orjson.dumps({**header, "format": 2, "written_by": "7.2.0", "new": True})
    path.write_bytes(b"%d %s" % (zlib.crc32(text), text))


def later_tables(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE chroma_format SET version = 2, written_by = '7.2.0'")


def later_duckdb(path: Path) -> None:
    """Both database headers of the file with a greater version, and the checksums that DuckDB gives them."""
    content = bytearray(path.read_bytes())
    for start in (4096, 8192):
        content[start + 56 : start + 64] = (10_000).to_bytes(8, "little")
        words = np.frombuffer(content, "<u8", count=511, offset=start + 8) * np.uint64(0xBF58476D1CE4E5B9)
        checksum = int(np.bitwise_xor.reduce(words)) ^ 5381
        del words
        content[start : start + 8] = checksum.to_bytes(8, "little")
    path.write_bytes(content)


TRUTH: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "tables": ("chroma.duckdb", later_tables, r"chroma\.duckdb has format 2.*up to format 1.*'chroma-plugin>=7\.2\.0'"),
    "duckdb": ("chroma.duckdb", later_duckdb, r"chroma\.duckdb can't be read by DuckDB.*10000.*pip install -U duckdb"),
    "vectors": ("*/*/1.header", later_vectors, r"1\.header has format 2.*up to format 1.*'chroma-plugin>=7\.2\.0'"),
}


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("kind", TRUTH)
def test_later_truth_is_refused(stores: Path, kind: str, read_only: bool) -> None:
    """With the file, the version found and what has to be installed; and it is left as it is."""
    pattern, make_later, message = TRUTH[kind]
    for path in (stores / "closed").glob(pattern):
        make_later(path)
    before = content(stores / "closed")
    with pytest.raises(FormatVersionError, match=message):
        found(stores / "closed", read_only=read_only)
    assert content(stores / "closed").items() >= before.items()


def content(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("pattern", ["snapshot.json", "vectors/*/*.rows", "index/*/*.sketch", "index/*/*.graph"])
def test_later_caches_are_made_again(stores: Path, pattern: str) -> None:
    """They are passed over: what is in the store is read from its truth."""
    paths = list((stores / "closed").glob(pattern))
    for path in paths:
        later_checked_file(path)
    assert paths
    assert found(stores / "closed", read_only=True) == strict(EXPECTED["closed"])
    assert found(stores / "closed") == strict(EXPECTED["closed"])


def later_receipt(path: Path) -> None:
    path.write_bytes(b"2 " + path.read_bytes())


@pytest.mark.parametrize("state", STATES)
def test_a_later_receipt_is_none(stores: Path, state: str) -> None:
    """It asks for nothing, and what is there is read."""
    later_receipt(stores / state / "chroma.duckdb.receipt")
    assert found(stores / state) == strict(EXPECTED[state])


def test_a_later_way_to_undo_a_checkpoint_is_refused(stores: Path) -> None:
    """Whoever has it can open the store, and a release that does not know it might not."""
    path = stores / "closed" / "chroma.duckdb.blocks"
    write_checked(path, orjson.dumps({"format": 1}), ())
    later_checked_file(path)
    with pytest.raises(FormatVersionError, match=r"duckdb\.blocks has format 2.*'chroma-plugin>=7\.2\.0'"):
        found(stores / "closed")
    assert path.exists()


def test_every_kind_of_file_is_known_here(stores: Path) -> None:
    """A new kind needs a number for its format, and a case above. ``.vectors`` and ``.stamps`` are described by their
    ``.header``, ``.texts`` by their ``.rows``; what is no ``.receipt`` as it is known is none.
    """
    kinds = {path.suffix for state in STATES for path in (stores / state).rglob("*") if path.is_file()}
    described = {".vectors", ".stamps", ".texts", ".wal"}
    assert kinds - {".receipt"} == {".duckdb", ".header", ".json", ".rows", ".sketch", ".graph"} | described


def test_an_export_of_a_later_release_is_refused(stores: Path) -> None:
    """With the version."""
    path = stores / "export" / "chroma-collections.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE given AS SELECT * REPLACE (2 AS format_version) FROM '{path}'")
        connection.execute(f"COPY given TO '{path}' (FORMAT parquet)")
    with chromadb.Client() as client, pytest.raises(FormatVersionError, match="has format 2"):
        client.import_(stores / "export")
