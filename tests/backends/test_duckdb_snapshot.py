"""A store that was closed opens from what it left beside the DuckDB file, and from that file in any doubt."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import duckdb
import numpy as np
import pytest
from chroma_plugin_duckdb import opening
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.file import NAME
from chroma_plugin_duckdb.options import DuckDBOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.vectors import clustered, records

from chroma_plugin.errors import CorruptionError, LockedError
from chroma_plugin.filters.parse import parse_where
from chroma_plugin.toolkit import masks, settling, text_file, vector_file
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo, Metric, Records, Scan, Search

pytestmark = pytest.mark.skipif(not vector_file.SUPPORTED, reason="this system keeps vectors in the DuckDB file")

INFO = CollectionInfo(UUID(int=7), "things", configuration={"hnsw": {"space": "l2"}}, dimension=16)
Contents = dict[str, tuple[bytes, str | None, object, str | None]]

ODD = ["", "ä", "a\0b", "line\nbreak", "日本", "x" * 200_000, None, "end"]


@pytest.fixture(autouse=True)
def settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small collections leave as much as large ones."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 1)


def opened(place: Path, **options: bool) -> LocalBackend:
    return opening.opened(DuckDBOptions(place, **options))


def filled(place: Path, documents: list[str | None] | None = None) -> Contents:
    """A store with records, some replaced, some deleted, closed; and what is in it."""
    backend = opened(place)
    backend.create_collection(INFO)
    store = backend.open_collection(INFO)
    store.put(records(clustered(300)))
    store.put(records(clustered(20, seed=1), start=50))
    store.delete([f"id{number}" for number in range(100, 110)])
    texts = ODD if documents is None else documents
    odd = clustered(len(texts), seed=2)
    ids = [f"odd{number}" for number in range(len(texts))]
    store.put(Records(ids, odd, texts, [None] * len(texts), [f"uri {id}" if id == "odd3" else None for id in ids]))
    held = contents(backend)
    backend.close()
    return held


def contents(backend: DuckDBBackend, ids: list[str] | None = None) -> Contents:
    fields = frozenset(("embeddings", "documents", "metadatas", "uris"))
    return {
        id: (embedding.tobytes(), document, metadata, uri)
        for batch in backend.open_collection(INFO).scan(Scan(ids=ids, fields=fields))
        for id, embedding, document, metadata, uri in zip(
            batch.ids, batch.embeddings, batch.documents, batch.metadatas, batch.uris, strict=True
        )
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    filled(tmp_path)
    return tmp_path


def test_reading_does_not_touch_duckdb(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Opening, searching, filtering and counting import nothing of it; the first write does, and is kept."""
    script = """
        import sys
        import numpy as np
        import chroma_plugin as chromadb

        with chromadb.PersistentClient(sys.argv[1]) as client:
            [collection] = client.list_collections()
            assert collection.count() == 298
            assert collection.query(query_embeddings=np.zeros(16), n_results=3)["ids"]
            assert collection.get(ids=["id3", "id105"])["ids"] == ["id3"]
            assert collection.count(where={"tenth": 3}, where_document={"$contains": "document"}) == 29
            assert client.info()
            assert "duckdb" not in sys.modules
            collection.add(ids=["late"], embeddings=np.ones(16))
            assert "duckdb" in sys.modules
        with chromadb.PersistentClient(sys.argv[1]) as client:
            assert client.list_collections()[0].get(ids=["late"])["ids"] == ["late"]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(place)], check=True)


def test_everything_is_as_it_was(tmp_path: Path) -> None:
    """Texts of any kind, replaced and deleted records, the order of insertion; also after a second closing."""
    expected = filled(tmp_path)
    for _ in range(2):
        backend = opened(tmp_path)
        assert not backend._file.touched
        assert contents(backend) == expected
        assert list(contents(backend)) == list(expected)
        assert not backend._file.touched
        backend.close()


def test_every_id_is_found_again(tmp_path: Path) -> None:
    """One by one and many at once: short and long ones, of any letters, and those that differ in a zero at the end."""
    ids = [f"id{number}" for number in range(300)] + ["a", "a\0", "a\0\0", "日本", "x" * 64, "x" * 65, "x" * 100_000]
    backend = opened(tmp_path)
    backend.create_collection(INFO)
    backend.open_collection(INFO).put(Records(ids, clustered(len(ids))))
    backend.close()

    backend = opened(tmp_path)
    store = backend.open_collection(INFO)
    unknown = ["a\0\0\0", "id300", "x" * 63, "x" * 66]
    for wanted in (ids[::-1], *([id] for id in ids[-9:])):
        assert [id for batch in store.scan(Scan(ids=[*unknown, *wanted])) for id in batch.ids] == wanted
    backend.close()


def test_a_change_after_opening_is_kept_with_the_rest(tmp_path: Path) -> None:
    """Records of the file are replaced, updated and deleted, new ones added; closed or killed, all of it is there."""
    expected = filled(tmp_path)
    for turn in range(3):
        backend = opened(tmp_path)
        store = backend.open_collection(INFO)
        store.put(records(clustered(5, seed=turn), start=turn * 3))
        store.update(Records(["odd1", f"id{200 + turn}"], documents=["changed", None]))
        store.delete(["odd2", f"id{250 + turn}"])
        assert store.insert(records(clustered(2, seed=9), start=299 + turn)) == [f"id{299 + turn}"]
        expected = contents(backend)
        backend.close()
        backend = opened(tmp_path)
        assert not backend._file.touched
        assert contents(backend) == expected
        backend.close()


def test_the_same_ids_are_found_where_they_are_by_then(tmp_path: Path) -> None:
    """Asked for again and again, while they are replaced, updated, deleted, added again, and moved by a compaction."""
    expected = filled(tmp_path)
    backend = opened(tmp_path)
    store = backend.open_collection(INFO)
    ids = [*expected, "id105", "new"]

    for change in (
        lambda: store.put(records(clustered(30, seed=5), start=20)),
        lambda: store.update(Records(["id3", "id22"], documents=["changed", None])),
        lambda: store.delete(["id4", "id23", "odd1"]),
        lambda: store.put(Records(["id4", "new", "id105"], clustered(3, seed=6), ["back", "new", "back"])),
        store.compact,
        lambda: store.delete(ids[::2]),
    ):
        assert contents(backend, ids) == expected
        change()
        expected = contents(backend)
    assert contents(backend, ids) == expected
    backend.close()


def test_a_collection_that_was_not_opened_stays_quick(place: Path) -> None:
    """Another one is written meanwhile."""
    other = CollectionInfo(UUID(int=8), "others", configuration={"hnsw": {"space": "l2"}}, dimension=16)
    backend = opened(place)
    backend.create_collection(other)
    backend.open_collection(other).put(records(clustered(50)))
    backend.close()
    backend = opened(place)

    assert len(contents(backend)) == 298
    assert backend.open_collection(other).count() == 50
    assert not backend._file.touched
    backend.close()


def test_a_foreign_writer_is_noticed(place: Path) -> None:
    """What another program deletes from the DuckDB file is gone, also when it left a log behind."""
    with duckdb.connect(place / NAME) as connection:
        connection.execute("DELETE FROM records_1 WHERE id = 'id3'")
    backend = opened(place)
    assert "id3" not in contents(backend)
    backend.close()
    script = f"""
        import duckdb, os
        connection = duckdb.connect({str(place / NAME)!r})
        connection.execute("DELETE FROM records_1 WHERE id = 'id4'")
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
    backend = opened(place)
    assert "id4" not in contents(backend)
    backend.close()


@pytest.mark.parametrize("name", ["snapshot.json", "1.rows", "1.texts"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone", "foreign"])
def test_damage_gives_the_right_data_or_an_error(tmp_path: Path, name: str, damage: str) -> None:
    """What is derived is made again from the DuckDB file; a flipped bit among the texts is an error that names them."""
    expected = filled(tmp_path)
    [file] = tmp_path.rglob(name)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"flip": bytes(data), "cut": bytes(data[:-7]), "empty": b"", "foreign": b"12 {}\n"}[damage])

    backend = opened(tmp_path)
    if name == "1.texts" and damage == "flip":
        with pytest.raises(CorruptionError, match=r"1\.texts.*delete this file"):
            contents(backend)
        backend.close()
        file.unlink()
        backend = opened(tmp_path)
    assert contents(backend) == expected
    backend.close()
    backend = opened(tmp_path)
    assert contents(backend) == expected
    backend.close()


HOLDER = """
    import sys, time
    import chroma_plugin as chromadb
    client = chromadb.PersistentClient(sys.argv[1])
    print(client.list_collections()[0].count(), "duckdb" in sys.modules, flush=True)
    if len(sys.argv) > 2:
        client.list_collections()[0].add(ids=["late"], embeddings=[[1.0] * 16])
        print("added", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("writes", [False, True])
def test_a_second_process_learns_who_has_it(place: Path, writes: bool) -> None:
    """Whether the first has only read so far or has written; one that reads sees that. When it is killed, the next one
    opens at once.
    """
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(place), *(["write"] if writes else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "298 False\n"
        if writes:
            assert holder.stdout.readline() == "added\n"
        with pytest.raises(LockedError) as caught:
            opened(place)
        assert caught.value.pid == holder.pid
        reader = opened(place, read_only=True)
        assert ("late" in contents(reader)) == writes
        reader.close()
        holder.send_signal(signal.SIGKILL)
    backend = opened(place)
    assert ("late" in contents(backend)) == writes
    backend.close()


def test_the_lock_stays_when_the_file_is_looked_at(place: Path) -> None:
    """Facts about the store, a flush and a compaction do not let others in."""
    backend = opened(place)
    backend.stats()
    backend.flush()
    assert _refused(place)
    backend.open_collection(INFO).put(records(clustered(1), start=900))
    assert _refused(place)
    backend.compact()
    assert _refused(place)
    backend.close()
    assert not _refused(place)


def _refused(place: Path) -> bool:
    script = f"import duckdb; duckdb.connect({str(place / NAME)!r})"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode != 0


def test_descriptors_do_not_pile_up(place: Path) -> None:
    """Fifty openings and closings leave as many open files as one."""

    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    for turn in range(50):
        backend = opened(place)
        backend.open_collection(INFO).search(Search(clustered(1), 1, Metric.L2))
        backend.close()
        del backend
        if turn == 5:
            before = open_files()
    assert open_files() <= before + 2


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBBackend]:
    """Documents in the file and behind it, of few letters, so that searches meet across their borders."""
    place = tmp_path_factory.mktemp("searched")
    patch = pytest.MonkeyPatch()
    patch.setattr(settling, "SETTLE_FROM", 1)
    random = np.random.default_rng(0)
    documents: list[str | None] = ["".join(random.choice(list("ab\0ä\n"), random.integers(0, 6))) for _ in range(200)]
    documents[::17] = [None] * len(documents[::17])
    filled(place, documents)
    backend = opened(place)
    store = backend.open_collection(INFO)
    store.put(Records([f"late{n}" for n in range(50)], clustered(50), documents[:50], [None] * 50))
    yield backend
    backend.close()
    patch.undo()


TEXTS = st.text(alphabet="ab\0ä\n", min_size=1, max_size=4)
LOCAL = ["ab", "a+b", "(ab|ba)a", "a.b", "(?i)AB", "[^a]b", "a|ä", "aä?b", "b{2}", "(a)(b)"]
AT_PLACES = ["^a", "a$", r"\ba", r"\x00|a+$"]
ACROSS_TEXTS = [r"[\s\S]*b", "(?s)a.*ä", "[0-9]+a", "[^b]+", "a[^b]*", "b*", "(?i)(?s:.)B", "."]
PATTERNS = st.sampled_from(LOCAL + AT_PLACES + ACROSS_TEXTS)


@given(st.one_of(st.tuples(st.just("$contains"), TEXTS), st.tuples(st.just("$regex"), PATTERNS)), st.booleans())
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_documents_are_searched_as_the_filter_is_defined(
    searched: DuckDBBackend, asked: tuple[str, str], with_other: bool
) -> None:
    """Whether they are searched together, in the file or in memory, or one by one."""
    store = searched.open_collection(INFO)
    asks = {asked[0]: asked[1]}
    where = parse_where(None, where_document={"$and": [asks, {"$not_contains": "bb"}]} if with_other else asks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masks, "_MANY", 10**9)
        one_by_one = [id for batch in store.scan(Scan(where=where)) for id in batch.ids]
        patch.setattr(masks, "_MANY", 0)
        patch.setattr(masks, "_SHARE", 0)
        patch.setattr(text_file, "_WINDOW", 100)
        patch.setattr(text_file, "_WORTH_A_THREAD", 1)
        patch.setattr(masks, "_TELLING", 1)
        together = [id for batch in store.scan(Scan(where=where)) for id in batch.ids]

    assert together == one_by_one
