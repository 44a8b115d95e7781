"""What the store does with its collection, written once: generators that say which call comes next.

`run` makes the calls of a `Collection`; `run_async` awaits those of an `AsyncCollection`, and what stands between them
(documents to records and back) runs in threads, so that the event loop goes on.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from chroma_plugin import AsyncCollection, Collection

_T = TypeVar("_T")


class Call:
    """A method of the collection and its keyword arguments."""

    __slots__ = ("arguments", "method")

    def __init__(self, method: str, **arguments: Any) -> None:
        self.method = method
        self.arguments = arguments

    def on(self, collection: Collection | AsyncCollection) -> Any:
        return getattr(collection, self.method)(**self.arguments)


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the collection."""

    name: str

    def on(self, collection: Collection | AsyncCollection) -> Any:
        return getattr(collection, self.name)


Step: TypeAlias = "Call | Property"
Steps: TypeAlias = Generator[Step, Any, _T]


@dataclass(frozen=True, slots=True)
class _Done:
    value: Any


def run(collection: Collection, steps: Steps[_T]) -> _T:
    """The result of the steps. An error of a call is raised where the call stands."""
    step = _begin(steps)
    while not isinstance(step, _Done):
        try:
            answer = step.on(collection)
        except Exception as error:  # whatever it is: the steps may know what it means
            step = _refused(steps, error)
        else:
            step = _next(steps, answer)
    result: _T = step.value
    return result


async def run_async(collection: AsyncCollection, steps: Steps[_T]) -> _T:
    """The same, awaited."""
    step = await asyncio.to_thread(_begin, steps)
    while not isinstance(step, _Done):
        try:
            answer = step.on(collection)
            answer = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            step = await asyncio.to_thread(_refused, steps, error)
        else:
            step = await asyncio.to_thread(_next, steps, answer)
    result: _T = step.value
    return result


def _begin(steps: Steps[Any]) -> Step | _Done:
    return _next(steps, None)


def _next(steps: Steps[Any], answer: Any) -> Step | _Done:
    try:
        return steps.send(answer)
    except StopIteration as finished:
        return _Done(finished.value)  # StopIteration can't pass through a future


def _refused(steps: Steps[Any], error: Exception) -> Step | _Done:
    try:
        return steps.throw(error)
    except StopIteration as finished:
        return _Done(finished.value)
