"""The store's collection: opened when it is first used, and where its steps run."""

from __future__ import annotations

import asyncio
import threading
from typing import TypeVar

from chroma_plugin import AsyncCollection, Client, Collection
from chroma_plugin.errors import ClosedError, UnsupportedError
from chroma_plugin_haystack.opening import Place
from chroma_plugin_haystack.steps import Steps, run, run_async

_T = TypeVar("_T")


class Runner:
    """Runs steps on a collection that was given, or on one that it opens."""

    def __init__(self, place: Place, collection: Collection | AsyncCollection | None, client: Client | None) -> None:
        self.was_given = collection is not None or client is not None
        self._place = place
        self._collection = collection
        self._client = client
        self._lock = threading.Lock()
        self._closed = False

    def run(self, steps: Steps[_T]) -> _T:
        return run(self._opened(), steps)

    async def run_async(self, steps: Steps[_T]) -> _T:
        if isinstance(self._collection, AsyncCollection):
            return await run_async(self._collection, steps)
        return await asyncio.to_thread(self.run, steps)

    def close(self) -> None:
        """Close what was opened here; what was given stays open."""
        with self._lock:
            if not self.was_given:
                self._closed = True
                if self._client is not None:
                    self._client.close()

    def _opened(self) -> Collection:
        if isinstance(self._collection, AsyncCollection):
            raise UnsupportedError(
                "This document store has an AsyncCollection, so await the methods that end in _async, or run the "
                "pipeline with run_async. Give it a Collection to use both."
            )
        with self._lock:
            if self._closed:
                raise ClosedError("The document store was closed.")
            if self._client is None and self._collection is None:
                self._client = self._place.client()
            if self._collection is None:
                assert self._client is not None
                self._collection = self._place.collection(self._client)
            return self._collection
