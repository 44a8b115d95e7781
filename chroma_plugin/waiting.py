"""Waiting inside of plain code that runs on an event loop: the way to sockets without a thread.

An async client runs the record operations of a backend with ``native_async`` on its event loop, each in a greenlet (the
technique of SQLAlchemy's asyncio extension). There plain code may call `wait`, which hands an awaitable to the loop and
comes back with its result. Everywhere else `on_loop` is False, and code blocks its thread as usual.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_GREENLETS: Final = "chroma_plugin.greenlets"


def current() -> object | None:
    """What stands for this code, if it runs on an event loop: the same object until the code ends."""
    # Nobody runs in a greenlet before that module was imported, and without it no greenlet package is needed.
    greenlets: Any = sys.modules.get(_GREENLETS)
    return None if greenlets is None else greenlets.current()


def on_loop() -> bool:
    """Whether this code runs on an event loop, so that it must not block and may `wait`."""
    return current() is not None


def wait(awaitable: Awaitable[_T]) -> _T:
    """The result of an awaitable; the event loop goes on meanwhile. Only where `on_loop` is True."""
    from chroma_plugin.greenlets import wait_for

    return wait_for(awaitable)
