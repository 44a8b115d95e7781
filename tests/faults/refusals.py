"""Children that the system itself refuses something: limits, permissions, a disk that is full."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from faults.checking import Wrong, contents
from faults.nursery import say

import chroma_plugin
from chroma_plugin.api.collection import Collection
from chroma_plugin.errors import StorageError

_DIMENSION = 64
_ROWS = 1_000


def refuse(directory: str, how: str) -> None:
    """Fill a store, have the system refuse writes, and allow them again; all in one process, then once more opened."""
    place = Path(directory)
    with _WAYS[how](place) as (begin, end):
        client = chroma_plugin.PersistentClient(place / "store")
        collection = client.create_collection("first", embedding_function=None)
        _add(collection, 0)
        before = contents(collection)
        begin()
        if how == "descriptors":
            _refused(lambda: chroma_plugin.PersistentClient(place / "other"), place)
        else:
            _refused(lambda: [_add(collection, number) for number in range(1, 100)], place)
        known = contents(collection)
        if len(known) % _ROWS or {id: known[id] for id in before} != before:
            raise Wrong(f"{len(known)} records are shown: a part of a batch, or other data")
        end()
        _add(collection, 1_000)
        known = contents(collection)
        client.close()
        with chroma_plugin.PersistentClient(place / "store") as client:
            if contents(client.get_collection("first", embedding_function=None)) != known:
                raise Wrong("another opening shows something else")
    say("right")


def _add(collection: Collection, number: int) -> None:
    ids = [f"{number}-{row}" for row in range(_ROWS)]
    collection.add(ids=ids, embeddings=np.full((_ROWS, _DIMENSION), number, np.float32), documents=ids)


def _refused(call: Callable[[], object], place: Path) -> None:
    try:
        call()
    except StorageError as error:
        if str(place) not in str(error) or ("ulimit" not in str(error) and "oom" not in str(error)):
            raise Wrong(f"the error does not say where, or what to do: {error}") from error
        say(f"refused {error}".replace("\n", " "))
    else:
        raise Wrong("nothing was refused")


Switches = tuple[Callable[[], None], Callable[[], None]]


@contextmanager
def _large_files(place: Path) -> Iterator[Switches]:
    """Python ignores SIGXFSZ, so that the call fails."""
    yield _limited(resource.RLIMIT_FSIZE, 2 << 20)


@contextmanager
def _many_descriptors(place: Path) -> Iterator[Switches]:
    """All but a few are taken."""
    taken: list[int] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def take() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        while True:
            try:
                taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                return

    def give_back() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        while taken:
            os.close(taken.pop())

    yield take, give_back


@contextmanager
def _full_disk(place: Path) -> Iterator[Switches]:
    """A small one of its own."""
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(place)], check=False)
    if mounted.returncode:
        say("impossible: this user may not mount")
        os._exit(0)
    filler = place / "filler"

    def fill() -> None:
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, (os.statvfs(place).f_bavail * os.statvfs(place).f_bsize) - (1 << 20))

    try:
        yield fill, filler.unlink
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _limited(what: int, most: int) -> Switches:
    soft, hard = resource.getrlimit(what)
    return lambda: resource.setrlimit(what, (most, hard)), lambda: resource.setrlimit(what, (soft, hard))


_WAYS = {"large files": _large_files, "descriptors": _many_descriptors, "full disk": _full_disk}
