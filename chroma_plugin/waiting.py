"""Waiting inside of plain code that runs on an event loop: the way to sockets without a thread.

An async client runs the record operations of a backend with ``native_async`` on its event loop, each in a greenlet (the
technique of SQLAlchemy's asyncio extension). There plain code may call `wait`, which hands an awaitable to the loop and
comes back with its result. Everywhere else `on_loop` is False, and code blocks its thread as usual.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_GREENLETS: Final = "chroma_plugin.greenlets"


def current() -> object | None:
    """What stands for this code, if it runs on an event loop: the same object until the code ends."""
    # Nobody runs in a greenlet before that module was imported, and without it no greenlet package is needed.
    greenlets: Any = sys.modules.get(_GREENLETS)
    # A finalizer may ask while that module is being imported.
    current = getattr(greenlets, "current", None)
    return None if current is None else current()


def on_loop() -> bool:
    """Whether this code runs on an event loop, so that it must not block and may `wait`."""
    return current() is not None


def wait(awaitable: Awaitable[_T]) -> _T:
    """The result of an awaitable; the event loop goes on meanwhile. Only where `on_loop` is True."""
    from chroma_plugin.greenlets import wait_for

    return wait_for(awaitable)


def aside(function: Callable[..., _T], *arguments: Any) -> _T:
    """The result of a function that computes for long: in a thread, when this code runs on an event loop."""
    if not on_loop():
        return function(*arguments)
    import asyncio

    return wait(asyncio.to_thread(function, *arguments))
