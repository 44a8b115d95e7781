"""A directory that gets its name when everything is in it and on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from chroma_plugin.errors import ChromaError, InvalidArgumentError, StorageError
from chroma_plugin.toolkit.files import sync, sync_tree
from chroma_plugin.wording import shown


def absolute(path: object, name: str) -> Path:
    """The argument of that name as a path. Raises InvalidArgumentError for what is none."""
    if not isinstance(path, (str, os.PathLike)) or isinstance(path, bytes) or not str(path) or "\0" in str(path):
        raise InvalidArgumentError(f"{name} must be a path, not {shown(path)}.")
    return Path(path).absolute()


@contextmanager
def made(path: Path) -> Iterator[Path]:
    """An empty directory to fill, which stands at `path` when the block ends, or nowhere, when it raises.

    A process that is killed leaves a directory whose name ends in ``.unfinished``. Raises StorageError when there is
    something at `path`, or when it can't be written.
    """
    _refuse_taken(path)
    unfinished = path.with_name(f"{path.name}.{uuid4().hex[:12]}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir()
        yield unfinished
        sync_tree(unfinished)
        _refuse_taken(path)
        unfinished.rename(path)
        sync(path.parent)
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        # An engine's own error about a file in there says the same.
        there = type(error) is StorageError and str(unfinished) in str(error)
        if there or (isinstance(error, OSError) and not isinstance(error, ChromaError)):
            raise StorageError(f"{path} can't be written: {error}. Nothing was left there.") from error
        raise


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        raise StorageError(f"{path} exists already: nothing is written over. Choose another path, or move it away.")
