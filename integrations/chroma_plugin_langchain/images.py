"""The methods of a store that are about images. The embeddings need a method ``embed_image(uris=...)``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from chroma_plugin_langchain import searching, writing
from chroma_plugin_langchain.base import StoreBase
from chroma_plugin_langchain.searching import Scored, without_scores


class Images(StoreBase):
    """Adding images and searching by one."""

    def add_images(
        self,
        uris: Sequence[str],
        metadatas: Sequence[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
    ) -> list[str]:
        """Embed image files and store them, in base64, as page contents.

        The embeddings need a method ``embed_image(uris=...)``. Raises UnsupportedError when they have none.
        """
        contents = [self.encode_image(uri) for uri in uris]
        return self._run(writing.add_images(self._place, uris, metadatas, ids, contents))

    async def aadd_images(
        self,
        uris: Sequence[str],
        metadatas: Sequence[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
    ) -> list[str]:
        """See `add_images`."""
        contents = await asyncio.to_thread(lambda: [self.encode_image(uri) for uri in uris])
        return await self._arun(writing.add_images(self._place, uris, metadatas, ids, contents))

    @staticmethod
    def encode_image(uri: str) -> str:
        """The file in base64."""
        return writing.image_text(uri)

    def similarity_search_by_image(
        self, uri: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """The k documents nearest to an image file. The embeddings need a method ``embed_image(uris=...)``."""
        return without_scores(self._run(searching.by_image(self._place, uri, k, filter, where_document, kwargs)))

    async def asimilarity_search_by_image(
        self, uri: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """See `similarity_search_by_image`."""
        return without_scores(await self._arun(searching.by_image(self._place, uri, k, filter, where_document, kwargs)))

    def similarity_search_by_image_with_relevance_score(
        self, uri: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """The same with relevance in [0, 1]."""
        return self._relevant(self._run(searching.by_image(self._place, uri, k, filter, where_document, kwargs)))

    async def asimilarity_search_by_image_with_relevance_score(
        self, uri: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """See `similarity_search_by_image_with_relevance_score`."""
        found = await self._arun(searching.by_image(self._place, uri, k, filter, where_document, kwargs))
        return self._relevant(found)
