"""What an embedding function is.

Anything that takes a list of texts and returns one vector for each can embed (`adapt` lists what is accepted). A
subclass of `EmbeddingFunction` with `name` and `get_config` is also remembered by its collections, so that they open
without naming it again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Document: TypeAlias = str
Documents: TypeAlias = list[Document]
Embeddable: TypeAlias = Documents | list[Any]
"""What can be embedded: documents; the list of anything else is for people's own functions."""
Embedding: TypeAlias = Sequence[float] | npt.NDArray[np.floating[Any]]
Embeddings: TypeAlias = Sequence[Embedding] | npt.NDArray[np.floating[Any]]
"""One vector for each input: a list of vectors, or an array of shape (n, dimension)."""
Space: TypeAlias = Literal["cosine", "l2", "ip"]

Input = TypeVar("Input", bound=Embeddable, contravariant=True)


class EmbeddingFunction(ABC, Generic[Input]):
    """Turns texts into vectors::

        class MyFunction(EmbeddingFunction[Documents]):
            def __call__(self, input: Documents) -> Embeddings:
                return my_model.encode(input)

    Only `__call__` must be written. Add `name`, `get_config` and `build_from_config`, and register the class with
    `register_embedding_function`, and a collection that was made with it opens without it being passed again.

    Each vector must depend on its own text alone: many documents are embedded in several calls.
    """

    @abstractmethod
    def __call__(self, input: Input) -> Embeddings:
        """One vector for each document, in order, all of one length."""

    def embed_query(self, input: Input) -> Embeddings:
        """One vector for each query text. Default: as a document."""
        return self(input)

    @staticmethod
    def name() -> str:
        """The name under which collections remember it.

        Without one, it must be passed whenever a collection is opened.
        """
        raise NotImplementedError("This embedding function has no name().")

    def get_config(self) -> dict[str, Any]:
        """What `build_from_config` needs, as plain JSON. It is stored with the collection: no secrets."""
        raise NotImplementedError("This embedding function has no get_config().")

    @staticmethod
    def build_from_config(config: Mapping[str, Any]) -> EmbeddingFunction[Any]:
        """The function that `get_config` described."""
        raise NotImplementedError("This embedding function has no build_from_config().")

    def default_space(self) -> Space:
        """The distance of a new collection that names none."""
        return "l2"

    def supported_spaces(self) -> list[Space]:
        """The distances that make sense for these vectors."""
        return ["cosine", "l2", "ip"]
