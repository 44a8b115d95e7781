"""Opening the directory that a command names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chroma_plugin.embedding_functions.minilm.places import cache
from chroma_plugin.errors import NotFoundError

if TYPE_CHECKING:
    from chroma_plugin.api.client import Client
    from chroma_plugin.repairing import Repairer

StorePath = Annotated[Path, typer.Argument(help="The directory of a store.", metavar="PATH", show_default=False)]


@contextmanager
def existing(path: Path, *, read_only: bool = False) -> Iterator[Client]:
    """The client of a store that is there. Raises NotFoundError where a path is mistyped, and makes no new one."""
    if not path.is_dir() or not any(path.iterdir()):
        raise NotFoundError(f"There is no store in {str(path)!r}.")
    with opened(path, read_only=read_only) as client:
        yield client


@contextmanager
def opened(path: Path, *, read_only: bool = False) -> Iterator[Client]:
    """The client of a store, which is made when it is not there."""
    from chroma_plugin import Client, Settings

    settings = Settings(chroma_db_impl="duckdb", persist_directory=str(path), read_only=read_only or None)
    with Client(settings) as client:
        yield client


def repairer_of(path: Path) -> Repairer:
    """What looks for damage in that directory, and mends it."""
    from chroma_plugin.plugins import default_manager, repairer

    if not path.is_dir() or not any(path.iterdir()):
        raise NotFoundError(f"There is no store in {str(path)!r}.")
    found = repairer(default_manager().backend("duckdb"), {"persist_directory": path})
    assert found is not None
    return found


def cache_directory() -> Path:
    """``$CHROMA_PLUGIN_CACHE_DIR``, or ``chroma_plugin`` in the user's cache."""
    return cache().directory.parents[1]
