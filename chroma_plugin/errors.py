"""Every error of this package, in one tree.

::

    ChromaError
    ├── InvalidArgumentError            (ValueError, TypeError)   what you passed is wrong
    │   ├── InvalidDimensionError                                 an embedding of another dimension
    │   ├── DuplicateIDError                                      one id twice in one call
    │   ├── InvalidUUIDError
    │   ├── EmbeddingFunctionError                                not the collection's embedding function
    │   └── BatchSizeExceededError
    ├── NotFoundError                   (LookupError, ValueError) no such collection, database or tenant
    ├── UniqueConstraintError           (ValueError)              that name is taken
    ├── IDAlreadyExistsError            (ValueError)              add(on_conflict="error") met a known id
    ├── StaleReadError                  (RuntimeError)            a transaction read what was changed since
    ├── AuthorizationError              (PermissionError)         refused by the settings or by a server
    │   └── ChromaAuthError
    ├── UnreachableError                (ConnectionError, ValueError)  a server does not answer
    ├── UnsupportedError                (NotImplementedError)     this backend or this release can't
    ├── ClosedError                     (RuntimeError)            the client or the collection is closed
    ├── MissingDependencyError          (ValueError)              an optional package is not installed
    ├── ModelUnavailableError           (RuntimeError)            the embedding model can't be found or fetched
    ├── PluginError                     (RuntimeError)            a plug-in is broken, doubled or outdated
    │   └── UnknownPluginError          (LookupError, ValueError) no plug-in of that name
    ├── StorageError                    (OSError)                 the files of a persistent store
    │   ├── LockedError                                           another process has them open
    │   ├── ReadOnlyError                                         opened with read_only
    │   ├── CorruptionError                                       they are damaged
    │   └── FormatVersionError                                    they were written by a newer release
    └── InternalError                   (RuntimeError)            a fault of ours
        ├── VersionMismatchError
        ├── RateLimitError
        ├── QuotaError
        └── InvalidHTTPVersion

Each class is also the built-in exception that people already catch for that mistake. The names that chromadb
uses are here too, so ``from chroma_plugin.errors import NotFoundError`` replaces ``from chromadb.errors import ...``.
"""

from __future__ import annotations

from typing import ClassVar


class ChromaError(Exception):
    """The root of every error that this package raises on purpose."""

    status: ClassVar[int] = 500
    trace_id: str | None = None
    """The server's trace id, when the error came from one."""

    def code(self) -> int:
        """The HTTP status that stands for this error."""
        return self.status

    def message(self) -> str:
        return ", ".join(str(argument) for argument in self.args)

    @classmethod
    def name(cls) -> str:
        """The name of this error on the wire."""
        return cls.__name__


class InvalidArgumentError(ChromaError, ValueError, TypeError):
    """An argument is wrong; nothing was changed.

    It is both a ValueError and a TypeError because Chroma raises now one, now the other for the same mistake.
    """

    status = 400


class InvalidDimensionError(InvalidArgumentError):
    """An embedding has another dimension than the collection."""

    @classmethod
    def name(cls) -> str:
        return "InvalidDimension"


class DuplicateIDError(InvalidArgumentError):
    """The same id stands twice in one call."""

    @classmethod
    def name(cls) -> str:
        return "DuplicateID"


class InvalidUUIDError(InvalidArgumentError):
    """Not a UUID."""

    @classmethod
    def name(cls) -> str:
        return "InvalidUUID"


class EmbeddingFunctionError(InvalidArgumentError):
    """The embedding function is not the one the collection was made with, or is not usable."""


class BatchSizeExceededError(InvalidArgumentError):
    """A server takes fewer records in one request."""

    status = 413


class NotFoundError(ChromaError, LookupError, ValueError):
    """There is no collection, database or tenant of that name."""

    status = 404


class UniqueConstraintError(ChromaError, ValueError):
    """A collection, database or tenant of that name exists already."""

    status = 409


class IDAlreadyExistsError(ChromaError, ValueError):
    """``add(..., on_conflict="error")`` met ids that are in the collection; nothing was added."""

    status = 409

    @classmethod
    def name(cls) -> str:
        return "IDAlreadyExists"


class StaleReadError(ChromaError, RuntimeError):
    """What a transaction has read was changed by somebody else before it ended; nothing was written. Try it again."""

    status = 409


class AuthorizationError(ChromaError, PermissionError):
    """The settings or the server do not allow this."""

    status = 401


class ChromaAuthError(AuthorizationError):
    """The server refused the credentials."""

    status = 403

    @classmethod
    def name(cls) -> str:
        return "AuthError"


class UnreachableError(ChromaError, ConnectionError, ValueError):
    """A server can't be reached, or what answers is no Chroma server; the message says which.

    It is a ValueError, too, because Chroma's own client raises that one.
    """

    status = 503


class UnsupportedError(ChromaError, NotImplementedError):
    """This backend, or this release, can't do that."""

    status = 501


class ClosedError(ChromaError, RuntimeError):
    """The client was closed, or the collection was deleted."""

    status = 410


class MissingDependencyError(ChromaError, ValueError):
    """An optional package is needed; the message holds the line that installs it."""


class ModelUnavailableError(ChromaError, RuntimeError):
    """The weights of an embedding model are neither on this machine nor to be fetched."""


class PluginError(ChromaError, RuntimeError):
    """A plug-in is broken, stands twice under one name, or was written for another API version."""


class UnknownPluginError(PluginError, LookupError, ValueError):
    """No backend, embedding function or integration has that name."""

    status = 400


class StorageError(ChromaError, OSError):
    """The files of a persistent store can't be used."""


class LockedError(StorageError):
    """Another process has the store open; ``pid`` is its process id, when known."""

    status = 423

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class ReadOnlyError(StorageError):
    """The store was opened read-only."""

    status = 403


class CorruptionError(StorageError):
    """A file of the store is damaged."""


class FormatVersionError(StorageError):
    """A newer release wrote this store."""


class InternalError(ChromaError, RuntimeError):
    """A fault of ours, not of the caller."""


class VersionMismatchError(InternalError):
    """A server speaks another version of the protocol."""


class RateLimitError(InternalError):
    """A server asks to slow down."""

    status = 429


class QuotaError(InternalError):
    """A server's quota is used up."""

    status = 400


class InvalidHTTPVersion(InternalError):
    """A server answered in another HTTP version."""


# The names that code written for chromadb imports.
InvalidDimensionException = InvalidDimensionError
InvalidCollectionException = NotFoundError
