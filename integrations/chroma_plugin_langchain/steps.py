"""Every operation is written once, as a generator of steps; a store runs the steps, or awaits them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
Matrix: TypeAlias = npt.NDArray[np.float32]
"""Vectors as rows."""


@dataclass(frozen=True, slots=True)
class EmbedDocuments:
    texts: list[str]
    batch_size: int | None = None
    """Texts in one call of the model; None leaves it to the store."""


@dataclass(frozen=True, slots=True)
class EmbedQuery:
    text: str


@dataclass(frozen=True, slots=True)
class EmbedImages:
    uris: list[str]


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a client or a collection, sync or async."""

    method: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)


Step: TypeAlias = EmbedDocuments | EmbedQuery | EmbedImages | Call
Procedure: TypeAlias = Generator[Step, Any, T]


def call(method: Callable[..., Any], **arguments: Any) -> Procedure[Any]:
    """What the method returns, awaited where the store is async."""
    return (yield Call(method, arguments))


def embed_documents(texts: list[str], batch_size: int | None = None) -> Procedure[Matrix]:
    matrix: Matrix = yield EmbedDocuments(texts, batch_size)
    return matrix


def embed_query(text: str) -> Procedure[Matrix]:
    """Shape (1, dimension)."""
    matrix: Matrix = yield EmbedQuery(text)
    return matrix


def embed_images(uris: list[str]) -> Procedure[Matrix]:
    matrix: Matrix = yield EmbedImages(uris)
    return matrix


def run(procedure: Procedure[T], perform: Callable[[Step], Any]) -> T:
    """Run the procedure; what a step raises can be caught in it."""
    try:
        step = next(procedure)
        while True:
            try:
                outcome = perform(step)
            except Exception as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(outcome)
    except StopIteration as finished:
        result: T = finished.value
        return result


async def arun(procedure: Procedure[T], perform: Callable[[Step], Awaitable[Any]]) -> T:
    """The same, each step awaited."""
    try:
        step = next(procedure)
        while True:
            try:
                outcome = await perform(step)
            except Exception as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(outcome)
    except StopIteration as finished:
        result: T = finished.value
        return result
