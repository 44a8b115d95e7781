"""LangChain's ``Embeddings`` and Chroma's embedding functions, each as the other; and what a store embeds with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np
from langchain_core.embeddings import Embeddings

from chroma_plugin.embedding_functions import EmbeddingFunction, adapt, embed
from chroma_plugin.errors import EmbeddingFunctionError, InvalidArgumentError, UnsupportedError
from chroma_plugin_langchain.steps import Matrix

_BATCH: Final = 2_000
"""Texts in one call of a LangChain model, which cuts them up as its service wants. Lists of Python floats are eight
times as large as the vectors, so not all texts of a large call at once."""


class ChromaPluginEmbeddings(Embeddings):
    """A Chroma embedding function as LangChain ``Embeddings``.

    ``function`` is an `EmbeddingFunction`, any callable of that shape, or the name of a registered one: ``"default"``
    is all-MiniLM-L6-v2. A collection that is made with it remembers it, when the function has a name.
    """

    def __init__(self, function: Any = "default") -> None:
        adapted = adapt(function)
        if adapted is None:
            raise InvalidArgumentError("ChromaPluginEmbeddings needs an embedding function, or the name of one.")
        self.function: EmbeddingFunction[Any] = adapted

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        vectors: list[list[float]] = embed(self.function, texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question, by the function's ``embed_query`` where it has one."""
        vector: list[float] = embed(self.function, [text], query=True)[0].tolist()
        return vector

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.function!r})"


def embedding_function_of(embeddings: Any) -> EmbeddingFunction[Any]:
    """LangChain ``Embeddings`` as a Chroma embedding function, for ``create_collection(embedding_function=...)``.

    It has no name: a collection remembers only that there was one. `ChromaPluginEmbeddings` gives back the function
    that it was made of. Raises InvalidArgumentError for what is neither.
    """
    if isinstance(embeddings, ChromaPluginEmbeddings):
        return embeddings.function
    function = adapt(embeddings)
    if function is None:
        raise InvalidArgumentError("embeddings is None; give a LangChain Embeddings object.")
    return function


def as_embeddings(given: Any) -> Embeddings | None:
    """What people pass as ``embedding_function=``: LangChain embeddings as they are, a Chroma function wrapped."""
    if given is None or _is_langchain(given):
        embeddings: Embeddings | None = given
        return embeddings
    return ChromaPluginEmbeddings(given)


class Embedder(Protocol):
    """Texts, questions and images to float32 rows, sync and async."""

    def documents(self, texts: list[str], batch_size: int | None) -> Matrix: ...
    def query(self, text: str) -> Matrix: ...
    def images(self, uris: list[str]) -> Matrix: ...
    async def adocuments(self, texts: list[str], batch_size: int | None) -> Matrix: ...
    async def aquery(self, text: str) -> Matrix: ...
    async def aimages(self, uris: list[str]) -> Matrix: ...


def embedder(embeddings: Embeddings) -> Embedder:
    if isinstance(embeddings, ChromaPluginEmbeddings):
        return FunctionEmbedder(embeddings.function)
    return LangChainEmbedder(embeddings)


class FunctionEmbedder:
    """An embedding function, without a detour over lists of floats; in async code it runs in a thread."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def documents(self, texts: list[str], batch_size: int | None) -> Matrix:
        return embed(self._function, texts)

    def query(self, text: str) -> Matrix:
        return embed(self._function, [text], query=True)

    def images(self, uris: list[str]) -> Matrix:
        raise _no_images(self._function)

    async def adocuments(self, texts: list[str], batch_size: int | None) -> Matrix:
        return await asyncio.to_thread(self.documents, texts, batch_size)

    async def aquery(self, text: str) -> Matrix:
        return await asyncio.to_thread(self.query, text)

    async def aimages(self, uris: list[str]) -> Matrix:
        raise _no_images(self._function)


class LangChainEmbedder:
    """LangChain embeddings; in async code their own ``aembed_*`` are awaited."""

    def __init__(self, embeddings: Any) -> None:
        self._embeddings = embeddings

    def documents(self, texts: list[str], batch_size: int | None) -> Matrix:
        parts = [self._rows(self._embeddings.embed_documents(part), len(part)) for part in _parts(texts, batch_size)]
        return self._joined(parts)

    def query(self, text: str) -> Matrix:
        return self._rows([self._embeddings.embed_query(text)], 1)

    def images(self, uris: list[str]) -> Matrix:
        return self._rows(self._embed_image()(uris=uris), len(uris))

    async def adocuments(self, texts: list[str], batch_size: int | None) -> Matrix:
        embed_documents = self._awaited("embed_documents")
        parts = [self._rows(await embed_documents(part), len(part)) for part in _parts(texts, batch_size)]
        return self._joined(parts)

    async def aquery(self, text: str) -> Matrix:
        return self._rows([await self._awaited("embed_query")(text)], 1)

    async def aimages(self, uris: list[str]) -> Matrix:
        return await asyncio.to_thread(self.images, uris)

    def _awaited(self, method: str) -> Callable[[Any], Awaitable[Any]]:
        """The async twin of a method; something that only looks like ``Embeddings`` may have none."""
        twin: Callable[[Any], Awaitable[Any]] | None = getattr(self._embeddings, f"a{method}", None)
        if twin is not None:
            return twin
        sync = getattr(self._embeddings, method)
        return lambda given: asyncio.to_thread(sync, given)

    def _embed_image(self) -> Callable[..., Any]:
        method: Callable[..., Any] | None = getattr(self._embeddings, "embed_image", None)
        if method is None:
            raise _no_images(self._embeddings)
        return method

    def _rows(self, vectors: Any, count: int) -> Matrix:
        try:
            matrix = np.asarray(vectors, np.float32)
        except (TypeError, ValueError) as error:
            raise self._wrong(f"something that is no array of numbers ({error})", count) from error
        if matrix.ndim != 2 or len(matrix) != count or not matrix.shape[1]:
            raise self._wrong(f"an array of shape {matrix.shape}", count)
        return matrix

    def _joined(self, parts: Sequence[Matrix]) -> Matrix:
        dimensions = sorted({part.shape[1] for part in parts})
        if len(dimensions) > 1:
            raise EmbeddingFunctionError(
                f"{type(self._embeddings).__name__} returned vectors of the dimensions {dimensions}."
            )
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _wrong(self, seen: str, count: int) -> EmbeddingFunctionError:
        return EmbeddingFunctionError(
            f"{type(self._embeddings).__name__} returned {seen} for {count} texts or images; "
            "it must return one vector for each, all of one length."
        )


def _parts(texts: list[str], batch_size: int | None) -> list[list[str]]:
    size = batch_size or _BATCH
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def _is_langchain(value: Any) -> bool:
    if isinstance(value, Embeddings):
        return True
    # Chroma's functions have embed_query, too.
    return not isinstance(value, type) and all(
        callable(getattr(value, method, None)) for method in ("embed_documents", "embed_query")
    )


def _no_images(model: Any) -> UnsupportedError:
    return UnsupportedError(
        f"{type(model).__name__} embeds no images: give the store LangChain embeddings with embed_image(uris=...), "
        "or embed the images yourself and use add_embeddings and similarity_search_by_vector."
    )
