"""Plain code in a greenlet on the event loop; see `chroma_plugin.waiting`. Imported when it is first needed."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import greenlet  # in the extra `rest`

_T = TypeVar("_T")


class OnLoop(greenlet.greenlet):  # type: ignore[misc]  # greenlet has no type information
    """One call of plain code. Switching to its parent hands over an awaitable."""

    def __init__(self, function: Callable[..., Any], driver: greenlet.greenlet) -> None:
        super().__init__(function, driver)
        # The code sees the context variables of the task that it runs for.
        self.gr_context = driver.gr_context


def current() -> OnLoop | None:
    """The greenlet of this code, if it runs in one."""
    here = greenlet.getcurrent()
    return here if isinstance(here, OnLoop) else None


async def run(function: Callable[..., _T], *arguments: Any) -> _T:
    """The result of plain code that may call `chroma_plugin.waiting.wait`."""
    code = OnLoop(function, greenlet.getcurrent())
    result = code.switch(*arguments)
    while not code.dead:
        try:
            answer = await result
        except BaseException:
            # Also a cancellation: the code ends as if its wait had failed.
            result = code.throw(*sys.exc_info())
        else:
            result = code.switch(answer)
    done: _T = result
    return done


def wait_for(awaitable: Awaitable[_T]) -> _T:
    here = current()
    assert here is not None, "only plain code on an event loop can wait"
    assert here.parent is not None
    result: _T = here.parent.switch(awaitable)
    return result
