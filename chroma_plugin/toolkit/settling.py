"""Moving the vectors of a collection from its journal into a file, and finding them again.

The journal keeps a vector until it is settled. So a vector is on disk in at least one of the two places at any moment:
the file is on disk, with its header, before the journal lets go of what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from chroma_plugin.toolkit import vector_file
from chroma_plugin.toolkit.journal import Journal
from chroma_plugin.toolkit.table import Numbers, Rows, Table, View
from chroma_plugin.toolkit.vector_file import VectorFile
from chroma_plugin.toolkit.vectors import RowNumbers

if TYPE_CHECKING:
    from chroma_plugin.toolkit.local import LocalStore

SETTLE_FROM: Final = 4 << 20
"""Bytes of vectors that are worth settling. A smaller collection stays in the journal: one file less to open."""
_ROWS_AT_ONCE: Final = 10_000


def restored(journal: Journal, dimension: int) -> Table:
    """The table of all that the journal and the file beside it hold."""
    table = _of_settled(journal, dimension)
    for rows in journal.load(settled=False):
        table.prepare(rows)
        table.append(rows)
    return table


def _of_settled(journal: Journal, dimension: int) -> Table:
    directory = journal.vector_directory()
    if directory is None or not directory.is_dir():
        return _filled(Table(dimension), np.empty(0, dtype=np.int64), journal)
    if not possible(journal):
        vectors, stamps = vector_file.in_memory(directory, dimension)
        return _filled(Table(dimension, vectors), stamps, journal)
    file = VectorFile.open(directory, dimension)
    if file is None:
        return _filled(Table(dimension), np.empty(0, dtype=np.int64), journal)
    file.remove_others()
    return _filled(Table(dimension, file), file.stamps(), journal)


def _filled(table: Table, stamps: Numbers, journal: Journal) -> Table:
    table.restore(stamps, journal.load(settled=True))
    return table


def possible(journal: Journal) -> bool:
    """Whether there is a place for a file."""
    return journal.vector_directory() is not None and journal.writable() and vector_file.SUPPORTED


def wanted(view: View) -> bool:
    """Whether the journal holds so many vectors that it is worth while."""
    vectors = view.table.vectors
    settled = vectors.settled if isinstance(vectors, VectorFile) else 0
    return (view.length - settled) * view.table.dimension * 4 >= SETTLE_FROM


def settle(store: LocalStore, journal: Journal) -> None:
    """Put all vectors of this moment into the file and have the journal drop them. Reads and writes go on meanwhile.

    The caller sees to it that nothing else settles or compacts.
    """
    directory = journal.vector_directory()
    assert directory is not None
    view = store.view
    table = view.table
    file = table.vectors
    if not isinstance(file, VectorFile):
        file = VectorFile.create(directory, table.dimension)
        _copy(table, 0, view.length, file)  # what a failure leaves behind goes with the next success
    _keep(file, view)
    if table.vectors is not file:
        with store.writing:
            _copy(table, view.length, store.view.length, file)
            table.vectors = file
    journal.settle(int(table.stamps[: view.length].max()))
    file.release()


def checks(view: View) -> Iterator[None]:
    """Look for damage in the settled vectors, a piece at a time. What is found is an error for whoever reads there."""
    vectors = view.table.vectors
    return vectors.check() if isinstance(vectors, VectorFile) else iter(())


def finish(view: View) -> None:
    """Nothing is written any more: give back the room that was made for it."""
    if isinstance(view.table.vectors, VectorFile):
        view.table.vectors.trim()


def _copy(table: Table, first: int, last: int, file: VectorFile) -> None:
    for start in range(first, last, _ROWS_AT_ONCE):
        block = table.vectors.block(start, min(start + _ROWS_AT_ONCE, last))
        file.stage(block)
        file.publish(len(block))


def _keep(file: VectorFile, view: View) -> None:
    file.settle(view.table.stamps[: view.length])
    file.remove_others()


def moved(view: View, rows: RowNumbers, journal: Journal) -> Table:
    """Those rows in a table of their own, in this order; settled, if they were. The caller holds the writer's lock
    until it is published: what is settled from then on goes there.
    """
    old = view.table
    directory = journal.vector_directory() if isinstance(old.vectors, VectorFile) else None
    table = Table(old.dimension, None if directory is None else VectorFile.create(directory, old.dimension))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = _rows(view, rows[start : start + _ROWS_AT_ONCE])
        table.prepare(some)
        table.append(some)
    if isinstance(table.vectors, VectorFile):
        _keep(table.vectors, table.view)
    return table


def _rows(view: View, rows: RowNumbers) -> Rows:
    table, numbers = view.table, rows.tolist()
    return Rows(
        ids=[table.ids[row] for row in numbers],
        places=table.places[: view.length][rows],
        stamps=table.stamps[: view.length][rows],
        embeddings=table.vectors.take(rows),
        documents=[table.documents[row] for row in numbers],
        metadatas=[table.metadatas[row] for row in numbers],
        uris=[table.uris[row] for row in numbers],
    )
