"""The DuckDB file: opened safely, changed in transactions, rewritten without its holes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chroma_plugin.errors import ClosedError, LockedError, ReadOnlyError, StorageError
from chroma_plugin.toolkit.files import sync
from chroma_plugin_duckdb import checkpoint, forks, schema
from chroma_plugin_duckdb.connecting import UNFINISHED, check_format, connect, create, plan_simply, remove
from chroma_plugin_duckdb.cursor import Cursor
from chroma_plugin_duckdb.failures import translated
from chroma_plugin_duckdb.head import Head
from chroma_plugin_duckdb.hold import Hold
from chroma_plugin_duckdb.log import cut, log_of, log_size
from chroma_plugin_duckdb.moment import Moment
from chroma_plugin_duckdb.receipt import Receipts

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger("chroma_plugin")

NAME: Final = "chroma.duckdb"
"""What the file is called in its directory."""
_ATTEMPTS: Final = 5
"""To open the file, when readers are quicker."""
_LONGEST_LOG: Final = 64 << 20
"""Bytes of log after which a checkpoint is made. They are rare and short: with a small threshold every few hundredth
write waits for one.
"""


class File:
    """One DuckDB file. One transaction at a time; reads of arrays never come here.

    ``hold``: whose lock it is opened under. ``later``: when it is first needed; else at once. ``copy``: what is read
    in its place.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool,
        hold: Hold | None = None,
        later: bool = False,
        copy: Path | None = None,
    ) -> None:
        self.path: Final = path
        self._source: Final = copy or path
        self.read_only: Final = read_only
        self._lock = threading.RLock()
        # Taken before the other: by whoever moves the log into the file, closes it, or puts another in its place.
        self._steady = threading.RLock()
        self._hold = hold
        self._closed = self._touched = False
        self._changing = False
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._descriptor: int | None = None
        """For reading what DuckDB writes; closed after DuckDB's own, which would lose its lock."""
        self._log_is_named = False
        self._undecided: tuple[Head | None, int] | None = None
        """The head of the file and the bytes of its log before a commit or a checkpoint that failed."""
        self._left: Moment | None = None
        """How the file was when its lock was let go of: nobody else may have changed it when it is opened again."""
        self._receipts = Receipts(path)
        forks.watch(self)
        if not later:
            try:
                if not read_only and not path.exists():
                    create(path)
                self._connection = self._open()
            except BaseException:
                self._give_up_hold()
                raise

    @property
    def touched(self) -> bool:
        """Whether it was opened: else nothing in it has changed."""
        return self._touched

    @property
    def closed(self) -> bool:
        return self._closed

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self.read_only and not self.path.exists():
            raise StorageError(f"There is no store to read at {self.path}: it has to be written first.")
        if self._touched:
            self._be_alone()
        with translated(self.path):
            if self._hold is not None:
                checkpoint.undo(self.path, self._hold.descriptor, read_only=self.read_only)
            self._decide()
        connection = self._connected()
        try:
            with translated(self.path):
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._touched, self._log_is_named, self._left = True, False, None
        self._receipts.opened()
        return connection

    def _connected(self) -> duckdb.DuckDBPyConnection:
        """DuckDB looks into the file before it opens it, and after that look our lock is gone: a reader may be quicker.
        That one is waited for.
        """
        if self._hold is not None and self._left is None:
            self._left = Moment.at_rest(self.path, self._hold.descriptor)
        for _ in range(_ATTEMPTS):
            try:
                return connect(self._source, read_only=self.read_only, told=self.path)
            except LockedError as error:
                if self.read_only or self._hold is None:
                    raise
                self._give_up_hold()
                self._be_alone(error)
        return connect(self._source, read_only=self.read_only, told=self.path)

    def _be_alone(self, refused: LockedError | None = None) -> None:
        """Take the file back. Raises LockedError while another process has it, ``refused`` if that is given; and for
        good when one has written, since what this one has in memory is not true any more.
        """
        if self._hold is None:
            self._hold = Hold.take(self.path, read_only=False)
        if self._hold is None:
            raise refused or LockedError(f"{self.path} is open in another process, which came while it was free.")
        if self._left not in (None, Moment.at_rest(self.path, self._hold.descriptor)):
            self._give_up_hold()
            raise LockedError(f"{self.path} was written by another process meanwhile: close it here, and open it anew.")

    def _give_up_hold(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.release()

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        check_format(connection, self.path)
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        plan_simply(connection)
        connection.execute("SET lock_configuration = true")
        if checkpoint.SUPPORTED and not self.read_only:
            self._descriptor = os.open(self.path, os.O_RDONLY)

    def _decide(self) -> None:
        """What failed never was: this process shows nothing of it, and the next one must not find it in the log. DuckDB
        may leave there a commit that it could not sync, on a disk that then takes nothing, or half of the frame with
        which a checkpoint begins.
        """
        if self._undecided is None or self._hold is None:
            return
        now = Moment.at_rest(self.path, self._hold.descriptor)
        if self._left not in (None, now):
            return  # another process was quicker: what stands there is that one's
        head, log = self._undecided
        if now.log > log and now.head == head:
            self._left = None  # what comes is our own doing, also if it fails halfway
            cut(log_of(self.path), log)
        self._undecided = None

    def _shut(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        descriptor, self._descriptor = self._descriptor, None
        if connection is not None:
            connection.close()
        if descriptor is not None:
            os.close(descriptor)

    def transaction(self) -> AbstractContextManager[Cursor]:
        """All that is executed inside is kept, and on disk, when the block ends; or nothing of it, when it raises. A
        transaction inside another is part of that one.
        """
        return self._change(alone=False)

    def statement(self) -> AbstractContextManager[Cursor]:
        """The same for one statement. DuckDB commits it as it is executed: that takes two calls less."""
        return self._change(alone=True)

    @contextmanager
    def _change(self, *, alone: bool) -> Iterator[Cursor]:
        with self._lock:
            if self.read_only:
                raise ReadOnlyError(f"{self.path} was opened read_only: open it without, to write.")
            connection = self._usable()
            if self._changing:
                yield Cursor(connection, self.path)
                return
            with translated(self.path):
                self._name_log()
                log = log_size(self.path)
                if not alone:
                    connection.execute("BEGIN")
            self._changing = True
            try:
                yield Cursor(connection, self.path)
                if not alone:
                    with translated(self.path):
                        connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection, log)
                raise
            finally:
                self._changing = False
            self._receipts.committed()
            self._shorten_log()

    def _name_log(self) -> None:
        """DuckDB syncs its log, which begins anew after each checkpoint, but not the directory that names it. What is
        in a log without a name is lost with the power, and an old one that has its name back fits the file no more. So
        an empty one is made for DuckDB, before anything is committed.
        """
        if not self._log_is_named:
            os.close(os.open(log_of(self.path), os.O_WRONLY | os.O_CREAT, 0o666))
            sync(self.path.parent)
            self._log_is_named = True

    def _shorten_log(self) -> None:
        """When it has become long, and nobody wants the file as it is."""
        if log_size(self.path) > _LONGEST_LOG and self._steady.acquire(blocking=False):
            try:
                self.checkpoint()
            except StorageError:
                logger.exception("The log of %s could not be moved into it; it will be tried again later.", self.path)
            finally:
                self._steady.release()

    def _roll_back(self, connection: duckdb.DuckDBPyConnection, log: int) -> None:
        import duckdb

        # A failed COMMIT has rolled back already.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        self._shut_if_invalid(connection, self._head(), log)

    def _moment(self) -> Moment | None:
        return None if self._descriptor is None else Moment.at_rest(self.path, self._descriptor)

    def _head(self) -> Head | None:
        return None if self._descriptor is None else Head.read(self._descriptor)

    def _shut_if_invalid(self, connection: duckdb.DuckDBPyConnection, head: Head | None, log: int) -> None:
        """A database that a disk error has invalidated must be opened again, when it is next needed. Its file and its
        log were so before.
        """
        import duckdb

        try:
            connection.execute("SELECT 1").fetchall()
        except duckdb.Error:
            self._left = self._moment()
            self._shut_and_hold()
            self._undecided = head, log
            with suppress(OSError):  # or when it is opened again
                self._decide()

    def _shut_and_hold(self) -> None:
        """Have DuckDB let go of the file, and nobody else take it before it is opened again."""
        self._shut()
        self._give_up_hold()
        self._hold = Hold.take(self.path, read_only=False)

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A place to read from; writers wait for its end."""
        with self._lock:
            yield Cursor(self._usable(), self.path)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """The file stays as it is; writes go on in the log."""
        with self._steady:
            yield

    @contextmanager
    def snapshot(self) -> Iterator[Cursor]:
        """A place to read from that sees this moment until the block ends. Writers do not wait, checkpoints may fail:
        for use in `steady`.
        """
        with self._lock, translated(self.path):
            connection = self._usable().cursor()
            connection.execute("BEGIN")
            connection.execute("SELECT version FROM chroma_format")  # the moment is that of the first statement
        try:
            yield Cursor(connection, self.path)
        finally:
            connection.close()

    def descriptor(self) -> int:
        """Of the file, to read its bytes in `steady`. It is not to be closed: the process would lose DuckDB's lock."""
        with self._lock:
            self._usable()
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDONLY)
            return self._descriptor

    def checkpoint(self) -> None:
        """Move what is in the log into the file."""
        with self._steady, self._lock:
            if self.read_only or not (self.touched or self._closed):
                return
            connection = self._usable()
            before = self._head(), log_size(self.path)
            try:
                with translated(self.path):
                    checkpoint.checkpoint(connection, self.path, self._descriptor)
            except StorageError:
                self._shut_if_invalid(connection, *before)
                raise
            self._log_is_named = False
            self._receipts.committed()

    def rewrite(self) -> None:
        """Put a copy without holes in the place of the file; deleted text is gone from the disk afterwards."""
        with self._steady, self._lock:
            connection = self._usable()
            copy = self.path.with_name(f"{self.path.name}.{os.getpid()}{UNFINISHED}")
            self.checkpoint()
            with translated(self.path):
                remove(copy)
                schema.copy(connection, copy)
                sync(copy)
                self._left = self._moment()
                self._shut_and_hold()
                self._be_alone()
                self._receipts.withdraw()
                self._exchange(copy)

    def _exchange(self, copy: Path) -> None:
        """Its lock is taken before it has the name: nobody may be quicker."""
        hold = Hold.take(copy, read_only=False)
        try:
            os.replace(copy, self.path)
        except BaseException:
            if hold is not None:
                hold.release()
            raise
        self._give_up_hold()
        self._hold = hold
        self._left = None if hold is None else Moment.at_rest(self.path, hold.descriptor)
        sync(self.path.parent)

    def close(self) -> None:
        """Doing so again has no effect."""
        with self._steady, self._lock:
            if self._closed:
                return
            self._closed = True
            with suppress(OSError):  # the disk takes nothing yet: it is as if this process had been killed
                self._decide()
            if self._touched:
                self._shut()
                if not self.read_only:
                    self._receipts.closed()
            self._give_up_hold()

    def _usable(self) -> duckdb.DuckDBPyConnection:
        if self._closed:
            raise ClosedError(f"{self.path} is closed.")
        if self._connection is None:
            self._connection = self._open()
        return self._connection
