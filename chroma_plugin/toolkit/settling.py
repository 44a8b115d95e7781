"""Moving the vectors of a collection from its journal into a file, and finding them again.

The journal keeps a vector until it is settled. So a vector is on disk in at least one of the two places at any moment:
the file is on disk, with its header, before the journal lets go of what is in it. A write with many vectors, or after
which many would have gathered, settles them before the journal is told of its records: then the journal, which would
write each vector to its log, into its own file, and away from there, never has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from chroma_plugin.errors import CorruptionError, StorageError
from chroma_plugin.toolkit import saved_table, vector_file
from chroma_plugin.toolkit.damage import way_out
from chroma_plugin.toolkit.journal import Journal
from chroma_plugin.toolkit.table import Rows, Table, View
from chroma_plugin.toolkit.texts import Kind
from chroma_plugin.toolkit.vector_file import VectorFile
from chroma_plugin.toolkit.vectors import RowNumbers

if TYPE_CHECKING:
    from chroma_plugin.toolkit.local import LocalStore

SETTLE_FROM: Final = 4 << 20
"""Bytes of vectors that are worth settling. A smaller collection stays in the journal: one file less to open."""
STRAIGHT_FROM: Final = SETTLE_FROM
"""Bytes of vectors that no write lets gather in the journal: it settles them first, and its own."""
_ROWS_AT_ONCE: Final = 10_000


def restored(journal: Journal, dimension: int | None) -> Table:
    """The table of all that the journal and the file beside it hold. Without a dimension it is that of what is found:
    the process may have ended before the first write was noted.
    """
    saved = _saved(journal, dimension)
    if saved is not None:
        return saved
    table = _of_settled(journal, dimension)
    for rows in journal.load(settled=False):
        table.prepare(rows)
        table.append(rows)
    return table


def _saved(journal: Journal, dimension: int | None) -> Table | None:
    """The table as it was when the store was closed, if nothing has changed since."""
    mark, directory = journal.mark(), journal.vector_directory()
    path = vector_file.latest(directory) if mark is not None and directory is not None and possible(journal) else None
    if mark is None or path is None:
        return None
    file = VectorFile.open(path, dimension)
    table = saved_table.load(file, mark)
    if table is not None:
        _tidy(file)
    return table


def _of_settled(journal: Journal, dimension: int | None) -> Table:
    directory = journal.vector_directory()
    path = None if directory is None else vector_file.latest(directory)
    if path is None:
        table, stamps = Table(dimension or journal.dimension() or 0), np.empty(0, dtype=np.int64)
    elif possible(journal):
        file = VectorFile.open(path, dimension)
        table, stamps = Table(file.dimension, file), file.stamps()
    else:
        vectors, stamps = vector_file.in_memory(path, dimension)
        table = Table(vectors.block(0, 0).shape[1], vectors)
    try:
        table.restore(stamps, journal.load(settled=True))
    except CorruptionError as error:
        where = f"{directory} has no .header of a file of vectors" if path is None else f"{path} is not of this state"
        raise CorruptionError(f"{where}: {error} {way_out()}") from error
    if isinstance(table.vectors, VectorFile):
        # Only now is it certain that nothing of what goes is needed.
        _tidy(table.vectors)
    return table


def _tidy(file: VectorFile) -> None:
    """Where nothing can be written at the moment, reading goes on, and the next opening tries again."""
    file.remove_others()
    with suppress(StorageError):
        file.trim()


def possible(journal: Journal) -> bool:
    """Whether there is a place for a file."""
    return journal.vector_directory() is not None and journal.writable() and vector_file.SUPPORTED


def wanted(view: View) -> bool:
    """Whether so many rows are not settled that it is worth while."""
    return _unsettled(view) * view.table.dimension * 4 >= SETTLE_FROM


def _unsettled(view: View) -> int:
    """Rows, also dead ones."""
    vectors = view.table.vectors
    return view.length - (vectors.settled if isinstance(vectors, VectorFile) else 0)


def is_settled(view: View) -> bool:
    """Whether its vectors stand in a file, and the dead ones with them."""
    return isinstance(view.table.vectors, VectorFile)


def settle(store: LocalStore, journal: Journal) -> None:
    """Put all vectors of this moment into the file and have the journal drop them. Reads and writes go on meanwhile.

    The caller sees to it that nothing else settles or compacts.
    """
    directory = journal.vector_directory()
    assert directory is not None
    view = store.view
    table, stamps = view.table, view.table.stamps[: view.length]
    with table.moving:
        if not isinstance(table.vectors, VectorFile):
            with _new_file(directory, table.dimension) as file:
                _copy(table, 0, view.length, file)
                file.settle(stamps)
                with store.writing:
                    _copy(table, view.length, store.view.length, file)
                    table.vectors = file
            file.remove_others()
    table.vectors.settle(stamps)
    let_go(table, journal)
    table.vectors.release()


def goes_straight(table: Table, rows: Rows, journal: Journal) -> bool:
    """Whether the vectors of new rows go straight into the file, since with those in the journal they are many; it is
    there then. The caller holds the writer's lock.
    """
    kept = min(_unsettled(table.view), table.view.count)  # the journal has none of the dead
    if (kept + len(rows)) * table.dimension * 4 < STRAIGHT_FROM or not possible(journal):
        return False
    if isinstance(table.vectors, VectorFile):
        return True
    if not table.moving.acquire(blocking=False):
        return False  # whoever moves them waits for this writer
    try:
        _move(table, journal)
    finally:
        table.moving.release()
    return True


def _move(table: Table, journal: Journal) -> None:
    directory = journal.vector_directory()
    assert directory is not None
    with _new_file(directory, table.dimension) as file:
        _copy(table, 0, len(table.vectors), file)
        table.vectors = file


def settled_first(table: Table, rows: Rows) -> Rows:
    """Put the vectors of the table on disk, and those of rows for which it was prepared; the rows without them."""
    assert isinstance(table.vectors, VectorFile)
    table.vectors.settle(np.concatenate([table.stamps[:], rows.stamps]))
    return replace(rows, embeddings=None)


@contextmanager
def _new_file(directory: Path, dimension: int) -> Iterator[VectorFile]:
    """One that goes again when it can't be finished: on a full disk every attempt would leave another behind."""
    file = VectorFile.create(directory, dimension)
    try:
        yield file
    except BaseException:
        file.discard()
        raise


def checks(view: View) -> Iterator[None]:
    """Look for damage in the files of a table, a piece at a time. What is found is an error for whoever reads there."""
    vectors, texts = view.table.vectors, view.table.texts.file
    if texts is not None:
        yield from texts.blocks.look_at_all()
    if isinstance(vectors, VectorFile):
        yield from vectors.check()


def finish(store: LocalStore, journal: Journal) -> str | None:
    """Nothing is written any more: give back the room that was made for it, and save the table. Returns its mark; None
    for a collection that the journal opens quickly enough.
    """
    vectors, mark = store.view.table.vectors, journal.mark()
    if not isinstance(vectors, VectorFile):
        return None
    if mark is not None and store.view.table.texts.file is not None:
        return mark  # it was opened as it was saved, and is what it was
    if vectors.settled < store.view.length:
        settle(store, journal)
    vectors.trim()
    return saved_table.save(store.view)


def _copy(table: Table, first: int, last: int, file: VectorFile) -> None:
    for start in range(first, last, _ROWS_AT_ONCE):
        block = table.vectors.block(start, min(start + _ROWS_AT_ONCE, last))
        file.stage(block)
        file.publish(len(block))


def moved(view: View, rows: RowNumbers, journal: Journal) -> Table:
    """Those rows in a table of their own, in this order; settled, if they were. The caller holds the writer's lock
    until it is published: what is settled from then on goes there.
    """
    old, directory = view.table, journal.vector_directory()
    if directory is None or not isinstance(old.vectors, VectorFile):
        return _filled_with(Table(old.dimension), view, rows)
    with _new_file(directory, old.dimension) as file:
        table = _filled_with(Table(old.dimension, file), view, rows)
        file.settle(table.stamps[:])
    file.remove_others()
    return table


def let_go(table: Table, journal: Journal) -> None:
    """Have the journal drop the vectors that stand in the file of this table."""
    vectors = table.vectors
    if isinstance(vectors, VectorFile) and vectors.settled:
        journal.settle(int(table.stamps[: vectors.settled].max()))


def _filled_with(table: Table, view: View, rows: RowNumbers) -> Table:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = _rows(view, rows[start : start + _ROWS_AT_ONCE])
        table.prepare(some)
        table.append(some)
    return table


def _rows(view: View, rows: RowNumbers) -> Rows:
    table = view.table
    ids, documents, metadatas, uris = table.texts.take(rows, tuple(Kind))
    return Rows(
        ids=cast(list[str], ids),
        places=table.places[: view.length][rows],
        stamps=table.stamps[: view.length][rows],
        embeddings=table.vectors.take(rows),
        documents=documents,
        metadatas=metadatas,
        uris=uris,
    )
