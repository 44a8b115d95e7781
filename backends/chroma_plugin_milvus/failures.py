"""What pymilvus raises, as errors of our tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc
from pymilvus.exceptions import MilvusException, MilvusUnavailableException

from chroma_plugin.errors import (
    AuthorizationError,
    ChromaError,
    InvalidArgumentError,
    NotFoundError,
    RateLimitError,
    StorageError,
    UnreachableError,
)

# https://github.com/milvus-io/milvus/blob/master/pkg/util/merr/errors.go
_NO_COLLECTION: Final = 100
_RATE_LIMIT: Final = 8
_INVALID: Final = {1100, 1101}
_UNAUTHENTICATED: Final = {1400, 1800, 65535}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of pymilvus and gRPC inside become ours; ``doing`` begins their message."""
    try:
        yield
    except MilvusException as error:
        raise _of_milvus(doing, error) from error
    except grpc.RpcError as error:
        raise _of_grpc(doing, error) from error


def _of_milvus(doing: str, error: MilvusException) -> ChromaError:
    said = f"{doing}: Milvus says: {error.message}"
    text = str(error.message).lower()
    if error.code == _NO_COLLECTION or "collection not found" in text:
        return NotFoundError(f"{said} (another process has dropped the collection)")
    if isinstance(error, MilvusUnavailableException) or "fail connecting" in text or "unavailable" in text:
        return UnreachableError(f"{said}. Check the uri and that Milvus runs.")
    if "auth" in text or "permission" in text or (error.code in _UNAUTHENTICATED and "token" in text):
        return AuthorizationError(f"{said}. Check the token.")
    if error.code == _RATE_LIMIT:
        return RateLimitError(said)
    if error.code in _INVALID:
        return InvalidArgumentError(said)
    return StorageError(said)


def _of_grpc(doing: str, error: Any) -> ChromaError:
    code = error.code() if hasattr(error, "code") else None
    said = f"{doing}: {code}: {error.details() if hasattr(error, 'details') else error}"
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return AuthorizationError(f"{said}. Check the token.")
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return UnreachableError(f"{said}. Check the uri and that Milvus runs.")
    return StorageError(said)
