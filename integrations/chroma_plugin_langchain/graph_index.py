"""What a LangGraph store embeds, and with what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, PutOp, ensure_embeddings, get_text_at_path

from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError
from chroma_plugin_langchain.graph_items import Vector

WHOLE: Final = "$"


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """Which texts of an item are embedded, and the model."""

    embeddings: Embeddings
    fields: tuple[str, ...]
    dimension: int | None

    @staticmethod
    def of(config: IndexConfig | None, fallback: Embeddings | None) -> SearchIndex | None:
        """The index of a configuration; None when there is none, so nothing is embedded.

        Without ``embed`` it is the fallback. Raises InvalidArgumentError when that is None, too.
        """
        if not config:
            return None
        embed = config.get("embed") or fallback
        if embed is None:
            raise InvalidArgumentError(
                "index needs 'embed': Embeddings, a function of a list of texts, or a name such as "
                "'openai:text-embedding-3-small'; this collection has no embedding function to use instead."
            )
        return SearchIndex(ensure_embeddings(embed), tuple(config.get("fields") or (WHOLE,)), config.get("dims"))

    def texts(self, put: PutOp, value: Mapping[str, Any]) -> list[str]:
        """The distinct texts to embed for an item, in the order of the fields."""
        if put.index is False:
            return []
        fields: Sequence[str] = self.fields if put.index is None else put.index
        found = [text for path in fields for text in get_text_at_path(value, path)]
        return list(dict.fromkeys(found))

    def embed(self, texts: Sequence[str], queries: Sequence[str]) -> Embedded:
        """The vectors of distinct texts and of distinct queries."""
        documents = self.embeddings.embed_documents(list(texts)) if texts else []
        return self._embedded(texts, documents, queries, [self.embeddings.embed_query(query) for query in queries])

    async def aembed(self, texts: Sequence[str], queries: Sequence[str]) -> Embedded:
        """`embed`, awaited, all at once."""
        asked = [self.embeddings.aembed_query(query) for query in queries]
        if not texts:
            return self._embedded([], [], queries, await asyncio.gather(*asked))
        documents, *answers = await asyncio.gather(self.embeddings.aembed_documents(list(texts)), *asked)
        return self._embedded(texts, documents, queries, answers)

    def _embedded(self, texts: Sequence[str], documents: Any, queries: Sequence[str], answers: Any) -> Embedded:
        if len(documents) != len(texts):
            raise InvalidArgumentError(f"The embeddings gave {len(documents)} vectors for {len(texts)} texts.")
        return Embedded(self._units(texts, documents), self._units(queries, answers))

    def _units(self, texts: Iterable[str], vectors: Iterable[Any]) -> dict[str, Vector | None]:
        return {text: self._unit(vector) for text, vector in zip(texts, vectors, strict=True)}

    def _unit(self, vector: Any) -> Vector | None:
        """The vector at length 1, so that all three spaces order by the cosine; None for zero, which has no angle."""
        floats = np.asarray(vector, dtype=np.float64)
        if self.dimension is not None and floats.shape != (self.dimension,):
            raise InvalidDimensionError(
                f"index['dims'] is {self.dimension}, but the embeddings gave a vector of {floats.size} numbers."
            )
        length = float(np.linalg.norm(floats))
        return (floats / length).astype(np.float32) if length else None


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors that a batch needs, by text."""

    texts: Mapping[str, Vector | None]
    queries: Mapping[str, Vector | None]

    def of(self, texts: Iterable[str]) -> tuple[Vector, ...]:
        """The vectors of an item's texts."""
        vectors = [self.texts[text] for text in texts]
        return tuple([vector for vector in vectors if vector is not None])


NOTHING: Final = Embedded({}, {})
