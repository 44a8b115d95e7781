"""What can be read of a damaged store is saved, what can't be is named, and the files as they were are kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.file import NAME
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.repair import DuckDBRepairer
from support.vectors import clustered

import chroma_plugin as chromadb
from chroma_plugin.errors import FormatVersionError, LockedError, StorageError
from chroma_plugin.repairing import Repair
from chroma_plugin.toolkit import settling

COUNT = 9_000
SMALL = 40

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a collection with settled vectors, of 64 dimensions and in three blocks, and of a small one."""
    place = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "SETTLE_FROM", 100_000)
        with chromadb.PersistentClient(place) as client:
            for name, count in (("many", COUNT), ("few", SMALL)):
                client.create_collection(name, embedding_function=None, metadata={"kept": name}).add(
                    ids=[f"{name}{number}" for number in range(count)],
                    embeddings=clustered(count, 64),
                    documents=[f"{name} number {number} {number**7}" for number in range(count)],
                    metadatas=[{"number": number} for number in range(count)],
                )
    return place


@pytest.fixture
def place(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "store"))


def repaired(place: Path) -> Repair:
    return DuckDBRepairer(DuckDBOptions(place)).repair()


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 16]))


def one(place: Path, pattern: str) -> Path:
    [path] = place.rglob(pattern)
    return path


def check(place: Path, name: str, count: int, missing: set[str]) -> None:
    """All but those are there, as they were."""
    vectors = clustered(count, 64)
    with chromadb.PersistentClient(place) as client:
        collection = client.get_collection(name, embedding_function=None)
        got = collection.get(include=["embeddings", "documents", "metadatas"])
        assert collection.metadata == {"kept": name}
        assert len(got["ids"]) == count - len(missing)
        assert not missing & set(got["ids"])
        for id, vector, document, metadata in zip(
            got["ids"], got["embeddings"], got["documents"], got["metadatas"], strict=True
        ):
            number = int(id.removeprefix(name))
            assert np.array_equal(vector, vectors[number])
            assert (document, metadata) == (f"{name} number {number} {number**7}", {"number": number})


def told(done: Repair) -> dict[str, tuple[int, int]]:
    return {each.name: (each.kept, len(each.lost) + each.lost_unknown) for each in done.collections}


def test_a_sound_store_is_left_alone(place: Path) -> None:
    """Nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}

    done = repaired(place)

    assert done == Repair()
    assert done.complete
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


@pytest.mark.parametrize(
    ("damage", "file"),
    [
        (lambda path: flip(path, 5_000), "*.stamps"),
        (lambda path: path.unlink(), "*.texts"),
        (lambda path: flip(path, 70_000), "*.texts"),
        (lambda path: flip(path, 9_000), NAME),
    ],
    ids=["stamps", "no texts", "texts", "head of the DuckDB file"],
)
def test_what_can_be_found_out_is_not_lost(place: Path, damage: Damage, file: str) -> None:
    """A flipped bit among the stamps, texts that stand in the DuckDB file too, one of two database headers."""
    damage(one(place, file))

    done = repaired(place)

    assert not done.collections or told(done) == {"many": (COUNT, 0), "few": (SMALL, 0)}
    check(place, "many", COUNT, set())
    check(place, "few", SMALL, set())


def test_records_whose_vectors_are_lost_are_written_down(place: Path) -> None:
    """They are no part of the collection any more; what else is known of them is in a file. The rest is as it was."""
    vectors = one(place, "*.vectors")
    flip(vectors, 300_000)
    damaged = vectors.read_bytes()

    done = repaired(place)

    [many, few] = done.collections
    assert not done.complete
    assert many.lost == [f"many{number}" for number in range(1024, 2048)]
    assert (many.kept, few.kept) == (COUNT - 1024, SMALL)
    check(place, "many", COUNT, set(many.lost))
    assert done.report is not None
    lines = [json.loads(line) for line in done.report.read_text().splitlines()]
    assert [line["id"] for line in lines] == many.lost
    number = 1024
    assert lines[0] == {
        "collection": "many",
        "id": "many1024",
        "document": f"many number 1024 {number**7}",
        "metadata": {"number": 1024},
        "uri": None,
        "why": "its vector is lost",
    }
    assert done.originals is not None
    assert one(done.originals, "*.vectors").read_bytes() == damaged


def test_a_damaged_block_costs_what_stands_in_it(place: Path) -> None:
    """Of a table of which a part can't be read the other parts are saved; nobody needs to know which."""
    (place / "snapshot.json").unlink()
    shutil.copytree(place, place.with_name("whole"))
    for block in range(1, 12, 3):
        shutil.rmtree(place)
        shutil.copytree(place.with_name("whole"), place)
        if 12_288 + block * 262_144 < (place / NAME).stat().st_size:
            flip(place / NAME, 12_288 + block * 262_144 + 30_000)
        done = repaired(place)
        for each in done.collections:
            if each.name in ("many", "few") and not each.incomplete:
                missing = set(each.lost)
                total = COUNT if each.name == "many" else SMALL
                assert each.kept + len(missing) + each.lost_unknown == total
                if not each.lost_unknown:
                    check(place, each.name, total, missing)


def test_what_was_saved_at_the_last_end_stands_in_for_the_file(place: Path) -> None:
    """Of a store whose DuckDB file is gone, the collections with files of their own are saved."""
    (place / NAME).unlink()

    done = repaired(place)

    assert told(done)["many"] == (COUNT, 0)
    assert any("No record of collection 'few'" in note for note in done.notes)
    assert not done.complete
    check(place, "many", COUNT, set())


def test_a_damaged_log_is_used_as_far_as_it_goes(place: Path) -> None:
    """The writes before the damage are there; how many come behind it is told."""
    script = """
        import os, sys
        import chroma_plugin as chromadb
        collection = chromadb.PersistentClient(sys.argv[1]).get_collection("few", embedding_function=None)
        for number in range(40, 45):
            collection.add(ids=[f"few{number}"], embeddings=[[0.5] * 64], documents=["late"])
            print(os.stat(sys.argv[1] + "/chroma.duckdb.wal").st_size)
        os._exit(0)
    """
    command = [sys.executable, "-c", "\n".join(line[8:] for line in script.splitlines()), str(place)]
    ends = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    flip(place / f"{NAME}.wal", int(ends[1]) + 100)

    done = repaired(place)

    assert any("3 write(s) could not be used" in note for note in done.notes)
    assert told(done) == {"many": (COUNT, 0), "few": (SMALL + 2, 0)}
    with chromadb.PersistentClient(place) as client:
        assert client.get_collection("few", embedding_function=None).get(ids=["few41", "few42"])["ids"] == ["few41"]


def test_a_store_in_use_is_left_alone(place: Path) -> None:
    """Somebody else has it."""
    flip(one(place, "*.vectors"), 300_000)
    script = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, str(place / NAME)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LockedError, match="another process"):
            repaired(place)
        holder.kill()


def test_nothing_becomes_of_nothing(tmp_path: Path) -> None:
    """Where nothing can be read nothing is changed, and no empty store is made."""
    backend = DuckDBBackend(DuckDBOptions(tmp_path))
    backend.close()
    (tmp_path / NAME).write_bytes(os.urandom(20_000))
    before = (tmp_path / NAME).read_bytes()

    with pytest.raises(StorageError, match="nothing was changed"):
        repaired(tmp_path)

    assert (tmp_path / NAME).read_bytes() == before
    assert not list(tmp_path.glob("damaged-*")) + list(tmp_path.glob("repairing"))


def test_what_is_not_ours_is_left_alone(place: Path, tmp_path: Path) -> None:
    """A DuckDB file of somebody else, and a store of a later release."""
    with duckdb.connect(place / NAME) as connection:
        connection.execute("UPDATE chroma_format SET version = 99")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with duckdb.connect(foreign / NAME) as connection:
        connection.execute("CREATE TABLE theirs (x INTEGER)")

    with pytest.raises(FormatVersionError):
        repaired(place)
    with pytest.raises(StorageError, match=r"nothing was changed.*not one of chroma-plugin"):
        repaired(foreign)
    assert [path.name for path in foreign.iterdir()] == [NAME]


def test_the_repaired_file_is_like_any_other(place: Path) -> None:
    """Any DuckDB reads it, and it can be repaired again."""
    flip(one(place, "*.vectors"), 300_000)
    repaired(place)
    with duckdb.connect(place / NAME, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM records_2").fetchall() == [(SMALL,)]
    flip(place / NAME, 9_000)

    repaired(place)

    assert len(list(place.glob("damaged-*"))) == 2
    check(place, "few", SMALL, set())
