"""DuckDB as a reader and writer of Parquet files, and no more than that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chroma_plugin.errors import ChromaError, CorruptionError, StorageError

if TYPE_CHECKING:
    import duckdb

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    # Parquet is built into the wheel: nothing is ever fetched or loaded.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_GLOB_CHARACTERS: Final = "*?["
_LONGEST_MESSAGE: Final = 300


@contextmanager
def connection(spill: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB of its own in memory, closed at the end.

    With ``spill`` it takes 1 GB at most and moves the rest into that directory, which it makes.
    """
    import duckdb

    limits = {} if spill is None else {"memory_limit": "1GB", "temp_directory": str(spill)}
    connected = duckdb.connect(":memory:", config={**_CONFIG, **limits})
    try:
        yield connected
    finally:
        connected.close()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors about a file into ours."""
    import duckdb

    try:
        yield
    except ChromaError:
        raise
    except (duckdb.Error, RuntimeError) as error:  # the second for a name that is not UTF-8
        raise CorruptionError(f"{str(path)!r} can't be read: {str(error)[:_LONGEST_MESSAGE]}") from error


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Turn DuckDB's and the system's errors about writing files into ours."""
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError) as error:
        if isinstance(error, ChromaError):
            raise
        raise StorageError(f"Can't write to {str(directory)!r}: {str(error)[:_LONGEST_MESSAGE]}") from error


def literal(path: Path) -> str:
    """The path for ``read_parquet``, which would take ``*``, ``?`` and ``[`` in a name for a pattern."""
    return "".join(f"[{character}]" if character in _GLOB_CHARACTERS else character for character in str(path))
