"""Readers see one moment, whatever is written meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from support.vectors import clustered, records

from chroma_plugin.toolkit import graph, local
from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.types import Metric, Records, Scan, Search


def test_a_scan_that_is_under_way_sees_the_moment_it_began(
    make_store: Callable[..., LocalStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records replaced, deleted, added and compacted during a scan do not show in it."""
    monkeypatch.setattr(local, "_BATCH", 10)
    store = make_store()
    store.put(records(clustered(100)))
    scan = store.scan(Scan())
    seen = [next(scan)]

    store.put(records(clustered(50, seed=5)))
    store.delete(["id70", "id71"])
    store.update(Records(["id80"], metadatas=[{"number": -1}]))
    store.compact()
    store.put(records(clustered(10), start=100))
    seen += scan

    assert [id for batch in seen for id in batch.ids] == [f"id{number}" for number in range(100)]
    assert np.array_equal(np.concatenate([batch.embeddings for batch in seen]), clustered(100))
    assert [metadata["number"] for batch in seen for metadata in batch.metadatas] == list(range(100))


def test_replacing_keeps_the_order_of_insertion(make_store: Callable[..., LocalStore]) -> None:
    """A replaced or updated record stays where it was, also after compaction."""
    store = make_store()
    store.put(records(clustered(6)))
    store.put(records(clustered(2), start=2))
    store.update(Records(["id0"], documents=["new"]))
    expected = [f"id{number}" for number in range(6)]

    assert [id for batch in store.scan(Scan()) for id in batch.ids] == expected
    store.compact()
    assert [id for batch in store.scan(Scan()) for id in batch.ids] == expected


def test_reads_beside_writes_are_whole(make_store: Callable[..., LocalStore]) -> None:
    """While a batch of ten is replaced over and over, no reader sees a mixture of two versions."""
    store = make_store()
    ids = [f"id{number}" for number in range(10)]
    done = threading.Event()
    torn: list[object] = []

    def version(number: int) -> Records:
        return Records(ids, np.full((10, 2), number, np.float32), ["x"] * 10, [{"version": number}] * 10)

    def read() -> None:
        while not done.is_set():
            [batch] = store.scan(Scan(ids=ids))
            [hits] = store.search(Search(np.zeros((1, 2), np.float32), 10, Metric.L2, fields=frozenset({"metadatas"})))
            for metadatas in (batch.metadatas, hits.records.metadatas):
                versions = {metadata["version"] for metadata in metadatas}
                torn.extend([metadatas] if len(metadatas) != 10 or len(versions) != 1 else [])

    store.put(version(0))
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 1500):
        store.put(version(number))
    done.set()
    for reader in readers:
        reader.join()

    assert torn == []


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
def test_a_graph_is_built_beside_the_writes(make_store: Callable[..., LocalStore], background: Background) -> None:
    """A bulk load is indexed without being asked; dead rows are dropped without being asked."""
    store = make_store()
    store.put(records(clustered(11_000, dimension=4)))
    store.put(records(clustered(10, dimension=4), start=11_000))
    background.wait()
    assert store.stats()["index"] == "hnsw"

    store.delete([f"id{number}" for number in range(6000)])
    background.wait()

    assert store.view.length == store.count() == 5010


def test_closing_stops_what_is_under_way(make_store: Callable[..., LocalStore], background: Background) -> None:
    """Closing waits for the job in hand, not for the whole queue."""
    store = make_store()
    store.put(records(clustered(30_000, dimension=4)))

    background.close()

    assert store.count() == 30_000
    store.put(records(clustered(1, dimension=4), start=30_000))
    assert store.count() == 30_001
