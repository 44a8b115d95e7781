"""The files of the model: exactly these, whoever delivers them.

Both are read whole and compared with their digest before anything in them is used, and written so that a file in the
cache is complete or not there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from chroma_plugin.errors import ModelUnavailableError
from chroma_plugin.frozen import frozen

REPOSITORY: Final = "sentence-transformers/all-MiniLM-L6-v2"
REVISION: Final = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
DIMENSION: Final = 384

_CHUNK: Final = 1 << 20


@frozen
class Pinned:
    """A file that is known by its content."""

    name: str
    size: int
    sha256: str


MODEL: Final = Pinned("model.safetensors", 90868376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
TOKENIZER: Final = Pinned("tokenizer.json", 466247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037")
# The small one first: where files can't be had, that is known soon.
FILES: Final = (TOKENIZER, MODEL)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read(directory: Path) -> Mapping[str, bytes]:
    """The checked contents by file name.

    Raises ModelUnavailableError with the reason when a file is missing or another.
    """
    return {pinned.name: _read(directory / pinned.name, pinned) for pinned in FILES}


def _read(path: Path, pinned: Pinned) -> bytes:
    try:
        size = path.stat().st_size
        # Not read before the size is known to be right: the path may be anything.
        content = path.read_bytes() if size == pinned.size else b""
    except FileNotFoundError:
        raise ModelUnavailableError(f"no {pinned.name} there") from None
    except OSError as error:
        raise ModelUnavailableError(f"{pinned.name} can't be read: {error}") from error
    if size != pinned.size:
        raise ModelUnavailableError(f"{pinned.name} is damaged or another file: {size} bytes, not {pinned.size}")
    _check(hashlib.sha256(content).hexdigest(), pinned)
    return content


def write(directory: Path, pinned: Pinned, source: Readable, advance: Callable[[int], object]) -> None:
    """Copy ``source`` into the directory, checked; ``advance`` hears of each piece's bytes.

    Raises ModelUnavailableError when it is not the pinned file; then nothing is left behind. Any number of processes
    may do this at once.
    """
    part = directory / f".{pinned.name}.{uuid4().hex}.part"
    try:
        _copy(part, pinned, source, advance)
        os.replace(part, directory / pinned.name)
    finally:
        part.unlink(missing_ok=True)


def _copy(part: Path, pinned: Pinned, source: Readable, advance: Callable[[int], object]) -> None:
    digest, size = hashlib.sha256(), 0
    with part.open("xb") as target:
        # One byte more than wanted shows a longer file, and no more than that is ever read of it.
        while chunk := source.read(min(_CHUNK, pinned.size + 1 - size)):
            target.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            advance(len(chunk))
        target.flush()
        os.fsync(target.fileno())
    _check(digest.hexdigest(), pinned)


def _check(sha256: str, pinned: Pinned) -> None:
    if sha256 != pinned.sha256:
        raise ModelUnavailableError(
            f"{pinned.name} is damaged or another file: its sha256 is {sha256}, not {pinned.sha256}"
        )
