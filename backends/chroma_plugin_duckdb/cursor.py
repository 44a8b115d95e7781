"""Statements for DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chroma_plugin_duckdb.failures import translated

if TYPE_CHECKING:
    import duckdb

_KEPT: Final = 2_000
"""Rows that are left with DuckDB until it is given the next: to take them away takes as long as to give them."""


class Cursor:
    """Executes statements; values go in as parameters or as arrays, never as text."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def execute(self, statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with translated(self._path):
            return self._connection.execute(statement, parameters or []).fetchall()

    def execute_with(self, arrays: Mapping[str, Any], statement: str) -> None:
        """Run a statement that names ``given``, a table with those arrays as columns."""
        with translated(self._path):
            self._connection.register("given", dict(arrays))
            try:
                self._connection.execute(statement)
            finally:
                if any(len(array) > _KEPT for array in arrays.values()):
                    self._connection.unregister("given")

    def arrays(self, statement: str, parameters: list[Any]) -> dict[str, np.ndarray[Any, Any]]:
        """The result as one array per column."""
        with translated(self._path):
            return self._connection.execute(statement, parameters).fetchnumpy()
