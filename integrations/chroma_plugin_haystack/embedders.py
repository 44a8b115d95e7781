"""Embedder components over any embedding function, such as the default one, which needs no service and no PyTorch."""

# No `from __future__ import annotations`: Haystack 2 takes the annotations of `run` as they stand.

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from chroma_plugin.embedding_functions import EmbeddingFunction, adapt, embed


@component
class ChromaPluginTextEmbedder:
    """Embeds a query with an embedding function."""

    def __init__(self, embedding_function: str | EmbeddingFunction[Any] = "default") -> None:
        """
        :param embedding_function: the name of a registered one, or one of your own; only a name can be written into a
            pipeline's YAML.
        """
        self.embedding_function = embedding_function
        self._function = adapt(embedding_function)

    def to_dict(self) -> dict[str, Any]:
        """The component as plain JSON."""
        return default_to_dict(self, embedding_function=_name(self.embedding_function))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ChromaPluginTextEmbedder":
        """The component that `to_dict` wrote."""
        return default_from_dict(cls, data)

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, list[float]]:
        """``{"embedding": [...]}``. Raises TypeError when the text is no str."""
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, not {text!r:.100}; for documents use ChromaPluginDocumentEmbedder.")
        return {"embedding": embed(self._function, [text], query=True)[0].tolist()}

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, list[float]]:
        """See `run`; the model runs in a thread."""
        return await asyncio.to_thread(self.run, text)


@component
class ChromaPluginDocumentEmbedder:
    """Embeds the content of documents with an embedding function."""

    def __init__(
        self,
        embedding_function: str | EmbeddingFunction[Any] = "default",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
    ) -> None:
        """
        :param embedding_function: the name of a registered one, or one of your own; only a name can be written into a
            pipeline's YAML.
        :param meta_fields_to_embed: values of meta that are embedded with the content, before it.
        :param embedding_separator: what stands between them.
        """
        self.embedding_function = embedding_function
        self.meta_fields_to_embed = list(meta_fields_to_embed or ())
        self.embedding_separator = embedding_separator
        self._function = adapt(embedding_function)

    def to_dict(self) -> dict[str, Any]:
        """The component as plain JSON."""
        return default_to_dict(
            self,
            embedding_function=_name(self.embedding_function),
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ChromaPluginDocumentEmbedder":
        """The component that `to_dict` wrote."""
        return default_from_dict(cls, data)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """``{"documents": [...]}``: copies with embeddings. Raises TypeError for what is no list of documents."""
        _check(documents)
        vectors = embed(self._function, [self._text(document) for document in documents])
        pairs = zip(documents, vectors, strict=True)
        return {"documents": [replace(document, embedding=vector.tolist()) for document, vector in pairs]}

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, list[Document]]:
        """See `run`; the model runs in a thread."""
        return await asyncio.to_thread(self.run, documents)

    def _text(self, document: Document) -> str:
        fields = (document.meta.get(name) for name in self.meta_fields_to_embed)
        texts = [str(value) for value in fields if value is not None]
        return self.embedding_separator.join([*texts, document.content or ""])


def _name(embedding_function: str | EmbeddingFunction[Any]) -> str:
    if not isinstance(embedding_function, str):
        raise ValueError(
            "Only the name of an embedding function can be written down. Register the function "
            "(chroma_plugin.embedding_functions.register_embedding_function) and give its name."
        )
    return embedding_function


def _check(documents: Sequence[Document]) -> None:
    if not isinstance(documents, list) or not all(isinstance(document, Document) for document in documents):
        raise TypeError(f"documents must be a list of Documents, not {documents!r:.100}.")
