"""What PostgreSQL and psycopg report, as errors of this package."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import conninfo
from psycopg import errors as sql
from psycopg_pool import PoolTimeout

from chroma_plugin.errors import (
    AuthorizationError,
    ChromaError,
    InternalError,
    InvalidArgumentError,
    LockedError,
    NotFoundError,
    ReadOnlyError,
    StorageError,
    UnreachableError,
)

CONFLICTS: Final = (sql.DeadlockDetected, sql.SerializationFailure)
"""PostgreSQL has undone one of two transactions; done again, it succeeds."""

_KINDS: Final[tuple[tuple[tuple[type[psycopg.Error], ...], type[ChromaError]], ...]] = (
    ((sql.InvalidPassword, sql.InvalidAuthorizationSpecification, sql.InsufficientPrivilege), AuthorizationError),
    ((sql.ReadOnlySqlTransaction,), ReadOnlyError),
    ((sql.UndefinedTable,), NotFoundError),
    ((sql.LockNotAvailable, *CONFLICTS), LockedError),
    ((sql.QueryCanceled, sql.InsufficientResources), StorageError),
    ((psycopg.DataError, sql.ProgramLimitExceeded), InvalidArgumentError),
    ((psycopg.OperationalError,), UnreachableError),
)


def place_of(url: str) -> str:
    """Where the database is, without the password."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        # The message of psycopg may quote the URL.
        raise InvalidArgumentError(
            "The option 'url' is no address of a PostgreSQL. It is like postgresql://user:password@host:5432/database."
        ) from _without_details(error)
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{parts.get('host') or 'localhost'}{port}/{parts.get('dbname') or ''}"


def translated(error: psycopg.Error, place: str, *, perhaps_done: bool = False) -> ChromaError:
    """The error of our tree that says the same. ``perhaps_done``: what was sent may have been carried out."""
    if isinstance(error, PoolTimeout):
        return UnreachableError(
            f"No connection to PostgreSQL at {place} was free or could be made in time: {error}. Is the server up? "
            "If all connections are busy, raise pool_size."
        )
    message = _said(error)
    if isinstance(error, sql.UndefinedTable):
        return NotFoundError(f"The collection does not exist any more: another client deleted it ({message}).")
    ours = next((ours for kinds, ours in _KINDS if isinstance(error, kinds)), InternalError)
    if ours is UnreachableError and perhaps_done:
        message += ". The write may have been done or not: look, or repeat it"
    return ours(f"PostgreSQL at {place}: {message}.")


def _said(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error) or type(error).__name__
    state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    return " ".join(text.split()) + state


def _without_details(error: Exception) -> Exception:
    return type(error)("it can't be parsed")
