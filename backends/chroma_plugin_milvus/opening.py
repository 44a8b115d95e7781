"""Connecting: to a server by its address, to Milvus Lite by a path."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Lock
from typing import Final

from pymilvus import MilvusClient

from chroma_plugin.errors import (
    InvalidArgumentError,
    LockedError,
    MissingDependencyError,
    StorageError,
    UnsupportedError,
)
from chroma_plugin_milvus.failures import translated
from chroma_plugin_milvus.options import MilvusOptions, is_lite


def connected(options: MilvusOptions) -> MilvusClient:
    """A client. Raises UnreachableError for a server that does not answer, AuthorizationError for a wrong token,
    UnsupportedError for one that is too old, LockedError when another process has a directory of Milvus Lite open.
    """
    if not is_lite(options.uri):
        if "://" not in options.uri:
            raise InvalidArgumentError(
                f"uri {options.uri!r} is neither an address (http://host:19530) nor a path that ends in .db."
            )
        client = _client(options)
        with translated("Asking for the server's version"):
            version = client.get_server_version(timeout=options.timeout)
        refuse_old(version)
        return client
    _need_lite()
    _make_parent(Path(options.uri))
    return _lite_client(options)


_OLDEST: Final = (2, 5)
"""The first whose fields may be null."""


def refuse_old(version: str) -> None:
    """Raise UnsupportedError when a server says a version that is too old; what says none that can be read may pass."""
    said = re.search(r"(\d+)\.(\d+)", version)
    if said and (int(said[1]), int(said[2])) < _OLDEST:
        raise UnsupportedError(
            f"This server is Milvus {version}; fields that may be null, which records need, came with 2.5. Upgrade it."
        )


def close(client: MilvusClient, options: MilvusOptions) -> None:
    """Close it. With the last of our clients of a directory of Milvus Lite, other processes may have it."""
    with translated("Closing"):
        client.close()
    if is_lite(options.uri):
        with _opening:
            _leave(Path(options.uri).absolute())


_opening: Final = Lock()
_clients: Final[dict[Path, int]] = {}
"""How many of our clients use a server of Milvus Lite that was started for them. It runs in this process, until the
process ends or it is stopped; one that others started is theirs to stop.
"""


def _client(options: MilvusOptions) -> MilvusClient:
    with translated(f"Opening {options.uri}"):
        return MilvusClient(uri=options.uri, token=options.token, db_name=options.db_name, timeout=options.timeout)


def _lite_client(options: MilvusOptions) -> MilvusClient:
    path = Path(options.uri).absolute()
    with _opening:
        is_taken = _is_locked(path)
        try:
            client = _client(options)
        except StorageError as error:
            # Milvus Lite says the reason on its log only.
            if is_taken:
                raise LockedError(
                    f"Another process has {options.uri!r} open. Close it there, or share one Milvus server."
                ) from error
            raise
        if path in _clients or not is_taken:
            _clients[path] = _clients.get(path, 0) + 1
    return client


def _leave(path: Path) -> None:
    from milvus_lite.server_manager import server_manager_instance

    left = _clients.pop(path, 0) - 1
    if left == 0:
        server_manager_instance.release_server(str(path))
    elif left > 0:
        _clients[path] = left


def _make_parent(path: Path) -> None:
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The directory of {str(path)!r} can't be made: {error}") from error


def _is_locked(path: Path) -> bool:
    from milvus_lite.db import LOCK_FILENAME

    try:
        import fcntl
    except ImportError:  # Windows, where Milvus Lite locks otherwise
        return True
    try:
        with (path / LOCK_FILENAME).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _need_lite() -> None:
    try:
        import milvus_lite  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "A uri that ends in .db is opened by Milvus Lite, which is not installed: pip install milvus-lite"
        ) from error
