"""The same embedding model on both sides: a Chroma embedding function for LlamaIndex, and the reverse."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.bridge.pydantic import PrivateAttr

from chroma_plugin.embedding_functions import Documents, EmbeddingFunction, Embeddings, adapt, embed
from chroma_plugin.errors import InvalidArgumentError

_BATCH = 128


class ChromaPluginEmbedding(BaseEmbedding):
    """A Chroma embedding function as LlamaIndex's ``embed_model``.

    ``embedding_function`` is anything a collection takes: by default the registered ``"default"``, all-MiniLM-L6-v2,
    which needs no API key. Awaited, it runs in a thread.
    """

    _function: Any = PrivateAttr()

    def __init__(self, embedding_function: Any = "default", **kwargs: Any) -> None:
        function = adapt(embedding_function)
        if function is None:
            raise InvalidArgumentError("embedding_function is None: there is nothing to embed with.")
        kwargs.setdefault("model_name", _name_of(function))
        kwargs.setdefault("embed_batch_size", _BATCH)
        super().__init__(**kwargs)
        self._function = function

    @classmethod
    def class_name(cls) -> str:
        return "ChromaPluginEmbedding"

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._embedded([query], query=True)[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._embedded([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._embedded(texts)

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    def _embedded(self, texts: list[str], *, query: bool = False) -> list[Embedding]:
        found: list[Embedding] = embed(self._function, texts, query=query).tolist()
        return found


class LlamaIndexEmbeddingFunction(EmbeddingFunction[Documents]):
    """LlamaIndex's ``embed_model`` as a collection's embedding function, so that ``collection.query(query_texts=...)``
    and the index speak of the same vectors.
    """

    def __init__(self, embed_model: BaseEmbedding) -> None:
        self._model = embed_model

    def __call__(self, input: Documents) -> Embeddings:
        return self._model.get_text_embedding_batch(list(input))

    def embed_query(self, input: Documents) -> Embeddings:
        return [self._model.get_query_embedding(text) for text in input]


def _name_of(function: Any) -> str:
    try:
        name: str = function.name()
    except (AttributeError, TypeError, NotImplementedError):
        return type(function).__name__
    return name
