"""The inverted index of the local engine: always what reading every record gives, and kept current with little work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.options import DuckDBOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin import fallback
from chroma_plugin.backend import CollectionStore
from chroma_plugin.filters import Expr, Key
from chroma_plugin.toolkit import textindex
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.toolkit.textindex import TextIndex
from chroma_plugin.toolkit.textsearch import BestTexts
from chroma_plugin.types import FIELDS, NO_FIELDS, CollectionInfo, Records, Scan, TextSearch

MakeStore = Callable[..., LocalStore]
WORDS = [f"w{number}" for number in range(9)]

documents = st.none() | st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)
batches = st.dictionaries(st.sampled_from([f"id{number}" for number in range(15)]), documents, min_size=1, max_size=6)
queries = st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=5).map(" ".join)


def records(texts: dict[str, str | None]) -> Records:
    ones = np.ones((len(texts), 2), dtype=np.float32)
    return Records(list(texts), ones, list(texts.values()), [{"n": len(text or "")} for text in texts.values()])


def numbered(start: int, count: int) -> Records:
    """Records with a word that all have, one that ten have, and one of their own."""
    return records({f"r{n}": f"common tenth{n // 10} own{n}" for n in range(start, start + count)})


def check(store: CollectionStore, *asked: str, k: int = 100, where: Expr | None = None, ids: Any = None) -> None:
    """The store answers as the library bm25s does over all its records, bit for bit."""
    request = TextSearch(asked, k, ids=ids, where=where, fields=FIELDS)
    for mine, right in zip(store.search_text(request), fallback.search_text(store, request), strict=True):
        assert list(mine.records.ids) == list(right.records.ids)
        assert mine.scores.tolist() == right.scores.tolist()
        assert list(mine.records.documents or ()) == list(right.records.documents or ())


def found(store: CollectionStore, *asked: str) -> list[list[str]]:
    return [list(ranked.records.ids) for ranked in store.search_text(TextSearch(asked, 10_000))]


class Machine:
    """A store on disk, and what may happen to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = CollectionInfo(uuid4(), "test", dimension=2)
        self.open()
        self.backend.create_collection(self.info)
        self.store = self.backend.open_collection(self.info)

    def open(self) -> None:
        self.backend = DuckDBBackend(DuckDBOptions(str(self.folder)))

    def put(self, texts: dict[str, str | None]) -> None:
        self.store.put(records(texts))

    def insert(self, texts: dict[str, str | None]) -> None:
        self.store.insert(records(texts))

    def update(self, texts: dict[str, str | None]) -> None:
        known = found_ids(self.store, list(texts))
        self.store.update(Records(known, documents=[texts[id] for id in known]))

    def delete(self, texts: dict[str, str | None]) -> None:
        self.store.delete(list(texts))

    def compact(self, texts: dict[str, str | None]) -> None:
        assert isinstance(self.store, LocalStore)
        self.store.compact()

    def reopen(self, texts: dict[str, str | None]) -> None:
        self.close()
        self.open()
        self.store = self.backend.open_collection(self.info)

    def close(self) -> None:
        self.store.close()
        self.backend.close()


def found_ids(store: CollectionStore, ids: Sequence[str]) -> list[str]:
    return [id for batch in store.scan(Scan(ids=ids, fields=NO_FIELDS)) for id in batch.ids]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_it_is_what_reading_everything_gives(data: st.DataObject) -> None:
    """After any puts, inserts, updates, deletes, compactions and reopenings, with and without filters."""
    with TemporaryDirectory() as folder:
        machine = Machine(Path(folder) / "store")
        try:
            for _ in range(data.draw(st.integers(1, 12), label="steps")):
                actions = ("put", "put", "insert", "update", "update", "delete", "compact", "reopen")
                action = data.draw(st.sampled_from(actions), label="action")
                getattr(machine, action)(data.draw(batches))
                if data.draw(st.booleans(), label="search now"):
                    check(
                        machine.store,
                        *data.draw(st.lists(queries, min_size=1, max_size=3)),
                        k=data.draw(st.sampled_from((1, 2, 100))),
                        where=data.draw(st.none() | st.sampled_from((Key("n") > 4, Key.DOCUMENT.contains("w1")))),
                        ids=data.draw(st.none() | batches.map(list)),
                    )
        finally:
            machine.close()


def test_a_few_new_rows_cost_a_few_rows(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are split into words once each, by the first search that meets them."""
    seen: list[str] = []
    split = textindex.words_of
    monkeypatch.setattr(textindex, "words_of", lambda text: seen.append(text) or split(text))
    store = make_store()
    store.put(numbered(0, 500))
    assert seen == []
    found(store, "common")
    assert len(seen) == 500

    store.put(records({"r7": "changed", "new": "common"}))
    store.delete(["r8"])
    store.update(Records(["r9"], documents=["again"]))
    check(store, "common changed again own8", "tenth0", k=1_000)

    assert seen[500:] == ["changed", "common", "again"]


def test_compacting_takes_the_index_along(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is split again, and the words of what is gone are forgotten."""
    store = make_store()
    store.put(numbered(0, 300))
    found(store, "common")
    store.delete([f"r{n}" for n in range(0, 300, 2)])
    store.put(records({"r1": "moved", "late": "common own1"}))
    split = textindex.words_of
    store.compact()
    monkeypatch.setattr(textindex, "words_of", lambda text: pytest.fail(f"split again: {text}"))
    index = store.view.table.words.up_to(store.view.table.documents, store.view.length)
    monkeypatch.setattr(textindex, "words_of", split)

    check(store, "common own1 moved", "own2", "tenth3 common", k=1_000)
    assert "own2" not in index.code_of
    assert len(index.segments) == 1
    store.put(records({"more": "own2 common"}))
    check(store, "common own2", k=1_000)


def test_compacting_before_any_search(make_store: MakeStore) -> None:
    """There is no index then, and none is made."""
    store = make_store()
    store.put(numbered(0, 100))
    store.delete(["r5"])
    store.compact()

    assert store.view.table.words.nbytes == TextIndex().nbytes
    check(store, "common", "own5")


def test_it_is_small(make_store: MakeStore) -> None:
    """Five bytes for a word in a row, four for a row; few segments, however it grew."""
    store = make_store()
    for start in range(0, 3_000, 100):
        store.put(numbered(start, 100))
        found(store, "common")
    index = store.view.table.words
    now = index.up_to(store.view.table.documents, 3_000)

    assert sum(segment.rows.nbytes + segment.frequencies.nbytes for segment in now.segments) == 5 * 3 * 3_000
    assert len(now.segments) <= 6
    assert store.stats()["memory_bytes"] > index.nbytes > 5 * 3 * 3_000


def test_long_texts(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that stands a hundred thousand times in a text, and texts that are split piece by piece."""
    monkeypatch.setattr(textindex, "_CHARACTERS_AT_ONCE", 1_000)
    store = make_store()
    store.put(records({"long": "cat " * 100_000, "none": None, "short": "cat dog", "other": "dog " * 300}))

    check(store, "cat", "dog", "cat dog")
    store.put(records({f"r{n}": "dog " * n for n in range(40)}))
    check(store, "cat", "dog", "cat dog", k=3)


def test_texts_without_words(make_store: MakeStore) -> None:
    """They count as documents, and take up nothing else."""
    store = make_store()
    for number in range(50):
        store.put(records({f"r{number}": "..."}))
        assert found(store, "cat", "...") == [[], []]
    assert store.view.table.words.up_to(store.view.table.documents, 50).segments == ()
    store.put(records({"cat": "cat"}))
    check(store, "cat")


def test_an_older_view(make_store: MakeStore) -> None:
    """A reader that began before a write finds what was there then, though the index is further."""
    store = make_store()
    store.put(numbered(0, 30))
    before = store.view
    expected = BestTexts(before, 100, None, None).find(["common own3 own50"])
    store.put(numbered(20, 40))
    store.delete(["r3"])
    assert len(found(store, "common")[0]) == 59

    [(rows, scores)] = BestTexts(before, 100, None, None).find(["common own3 own50"])

    assert rows.tolist() == expected[0][0].tolist()
    assert scores.tolist() == expected[0][1].tolist()


def test_readers_beside_a_writer(make_store: MakeStore) -> None:
    """Eight threads search while one writes, deletes and compacts: each answer is of one moment."""
    store = make_store()
    store.put(numbered(0, 200))
    done = threading.Event()

    def read_on() -> int:
        reads = 0
        while not done.is_set():
            reads += 1
            [common, fresh] = store.search_text(TextSearch(["common", "fresh"], 10_000))
            assert len(common.records) == 200
            assert len(set(common.scores.tolist())) == 1
            assert len(fresh.records) in (0, 25)
        return reads

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read_on) for _ in range(8)]
        try:
            for turn in range(60):
                store.put(records({f"f{n}": f"fresh turn{turn}" for n in range(25)}))
                store.delete([f"f{n}" for n in range(25)])
                if turn % 7 == 0:
                    store.compact()
        finally:
            done.set()
        assert all(reader.result(timeout=60) for reader in readers)
    check(store, "common own5", "fresh", k=1_000)
