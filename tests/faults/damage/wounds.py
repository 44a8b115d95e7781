"""What can happen to a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

HEAD = 128
"""Bytes at the beginning of a file that are flipped one by one."""
WHOLE = ("gone", "empty", "junk", "directory", "dangling", "older", "twin")
"""What happens to a file as a whole: the last two put that of an earlier state, or of another collection, there."""


@dataclass(frozen=True, slots=True)
class Wound:
    """One file, one kind, one place."""

    file: str
    kind: str
    at: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def inflict(self, place: Path, older: Path) -> bool:
        """False when it changes nothing."""
        path = place / self.file
        before = path.read_bytes()
        if self.kind in ("flip", "cut", "zero", "longer"):
            path.write_bytes(_changed(before, self.kind, self.at))
            return path.read_bytes() != before
        if self.kind == "older" and not (older / self.file).exists():
            return False
        twin = self._twin(place)
        if self.kind == "twin" and twin is None:
            return False
        other = twin.read_bytes() if self.kind == "twin" and twin is not None else b""
        path.unlink()
        match self.kind:
            case "empty":
                path.touch()
            case "junk":
                path.write_bytes(Random(self.at).randbytes(max(len(before), 5_000)))
            case "directory":
                path.mkdir()
            case "dangling":
                path.symlink_to(place / "nowhere")
            case "older":
                shutil.copy(older / self.file, path)
            case "twin":
                path.write_bytes(other)
        return not path.is_file() or path.read_bytes() != before

    def _twin(self, place: Path) -> Path | None:
        """The same file of another collection."""
        own = Path(self.file)
        others = place.joinpath(own.parent.parent).glob(f"*/*{own.suffix}") if len(own.parts) == 3 else []
        return next((path for path in sorted(others) if path.parent != place / own.parent), None)


def _changed(data: bytes, kind: str, at: int) -> bytes:
    if kind == "cut":
        return data[:at]
    if kind == "longer":
        return data + Random(at).randbytes(at)
    if kind == "zero":
        return data[:at] + bytes(len(data[at : at + 4096])) + data[at + 4096 :]
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << at % 8
    return bytes(flipped)


def files(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


def wounds(place: Path, file: str, random: Random) -> Iterator[Wound]:
    """Without an end: one of each kind first, then flips in the head, then more of what differs by its place."""
    size = (place / file).stat().st_size
    for kind in WHOLE:
        yield Wound(file, kind)
    for bit in random.sample(range(min(HEAD, size) * 8), 8 * min(HEAD, size)) if size else ():
        yield _somewhere(file, size, random)
        yield Wound(file, "flip", bit)
    while size:
        yield _somewhere(file, size, random)


def _somewhere(file: str, size: int, random: Random) -> Wound:
    kind = random.choice(("flip", "flip", "flip", "cut", "zero", "longer"))
    return Wound(file, kind, random.randrange(size * 8 if kind == "flip" else size))
