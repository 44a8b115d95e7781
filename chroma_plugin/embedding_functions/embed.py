"""Texts to a checked matrix, by any embedding function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.embedding_functions.identity import describe
from chroma_plugin.errors import EmbeddingFunctionError
from chroma_plugin.types import Matrix
from chroma_plugin.wording import shown

BATCH: Final = 128
"""Documents in one call of the function."""
QUIET_SECONDS: Final = 1.0
"""Work that takes longer shows a progress bar."""


def embed(function: Any, texts: Sequence[str], *, query: bool = False) -> Matrix:
    """The vectors of the texts: float32 of shape (len(texts), dimension), finite, C-contiguous; (0, 0) for no texts.

    The function is called with lists of at most 128 texts, its ``embed_query`` for queries where it has one. While
    standard error is a terminal, work of more than a second shows a progress bar there.

    Raises EmbeddingFunctionError when there is no function or when it returns anything else than one finite vector of
    one length for each text. What the function itself raises passes through, with a note that names it.
    """
    if function is None:
        raise EmbeddingFunctionError(
            "There are texts to embed, but this collection has no embedding function. Bring the vectors "
            "(embeddings=..., query_embeddings=...), or open the collection with the function it was filled with: "
            "client.get_collection(name, embedding_function=...)."
        )
    if not texts:
        return np.empty((0, 0), np.float32)
    call = getattr(function, "embed_query", function) if query else function
    if len(texts) <= BATCH:
        return _call(function, call, list(texts))
    return _join(function, _in_batches(function, call, texts))


def _in_batches(function: Any, call: Callable[[list[str]], Any], texts: Sequence[str]) -> list[Matrix]:
    from tqdm import tqdm

    parts: list[Matrix] = []
    # disable=None: shown on a terminal only.
    with tqdm(total=len(texts), desc="Embedding", unit="doc", delay=QUIET_SECONDS, disable=None, leave=False) as bar:
        for start in range(0, len(texts), BATCH):
            parts.append(_call(function, call, list(texts[start : start + BATCH])))
            bar.update(len(parts[-1]))
    return parts


def _call(function: Any, call: Callable[[list[str]], Any], texts: list[str]) -> Matrix:
    count = len(texts)  # the list is the function's now
    try:
        outcome = call(texts)
    except Exception as error:
        error.add_note(f"It was raised by the embedding function {describe(function)}, for {count} texts.")
        raise
    return _checked(function, outcome, count)


def _checked(function: Any, outcome: Any, count: int) -> Matrix:
    array = _numbers(function, outcome)
    if array.ndim != 2 or array.shape[1] == 0:
        raise _wrong(function, f"an array of shape {array.shape}", f"{count} vectors, one for each text")
    if len(array) != count:
        raise _wrong(function, f"{len(array)} vectors for {count} texts", "one vector for each text")
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(matrix).all():
        row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise _wrong(
            function, f"NaN, infinity or a number beyond float32 in the vector of text {row}", "finite numbers"
        )
    return matrix


def _numbers(function: Any, outcome: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(outcome)
    except (TypeError, ValueError) as error:
        raise _wrong(
            function, f"{type(outcome).__name__} that is no array ({error})", "vectors of one length"
        ) from error
    if array.dtype.kind not in "fiu":
        raise _wrong(function, shown(outcome), "vectors of numbers")
    return array


def _join(function: Any, parts: list[Matrix]) -> Matrix:
    dimensions = sorted({part.shape[1] for part in parts})
    if len(dimensions) > 1:
        raise _wrong(function, f"vectors of the dimensions {dimensions}", "vectors of one length")
    return np.concatenate(parts)


def _wrong(function: Any, seen: str, wanted: str) -> EmbeddingFunctionError:
    return EmbeddingFunctionError(
        f"The embedding function {describe(function)} returned {seen}; it must return {wanted}."
    )
