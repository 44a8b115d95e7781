"""How the kit opens the backend under test: the flags an author sets, and the fixtures every topic uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings

from chroma_plugin.backend import Backend, CollectionStore
from chroma_plugin.testing import opening
from chroma_plugin.testing.data import collection
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT, CollectionInfo, Metric


class Bench:
    """The backend under test. Set the flags in your subclass; each is a promise that tests rely on."""

    backend: ClassVar[str] = ""
    """The name it is registered under. Or override `open_backend`."""

    options: ClassVar[Mapping[str, Any]] = {}
    """Options to open it with, besides the place."""

    place_option: ClassVar[str] = "persist_directory"
    """The option that says where it keeps its data, if it has one; each test gets a directory of its own."""

    persistent: ClassVar[bool | None] = None
    """What was written is there after closing, or killing, and opening again. None: as `Backend.persistent` says."""

    ranks_exactly: ClassVar[bool] = True
    """A search gives the nearest records, every time. False: it may miss some, at least `min_recall` are right."""

    min_recall: ClassVar[float] = 1.0
    """The share of the true k nearest that a search at `index_size` finds, when `ranks_exactly` is False."""

    index_size: ClassVar[int] = 3000
    """So many records that an index, if the backend has one, is used."""

    examples: ClassVar[int] = 25
    """How many random cases each property tries."""

    shrinks: ClassVar[bool] = False
    """A sequence of calls that fails is made as short as possible, which may take minutes."""

    def open_backend(self, place: Path) -> Backend:
        """Open the backend on this directory; the default opens the registered one. It must not need a running test:
        the durability tests call it in a new process, on a fresh instance of your class.
        """
        if not self.backend:
            raise pytest.UsageError(
                f"{type(self).__name__} must set `backend` to a registered name, or override `open_backend`."
            )
        return opening.by_name(self.backend, self.options, self.place_option, place)

    @contextmanager
    def opened(self, place: Path) -> Iterator[Backend]:
        """The backend on this directory, closed in the end."""
        engine = self.open_backend(place)
        try:
            yield engine
        finally:
            engine.close()

    def keeps(self, engine: Backend) -> bool:
        """Whether it must keep its data after closing."""
        return engine.persistent if self.persistent is None else self.persistent

    def property(self, check: Callable[[], None]) -> Callable[[], None]:
        """A hypothesis test that tries as many cases as `examples` says, and keeps nothing on disk."""
        return settings(max_examples=self.examples, deadline=None, database=None)(check)

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """The directory of this test."""
        return tmp_path / "place"

    @pytest.fixture
    def engine(self, place: Path) -> Iterator[Backend]:
        """The backend, opened on an empty directory."""
        with self.opened(place) as engine:
            yield engine

    @pytest.fixture
    def store(self, engine: Backend) -> Iterator[CollectionStore]:
        """An empty collection of dimension 4 with the metric l2."""
        with created(engine) as store:
            yield store

    @pytest.fixture
    def client(self, place: Path) -> Iterator[Any]:
        """A `chroma_plugin.Client` on this backend."""
        with opening.client(self, place) as client:
            yield client


@contextmanager
def created(engine: Backend, info: CollectionInfo | None = None) -> Iterator[CollectionStore]:
    """The store of a new collection, closed in the end."""
    info = info or collection()
    engine.create_collection(info)
    with open_store(engine, info) as store:
        yield store


@contextmanager
def open_store(engine: Backend, info: CollectionInfo) -> Iterator[CollectionStore]:
    """The store of a collection, closed in the end."""
    store = engine.open_collection(info)
    try:
        yield store
    finally:
        store.close()


def listed(engine: Backend) -> list[CollectionInfo]:
    """The collections of the default database."""
    return list(engine.list_collections(DEFAULT_TENANT, DEFAULT_DATABASE))


METRICS = list(Metric)
