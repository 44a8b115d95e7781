"""Which clients use which session: one per directory and process, closed by the last of them, and not usable after a
fork.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.errors import ClosedError, InvalidArgumentError, StorageError
from chroma_plugin.sessions.session import Session
from chroma_plugin.wording import shown

if TYPE_CHECKING:
    from chroma_plugin.config import Target


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Shared:
    """A session and who has it."""

    session: Session
    place: str | None
    options: Any
    clients: int = 0
    forked: bool = False


_PLACES: Final = ("persist_directory", "path")


class _Places:
    """The sessions of this process by their place, and the lock around opening and closing them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.shared: dict[str, _Shared] = {}
        self.every: weakref.WeakSet[_Shared] = weakref.WeakSet()
        """Also those that have no place."""


_places: Final = _Places()


class Connection:
    """One client's hold on a session. It ends with `close`, or when the client and all its collections are gone."""

    def __init__(self, target: Target) -> None:
        self._shared = _join(target)
        # Also runs when the interpreter ends, so that nothing stays unwritten.
        self._leave = weakref.finalize(self, _leave, self._shared)

    @property
    def session(self) -> Session:
        """Raises ClosedError after `close`, StorageError in a process that was forked off."""
        if self._shared.forked:
            raise StorageError(
                f"{self._shared.place or 'This database in memory'} was opened by another process, and this one was "
                f"forked off. Open a client of its own in each process, after the fork; a database that is written to "
                f"can be open in one process at a time."
            )
        if not self._leave.alive:
            raise ClosedError("The client was closed.")
        return self._shared.session

    def close(self) -> None:
        """Give it up; doing so again has no effect."""
        self._leave()


def _join(target: Target) -> _Shared:
    from chroma_plugin.plugins import open_backend
    from chroma_plugin.plugins.options import build_options

    options = build_options(target.spec, target.options)
    place = _place(options)
    with _places.lock:
        shared = None if place is None else _places.shared.get(place)
        if shared is None:
            session = Session(open_backend(target.spec, target.options), target.spec.name)
            shared = _Shared(session, place, options)
            _places.every.add(shared)
            if place is not None:
                _places.shared[place] = shared
        else:
            _refuse_other_settings(shared, target.spec.name, options)
        shared.clients += 1
        return shared


def _leave(shared: _Shared) -> None:
    with _places.lock:
        if shared.forked:
            return
        shared.clients -= 1
        if shared.clients:
            return
        if shared.place is not None:
            _places.shared.pop(shared.place, None)
        # Still under the lock: whoever opens this place next must find it closed.
        shared.session.close()


def _place(options: Any) -> str | None:
    """Where a persistent backend keeps its files, links resolved: its option of one of these names, if it has one."""
    for name in _PLACES:
        path: str | os.PathLike[str] | None = getattr(options, name, None)
        if path is not None:
            return os.path.realpath(path)
    return None


def _refuse_other_settings(shared: _Shared, backend: str, options: Any) -> None:
    if shared.session.name != backend:
        raise InvalidArgumentError(
            f"{shared.place} is open in this process with the backend {shared.session.name!r}; "
            f"close that client before you open it with {backend!r}."
        )
    for field in dataclasses.fields(options):
        here, there = getattr(options, field.name), getattr(shared.options, field.name)
        if field.name not in _PLACES and here != there:
            raise InvalidArgumentError(
                f"{shared.place} is open in this process with {field.name}={shown(there, field.name)}; "
                f"close that client before you open it with {field.name}={shown(here, field.name)}."
            )


def _after_fork() -> None:
    """In the child: what the parent has open is not ours, unless its backend can share it."""
    # Another thread of the parent may have held the old lock.
    _places.lock = threading.RLock()
    for shared in list(_places.every):
        if not shared.session.after_fork():
            _abandon(shared)


def _abandon(shared: _Shared) -> None:
    import ctypes  # not with the package: it takes long

    shared.forked = True
    if shared.place is not None:
        _places.shared.pop(shared.place, None)
    # Never taken apart, not even at the end: DuckDB would write into the parent's files, and wait for its threads.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(shared.session))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
