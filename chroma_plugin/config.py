"""`Settings`: the names that people write for Chroma, and which backend with which options they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, Field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, get_type_hints

from chroma_plugin.coerce import coerce
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT
from chroma_plugin.wording import did_you_mean, shown

if TYPE_CHECKING:
    from chroma_plugin.plugins.manager import PluginManager
    from chroma_plugin.plugins.specs import BackendSpec

__all__ = ["DEFAULT_DATABASE", "DEFAULT_TENANT", "Settings", "Target"]

DEFAULTS: Final[Mapping[str, object]] = {
    "chroma_api_impl": None,
    "chroma_db_impl": None,
    "persist_directory": "./chroma",
    "is_persistent": False,
    "read_only": False,
    "allow_reset": None,
    "anonymized_telemetry": False,
    "tenant": DEFAULT_TENANT,
    "database": DEFAULT_DATABASE,
    "chroma_server_host": None,
    "chroma_server_http_port": None,
    "chroma_server_ssl_enabled": False,
    "chroma_server_ssl_verify": None,
    "chroma_server_headers": None,
    "chroma_server_api_default_path": "/api/v2",
    "chroma_server_cors_allow_origins": (),
    "chroma_client_auth_provider": None,
    "chroma_client_auth_credentials": None,
    "chroma_auth_token_transport_header": None,
}

ENGINE: Final = frozenset(("chroma_api_impl", "chroma_db_impl", "persist_directory", "is_persistent"))
"""The settings that choose the backend. They are one decision: one as an argument, and the environment has no say."""

GENERAL: Final = ENGINE - {"persist_directory"} | {
    "allow_reset",
    "anonymized_telemetry",
    "tenant",
    "database",
    "chroma_server_cors_allow_origins",
}
"""Settings that are for the client or for a server of ours, or have no effect: no backend needs to know them."""

FROM_ENVIRONMENT: Final = frozenset(name for name in DEFAULTS if name.startswith("chroma_")) | {
    "persist_directory",
    "is_persistent",
    "allow_reset",
}

MEMORY: Final = "memory"
DUCKDB: Final = "duckdb"
LOCAL: Final = "local"

EARLY_CLASSES: Final[Mapping[str, str]] = {
    "chromadb.api.local.LocalAPI": LOCAL,
    "chromadb.api.segment.SegmentAPI": LOCAL,
    "chromadb.api.rust.RustBindingsAPI": LOCAL,
    "chromadb.api.fastapi.FastAPI": "rest",
    "chromadb.api.async_fastapi.AsyncFastAPI": "rest",
    "chromadb.db.duckdb.DuckDB": DUCKDB,
    "chromadb.db.duckdb.PersistentDuckDB": DUCKDB,
}
"""The class paths that Chroma's own settings hold, and the names that stand for them here."""


@frozen
class Target:
    """The backend that settings mean, and what to open it with."""

    spec: BackendSpec
    options: Mapping[str, object]
    """As given, not converted yet; `chroma_plugin.plugins.open_backend` does that."""


class Settings:
    """What a client is made from: ``Client(Settings(chroma_db_impl="duckdb", persist_directory="./data"))``.

    Which backend:

    - nothing given: in memory;
    - ``persist_directory`` or ``is_persistent=True``: duckdb, in that directory, or in ``"./chroma"``;
    - ``chroma_db_impl``: ``"duckdb"`` (also ``"duckdb+parquet"``), ``"memory"``, or any registered name. Early Chroma
      kept ``"duckdb"`` in memory; here it is a directory, ``"./chroma"`` unless you name one;
    - ``chroma_api_impl``: ``"local"`` (the default: as above), ``"rest"``, or any registered name.

    Any option of that backend may be given as well. It is checked when the backend is known: an option that the backend
    does not have is an error then, with the nearest name.

    A known field that is None counts as not given. Text is read as the type of the field (``"8000"`` as a port).
    Fields that were not given as arguments are read from the environment now, as Chroma does: ``CHROMA_DB_IMPL``,
    ``CHROMA_SERVER_HOST`` and the other ``CHROMA_*`` names, ``IS_PERSISTENT``, ``PERSIST_DIRECTORY``, ``ALLOW_RESET``.
    There, a directory alone does not ask for persistence, and what the backend has no use for is passed over: other
    programs set these names too. A ``.env`` file is not read.

    Settings do not change once made (see `replace`); they compare by value, and their repr hides secrets.
    Raises InvalidArgumentError for a value of the wrong type.
    """

    chroma_api_impl: str | None
    chroma_db_impl: str | None
    persist_directory: str | Path
    is_persistent: bool
    read_only: bool
    allow_reset: bool | None
    """Whether `Client.reset` may delete everything. None: yes in this process, no on a server."""
    anonymized_telemetry: bool
    """No effect: there is no telemetry."""
    tenant: str
    database: str
    chroma_server_host: str | None
    chroma_server_http_port: int | None
    chroma_server_ssl_enabled: bool
    chroma_server_ssl_verify: bool | str | None
    chroma_server_headers: Mapping[str, str] | None
    chroma_server_api_default_path: str
    chroma_server_cors_allow_origins: list[str] | tuple[str, ...]
    chroma_client_auth_provider: str | None
    chroma_client_auth_credentials: str | None
    chroma_auth_token_transport_header: str | None

    _arguments: dict[str, Any]
    _environment: dict[str, Any]

    def __init__(self, **fields: Any) -> None:
        arguments = {name: _read(name, value) for name, value in fields.items() if _is_given(name, value)}
        # Written past __setattr__, which refuses.
        self.__dict__["_arguments"] = arguments
        self.__dict__["_environment"] = _from_environment(arguments)

    def replace(self, **changes: Any) -> Settings:
        """New settings: these arguments, with some changed; None takes one away."""
        return Settings(**{**self._arguments, **changes})

    def target(self, manager: PluginManager) -> Target:
        """The backend that is meant and its options.

        Raises UnknownPluginError for a name that no plug-in has, InvalidArgumentError for settings that contradict each
        other or that the backend does not have.
        """
        spec = manager.backend(self._backend_name())
        self._check_engine(spec.name)
        options = manager.option_fields(spec)
        for name, value in self._arguments.items():
            if name not in options and not _asks_nothing(name, value):
                raise InvalidArgumentError(_not_understood(name, value, spec.name, list(options)))
        given = {name: value for name, value in (self._environment | self._arguments).items() if name in options}
        if _is_required("persist_directory", options):
            given.setdefault("persist_directory", self.persist_directory)
        return Target(spec, given)

    def _backend_name(self) -> str:
        api = _modern(self.chroma_api_impl)
        engine = _modern(self.chroma_db_impl)
        if api in (None, LOCAL):
            return engine or self._local_engine()
        if engine not in (None, api) and "chroma_db_impl" in self._arguments:
            raise InvalidArgumentError(
                f"chroma_api_impl={self.chroma_api_impl!r} and chroma_db_impl={self.chroma_db_impl!r} "
                "name two backends; leave one out."
            )
        return api

    def _local_engine(self) -> str:
        asked = self.is_persistent or "persist_directory" in self._arguments
        return DUCKDB if asked else MEMORY

    def _check_engine(self, backend: str) -> None:
        """Refuse arguments that ask for files and for memory at once."""
        directory, persistent = self._arguments.get("persist_directory"), self._arguments.get("is_persistent")
        if backend == MEMORY and (directory is not None or persistent):
            asked = f"persist_directory={shown(directory)}" if directory is not None else "is_persistent=True"
            raise InvalidArgumentError(
                f"{asked} asks for files, but the backend 'memory' keeps none: nothing would be there next time. "
                "Use chroma_db_impl='duckdb', or leave that setting out."
            )
        if backend == DUCKDB and persistent is False:
            raise InvalidArgumentError(
                "is_persistent=False asks for memory, but a directory or chroma_db_impl='duckdb' asks for files. "
                "Use chroma_db_impl='memory' alone, or leave is_persistent out."
            )

    # -- a value object ----------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for values in (self._arguments, self._environment, DEFAULTS):
                if name in values:
                    return values[name]
        raise AttributeError(f"Settings have no field {name!r}.{did_you_mean(name, DEFAULTS)}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Settings do not change: use settings.replace({name}=...), which makes new ones.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Settings do not change: use settings.replace({name}=None), which makes new ones.")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *DEFAULTS, *self._arguments})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Settings):
            return NotImplemented
        return (self._arguments, self._environment) == (other._arguments, other._environment)

    __hash__ = None  # type: ignore[assignment]  # headers are a dict

    def __repr__(self) -> str:
        given = self._environment | self._arguments
        return f"Settings({', '.join(f'{name}={shown(value, name)}' for name, value in given.items())})"


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Settings)


def _is_given(name: str, value: object) -> bool:
    return value is not None or name not in DEFAULTS


def _read(name: str, value: object) -> Any:
    """An argument as its declared type; an option of some backend stays as it is until that backend is known."""
    if name in DEFAULTS:
        value = coerce(value, _hints()[name], f"Settings: {name}", name=name)
    return dict(value) if isinstance(value, Mapping) else value


def _from_environment(arguments: Mapping[str, object]) -> dict[str, Any]:
    names = FROM_ENVIRONMENT - arguments.keys()
    if ENGINE & arguments.keys():
        names -= ENGINE - {"persist_directory"}
    texts = {name: os.environ.get(name.upper(), "") for name in sorted(names)}
    return {
        name: coerce(text, _hints()[name], f"The environment variable {name.upper()}", name=name)
        for name, text in texts.items()
        if text
    }


def _modern(name: str | None) -> str | None:
    """A backend's name for what people wrote, which may be one of Chroma's class paths."""
    return None if name is None else EARLY_CLASSES.get(name, name)


def _asks_nothing(name: str, value: object) -> bool:
    """Whether a backend may leave this setting alone: it is not for backends, or it is what it would be anyway."""
    return name in GENERAL or (name in DEFAULTS and value == DEFAULTS[name])


def _is_required(name: str, options: Mapping[str, Field[Any]]) -> bool:
    field = options.get(name)
    return field is not None and field.default is MISSING and field.default_factory is MISSING


def _not_understood(name: str, value: object, backend: str, options: list[str]) -> str:
    if name.startswith(("chroma_server_", "chroma_client_", "chroma_auth_")) and name in DEFAULTS:
        return (
            f"{name}={shown(value, name)} is for a connection to a server, but the backend {backend!r} "
            "has no such option. Did you mean chroma_api_impl='rest'? Otherwise leave it out."
        )
    return (
        f"The backend {backend!r} has no option {name!r}.{did_you_mean(name, [*options, *DEFAULTS.keys() - {name}])} "
        f"Its options: {', '.join(options) or 'none'}."
    )
