"""Names of collections, databases and tenants."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final
from uuid import UUID

from chroma_plugin.errors import InvalidArgumentError, InvalidUUIDError
from chroma_plugin.requests.shown import kind
from chroma_plugin.wording import shown

_RULE: Final = (
    "a name has 3 to 512 characters of a-z, A-Z, 0-9, '.', '_', '-', begins and ends with a letter or a digit, "
    "has no '..' and is not an IP address"
)
_PATTERN: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")


def collection_name(value: Any) -> str:
    """A valid collection name, by Chroma's rules."""
    return _named(value, "collection")


def database_name(value: Any) -> str:
    """A valid database name; the rules are those of collections."""
    return _named(value, "database")


def tenant_name(value: Any) -> str:
    """A valid tenant name: at least 3 characters."""
    if not isinstance(value, str) or not 3 <= len(value) <= 512 or not value.isprintable():
        raise InvalidArgumentError(f"{kind(value)} is no tenant name: it is a printable str of 3 to 512 characters.")
    return str.__str__(value)


def lookup_name(value: Any, what: str) -> str:
    """A name to look up: any str; one that breaks the rules is just not found."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"The {what} name must be a str, not {kind(value)}.")
    return str.__str__(value)


def collection_id(value: Any) -> UUID:
    """A UUID, or the text of one."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidUUIDError(f"{shown(value)} is no UUID.") from error


def _named(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"The {what} name must be a str, not {kind(value)}.")
    if not _PATTERN.fullmatch(value) or ".." in value or _is_address(value):
        raise InvalidArgumentError(f"{shown(value)} is no {what} name: {_RULE}.")
    return str.__str__(value)


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
