"""Names of collections, databases and tenants."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from chroma_plugin.errors import InvalidArgumentError, InvalidUUIDError, NotFoundError
from chroma_plugin.requests.many import as_list, examples
from chroma_plugin.requests.shown import kind
from chroma_plugin.requests.texts import storable
from chroma_plugin.wording import shown

_RULE: Final = (
    "a name has 3 to 512 characters of a-z, A-Z, 0-9, '.', '_', '-', begins and ends with a letter or a digit, "
    "has no '..' and is not an IP address"
)
_NOBODY: Final = ("", ".", "..")
_LONGEST_LOOKUP: Final = 4096
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
    """A name to look up: any str, for other stores have other rules. Raises NotFoundError, without asking anybody, for
    what nothing can be called: in the path of a request ``""`` and ``".."`` would stand for something else.
    """
    if not isinstance(value, str):
        raise InvalidArgumentError(f"The {what} name must be a str, not {kind(value)}.")
    if value in _NOBODY or len(value) > _LONGEST_LOOKUP or not storable((value,)):
        raise NotFoundError(f"{what.capitalize()} {shown(value)} does not exist.")
    return str.__str__(value)


def chosen_names(wanted: Any, known: Collection[str]) -> list[str]:
    """Names of collections that there are, each once. Raises NotFoundError for others."""
    listed = as_list(wanted, "names", "a name")
    for name in listed:
        if not isinstance(name, str):
            raise InvalidArgumentError(f"names holds {kind(name)}; it may hold names of collections.")
    distinct = list(dict.fromkeys(listed))
    unknown = [name for name in distinct if name not in known]
    if unknown:
        raise NotFoundError(f"No such collection: {examples(unknown)}. There are {examples(sorted(known))}.")
    return distinct


def collection_id(value: Any) -> UUID:
    """A UUID, or the text of one."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except Exception as error:  # whatever an object of the caller's raises
        raise InvalidUUIDError(f"{shown(value)} is no UUID.") from error


def _named(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"The {what} name must be a str, not {kind(value)}.")
    if not _PATTERN.fullmatch(value) or ".." in value or _is_address(value):
        raise InvalidArgumentError(f"{shown(value)} is no {what} name: {_RULE}.")
    return str.__str__(value)


def _is_address(value: str) -> bool:
    if not value[0].isdigit():  # as nearly always: what knows addresses takes a while to import
        return False
    from ipaddress import ip_address

    try:
        ip_address(value)
    except ValueError:
        return False
    return True
