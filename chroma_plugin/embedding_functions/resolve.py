"""The embedding function of a stored collection, built when it is first needed.

Opening, reading and deleting need no embedding function. So a collection whose function is unknown here, or whose
package is not installed, opens all the same, and the error comes when a text must be embedded.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from chroma_plugin.embedding_functions.identity import Identity, known_name
from chroma_plugin.embedding_functions.lookup import find
from chroma_plugin.embedding_functions.protocol import Documents, EmbeddingFunction, Embeddings
from chroma_plugin.errors import EmbeddingFunctionError, UnknownPluginError

if TYPE_CHECKING:
    from chroma_plugin.plugins.manager import PluginManager


def resolve(stored: Identity, plugins: PluginManager | None = None) -> EmbeddingFunction[Documents] | None:
    """The function that the stored form names; None when it names none (`embed` then says what to do).

    Nothing is looked up, imported or built before the first text is embedded. Then: EmbeddingFunctionError when no
    function of that name is registered, MissingDependencyError when its package is not installed.
    """
    name = known_name(stored)
    if stored is None or name is None:
        return None
    return StoredEmbeddingFunction(name, dict(stored.get("config") or {}), plugins)


class StoredEmbeddingFunction(EmbeddingFunction[Documents]):
    """Stands for the function that a collection remembers, under its name."""

    def __init__(self, name: str, config: dict[str, Any], plugins: PluginManager | None = None) -> None:
        self._name = name
        self._config = config
        self._plugins = plugins

    def __call__(self, input: Documents) -> Embeddings:
        embeddings: Embeddings = self._built(input)
        return embeddings

    def embed_query(self, input: Documents) -> Embeddings:
        embeddings: Embeddings = getattr(self._built, "embed_query", self._built)(input)
        return embeddings

    def name(self) -> str:  # type: ignore[override]  # the name is the collection's, not the class's
        return self._name

    def get_config(self) -> dict[str, Any]:
        return self._config

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    @cached_property
    def _built(self) -> Any:
        try:
            found = find(self._name, self._plugins)
        except UnknownPluginError as error:
            raise EmbeddingFunctionError(
                f"This collection was made with the embedding function {self._name!r}, which is not registered here. "
                "Pass it: client.get_collection(name, embedding_function=...); or register its class with "
                "@register_embedding_function, or install the plug-in that brings it; or bring the vectors yourself "
                "(embeddings=..., query_embeddings=...)."
            ) from error
        return found.build_from_config(self._config)
