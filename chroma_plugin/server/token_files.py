"""Tokens from a file or from the environment."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.server.tokens import Grant, Token, hashed, token
from chroma_plugin.wording import did_you_mean

ONE: Final = "CHROMA_PLUGIN_TOKEN"
SEVERAL: Final = "CHROMA_PLUGIN_TOKENS"
_FIELDS: Final = {"name": str, "hash": str, "read_only": bool, "tenant": str, "database": str}


def from_file(path: Path) -> list[Token]:
    """The ``[[tokens]]`` of a TOML file, or ``{"tokens": [...]}`` of a JSON file.

    Each has a ``hash`` and may have ``name``, ``read_only``, ``tenant`` and ``database``. Raises InvalidArgumentError
    that names what is wrong, never a value.
    """
    entries = _parsed(path).get("tokens")
    if not isinstance(entries, list) or not entries:
        raise InvalidArgumentError(f"{path} has no tokens: write a [[tokens]] table with a hash for each.")
    return [_entry(entry, f"{path}, token {number}", number) for number, entry in enumerate(entries, 1)]


def from_secrets(secrets: Sequence[str]) -> list[Token]:
    """Tokens that may do everything, named token, token-2, ..."""
    return [
        token(hashed(secret), Grant(name="token" if number == 1 else f"token-{number}"))
        for number, secret in enumerate(secrets, 1)
    ]


def from_environment(environment: Mapping[str, str] = os.environ) -> list[Token]:
    """Those of CHROMA_PLUGIN_TOKEN, and of CHROMA_PLUGIN_TOKENS, which are separated by commas."""
    several = environment.get(SEVERAL, "").split(",")
    given = [environment.get(ONE, ""), *several]
    return from_secrets([secret.strip() for secret in given if secret.strip()])


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        read = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        # The text of a parser's error may hold a piece of the file.
        reason = error.strerror if isinstance(error, OSError) else "it is no TOML; JSON needs the ending .json"
        raise InvalidArgumentError(f"The tokens in {path} can't be read: {reason}.") from error
    return read if isinstance(read, dict) else {}


def _entry(entry: Any, where: str, number: int) -> Token:
    if not isinstance(entry, dict):
        raise InvalidArgumentError(f"{where} is no table.")
    for name, value in entry.items():
        if name == "token":
            raise InvalidArgumentError(f"{where} is in the clear: keep its hash, which `chroma-plugin token` prints.")
        if name not in _FIELDS:
            raise InvalidArgumentError(f"{where} has no field {name!r}.{did_you_mean(name, _FIELDS)}")
        if type(value) is not _FIELDS[name]:
            raise InvalidArgumentError(f"{where}: {name} must be a {_FIELDS[name].__name__}.")
    if "hash" not in entry:
        raise InvalidArgumentError(f"{where} has no hash: `chroma-plugin token` prints one.")
    if "database" in entry and "tenant" not in entry:
        raise InvalidArgumentError(f"{where} has a database but no tenant.")
    grant = Grant(
        name=entry.get("name", f"token-{number}"),
        read_only=entry.get("read_only", False),
        tenant=entry.get("tenant"),
        database=entry.get("database"),
    )
    return token(entry["hash"], grant)
