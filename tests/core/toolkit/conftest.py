"""Stores to try the local engine on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from chroma_plugin.toolkit import upkeep
from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.journal import NoJournal
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.types import CollectionInfo

MakeStore = Callable[..., LocalStore]


@pytest.fixture(autouse=True)
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs from a thousand rows on, and for few more, so that tests of them are quick."""
    monkeypatch.setattr(upkeep, "graph_from", lambda: 1_000)
    monkeypatch.setattr(upkeep, "TAIL_FROM", 100)


@pytest.fixture
def background() -> Iterator[Background]:
    background = Background()
    yield background
    background.close()


@pytest.fixture
def make_store(background: Background) -> MakeStore:
    def make(space: str = "l2", **hnsw: int) -> LocalStore:
        info = CollectionInfo(uuid4(), "test", configuration={"hnsw": {"space": space, **hnsw}})
        return LocalStore(info, NoJournal(), background)

    return make
