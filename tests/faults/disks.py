"""The disks that a loss of power may leave, rebuilt from a record of what a process did to its files.

What was synced is there. What was not may be there, or not, or in part: `Model` says how. A file that is synced has its
data on disk, not yet its name: that takes a sync of the directory that names it.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from faults.shim import Kind

_HEAD = struct.Struct("<6Q")
_SECTOR, _PAGE = 512, 4096


class Model(Enum):
    """What becomes of changes that were not synced."""

    KEEP = "keep"
    """They are there, as after a kill."""
    DROP = "drop"
    """None of them is there."""
    RANDOM = "random"
    """Each is there or not; of those to a directory the first ones."""
    REORDER = "reorder"
    """The last ones are there and the first ones are not; of those to a directory any."""
    TORN = "torn"
    """The first ones are there, then one of which only some sectors, or pages, arrived."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a record."""

    kind: Kind
    path: str
    other: str
    data: bytes
    offset: int
    inode: int


def read(log: Path) -> list[Change]:
    """The changes, in the order in which they were made, and the notes between them."""
    text, place, changes = log.read_bytes(), 0, []
    while place < len(text):
        kind, path, other, data, offset, inode = _HEAD.unpack_from(text, place)
        place += _HEAD.size
        pieces = []
        for length in (path, other, data):
            pieces.append(text[place : place + length])
            place += length
        changes.append(Change(Kind(kind), pieces[0].decode(), pieces[1].decode(), pieces[2], offset, inode))
    return changes


@dataclass(eq=False, slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    waiting: list[Change] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Directory:
    synced: dict[str, _File | _Directory] = field(default_factory=dict)
    waiting: list[tuple[str, _File | _Directory | None]] = field(default_factory=list)
    """A name, and what it stands for now; None for nothing."""

    def now(self) -> dict[str, _File | _Directory]:
        return _named(self.synced, self.waiting)


class Disk:
    """A directory as a process changes it, and what of it is safe: at first all that is there already."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[int, _File] = {}
        self._top = self._found(root) if root.exists() else _Directory()

    def _found(self, place: Path) -> _Directory:
        directory = _Directory()
        for path in place.iterdir():
            if path.is_dir():
                directory.synced[path.name] = self._found(path)
            else:
                directory.synced[path.name] = self._files[path.stat().st_ino] = _File(bytearray(path.read_bytes()))
        return directory

    def apply(self, change: Change) -> None:
        """Make a change; what is synced becomes safe."""
        match change.kind:
            case Kind.CREATE:
                self._files[change.inode] = made = _File()
                self._name(change.path, made)
            case Kind.MAKE_DIRECTORY:
                if change.path != str(self._root):
                    self._name(change.path, _Directory())
            case Kind.REMOVE:
                self._name(change.path, None)
            case Kind.RENAME:
                moved = self._find(change.path)
                self._name(change.other, moved)
                self._name(change.path, None)
            case Kind.LINK:
                self._name(change.other, self._find(change.path))
            case Kind.WRITE | Kind.RESIZE | Kind.ALLOCATE:
                self._files[change.inode].waiting.append(change)
            case Kind.SYNC:
                self._sync(change)

    def _sync(self, change: Change) -> None:
        # By its name first: a directory may have been given the number that a deleted file had.
        directory = self._directory(change.path)
        if directory is not None:
            directory.synced = directory.now()
            directory.waiting.clear()
            return
        file = self._files[change.inode]
        for each in file.waiting:
            _write(file.synced, each)
        file.waiting.clear()

    def _directory(self, path: str) -> _Directory | None:
        try:
            found = self._find(path)
        except KeyError:  # a file that has no name any more
            return None
        return found if isinstance(found, _Directory) else None

    def _find(self, path: str) -> _File | _Directory:
        at: _File | _Directory = self._top
        for name in Path(path).relative_to(self._root).parts:
            assert isinstance(at, _Directory)
            at = at.now()[name]
        return at

    def _name(self, path: str, what: _File | _Directory | None) -> None:
        directory = self._find(str(Path(path).parent))
        assert isinstance(directory, _Directory)
        directory.waiting.append((Path(path).name, what))

    def write(self, place: Path, model: Model, seed: int) -> None:
        """Make the directory that is found when the power is back."""
        _Image(model, random.Random(seed)).write(self._top, place)


class _Image:
    """One outcome."""

    def __init__(self, model: Model, chance: random.Random) -> None:
        self._model, self._chance = model, chance
        self._block = chance.choice([_SECTOR, _PAGE])

    def write(self, directory: _Directory, place: Path) -> None:
        place.mkdir(parents=True)
        for name, what in _named(directory.synced, self._names(directory.waiting)).items():
            if isinstance(what, _Directory):
                self.write(what, place / name)
            else:
                (place / name).write_bytes(self._content(what))

    def _names(
        self, waiting: list[tuple[str, _File | _Directory | None]]
    ) -> list[tuple[str, _File | _Directory | None]]:
        match self._model:
            case Model.KEEP:
                return waiting
            case Model.DROP:
                return []
            case Model.REORDER:
                return [each for each in waiting if self._chance.random() < 0.5]
            case _:
                return waiting[: self._chance.randint(0, len(waiting))]

    def _content(self, file: _File) -> bytes:
        content = bytearray(file.synced)
        for change in self._changes(file.waiting):
            _write(content, change)
        return bytes(content)

    def _changes(self, waiting: list[Change]) -> Iterator[Change]:
        match self._model:
            case Model.KEEP:
                yield from waiting
            case Model.RANDOM:
                yield from (each for each in waiting if self._chance.random() < 0.5)
            case Model.REORDER:
                yield from waiting[self._chance.randint(0, len(waiting)) :]
            case Model.TORN:
                whole = self._chance.randint(0, len(waiting))
                yield from waiting[:whole]
                for each in waiting[whole : whole + 1]:
                    yield from self._pieces(each)

    def _pieces(self, change: Change) -> Iterator[Change]:
        if change.kind is not Kind.WRITE:
            return
        first, end = change.offset, change.offset + len(change.data)
        while first < end:
            last = min(first - first % self._block + self._block, end)
            if self._chance.random() < 0.5:
                data = change.data[first - change.offset : last - change.offset]
                yield Change(change.kind, change.path, "", data, first, change.inode)
            first = last


def _named(
    before: dict[str, _File | _Directory], changes: list[tuple[str, _File | _Directory | None]]
) -> dict[str, _File | _Directory]:
    names = dict(before)
    for name, what in changes:
        if what is None:
            names.pop(name, None)
        else:
            names[name] = what
    return names


def _write(content: bytearray, change: Change) -> None:
    end = change.offset + len(change.data) if change.kind is Kind.WRITE else change.offset
    if change.kind is Kind.RESIZE:
        del content[end:]
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if change.kind is Kind.WRITE:
        content[change.offset : end] = change.data
