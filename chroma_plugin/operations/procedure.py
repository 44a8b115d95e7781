"""One procedure for sync and async: a generator that says in which room its next lines run.

Storage and embedding models have a room each, in an async client a small thread pool, so that a slow model does not
starve storage. A procedure is plain code with ``yield Room.MODEL`` before it calls a model and ``yield Room.STORE``
before it goes back to the store. It begins in STORE.
No lock may be held across a yield: the next line may run in another thread.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import TypeAlias, TypeVar

_T = TypeVar("_T")


class Room(Enum):
    STORE = "store"
    MODEL = "model"


Procedure: TypeAlias = Generator[Room, None, _T]


def run(procedure: Procedure[_T]) -> _T:
    """Run all of it here and now."""
    try:
        while True:
            next(procedure)
    except StopIteration as finished:
        result: _T = finished.value
        return result
