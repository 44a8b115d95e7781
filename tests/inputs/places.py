"""Where inputs are tried: in memory, in a file and behind a server's socket, through a client that is called and one
that is awaited.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

import chroma_plugin as chromadb

EVERYTHING: Final = [f"{engine}{way}" for engine in ("memory", "duckdb", "rest") for way in ("", "-async")]
SOME: Final = {"memory": 8, "duckdb": 29, "rest": 31, "rest-async": 37}
"""In the run that every change gets: every so many inputs."""


class Place:
    """An open client with three records in "things" and none in "others"; awaits what has to be awaited."""

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        self._loop = asyncio.Runner()
        make = chromadb.AsyncClient if name.endswith("-async") else chromadb.Client
        self.client: Any = make(**settings)
        self.things = self._new("things")
        self.call(self.things, "add")(
            ids=["a", "b", "c"],
            embeddings=[[1, 0], [2, 0], [3, 0]],
            metadatas=[{"n": 1, "kind": "odd"}, {"n": 2}, None],
            documents=["one apple", "two pears", None],
        )
        self._new("others")

    def call(self, target: Any, method: str) -> Callable[..., Any]:
        """The method, with its result at once."""
        return lambda *args, **kwargs: self._done(getattr(target, method)(*args, **kwargs))

    def contents(self) -> str:
        """Everything that a caller can see."""
        client, seen = self.client, []
        for found in self._done(client.list_collections()):
            records = self._done(found.get(include=["embeddings", "documents", "metadatas", "uris"]))
            seen.append((found.name, found.metadata, found.configuration_json, self._done(found.count()), records))
        return repr((seen, self._done(client.get_user_identity())))

    def close(self) -> None:
        for found in self._done(self.client.list_collections()):
            self._done(self.client.delete_collection(found.name))
        self._done(self.client.close())
        self._loop.close()

    def _new(self, name: str) -> Any:
        return self._done(self.client.create_collection(name, embedding_function=None))

    def _done(self, result: Any) -> Any:
        return self._loop.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result
