"""Where a database is, in one word, for commands that go from one to another: a path, a URL, a backend's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chroma_plugin.config import Settings
from chroma_plugin.errors import InvalidArgumentError, NotFoundError, UnknownPluginError
from chroma_plugin.plugins import BackendSpec, default_manager

FORMS: Final = (
    "a directory; http://HOST:PORT of a server; postgresql://... ; BACKEND+PLACE for any backend, where PLACE is its "
    "URL or directory; or memory"
)
_PLACE_OPTIONS: Final = ("url", "uri", "persist_directory", "path")
"""The options that say where a backend keeps its data; the first that it has is meant."""
_FILE: Final = "chroma.duckdb"
_CHROMADB_FILE: Final = "chroma.sqlite3"


def source(text: str, options: Sequence[str]) -> Settings:
    """Settings for reading what is there. Raises NotFoundError for a directory without a database."""
    if (named := _named(text)) is not None:
        return _settings(named, options)
    path = Path(text)
    if not path.is_dir() or not any(path.iterdir()):
        raise NotFoundError(f"There is no database in {text!r}. Where a database is: {FORMS}.")
    if (path / _FILE).exists():
        return _settings({"chroma_db_impl": "duckdb", "persist_directory": text, "read_only": True}, options)
    if (path / _CHROMADB_FILE).exists():
        return _settings({"chroma_db_impl": "chromadb", "persist_directory": text}, options)
    # Chroma 0.3.x; or what `duckdb` explains.
    return _settings({"chroma_db_impl": "duckdb", "persist_directory": text}, options)


def target(text: str, options: Sequence[str]) -> Settings:
    """Settings for writing; a directory is made when it is not there."""
    return _settings(_named(text) or {"chroma_db_impl": "duckdb", "persist_directory": text}, options)


def pairs(options: Sequence[str], flag: str = "--option") -> dict[str, str]:
    """``name=value`` texts as a dict."""
    found = {}
    for item in options:
        name, equals, value = item.partition("=")
        if not equals:
            raise InvalidArgumentError(f"{flag} takes name=value, not {item!r}.")
        found[name] = value
    return found


def _settings(named: dict[str, Any], options: Sequence[str]) -> Settings:
    return Settings(**{**named, **pairs(options, "--from-option and --to-option")})


def _named(text: str) -> dict[str, Any] | None:
    """Settings for what names a backend; None for a path."""
    if text == "memory":
        return {"chroma_db_impl": "memory"}
    scheme, separator, _ = text.partition("://")
    if separator and scheme in ("http", "https"):
        return {"chroma_api_impl": "rest", "chroma_server_host": text}
    name, plus, place = text.partition("+")
    if plus and (spec := _backend(name)) is not None:
        return {"chroma_db_impl": spec.name, **({_place_option(spec): place} if place else {})}
    if separator:
        spec = _backend(scheme)
        if spec is None:
            raise UnknownPluginError(f"No backend is named {scheme!r}, as in {text!r}. Where a database is: {FORMS}.")
        return {"chroma_db_impl": spec.name, _place_option(spec): text}
    return None


def _backend(name: str) -> BackendSpec | None:
    try:
        return default_manager().backend(name)
    except UnknownPluginError:
        return None


def _place_option(spec: BackendSpec) -> str:
    options = default_manager().option_fields(spec)
    found = next((name for name in _PLACE_OPTIONS if name in options), None)
    if found is None:
        raise InvalidArgumentError(
            f"The backend {spec.name!r} has no option that says where: name it alone, as in {spec.name}+, and give its "
            f"options with --from-option or --to-option: {', '.join(options) or 'it has none'}."
        )
    return found
