"""Who comes in: by which name and from which page a server is called, and what the token allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from chroma_plugin.errors import ChromaAuthError, InvalidArgumentError, NotFoundError
from chroma_plugin.server.config import ServerConfig
from chroma_plugin.server.refusals import Foreign
from chroma_plugin.server.routes import Access, Route
from chroma_plugin.server.tokens import EVERYTHING, Grant
from chroma_plugin.wording import shown

_ONCE: Final = (b"host", b"authorization", b"x-chroma-token", b"origin", b"content-type", b"content-length")


def single(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers by name. Raises InvalidArgumentError when one that decides something stands twice: a proxy in front
    may have looked at the other one.
    """
    given = list(headers)
    named = dict(given)
    if len(named) < len(given):
        names = [name for name, _ in given]
        twice = next((name for name in _ONCE if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidArgumentError(f"The header {twice.decode()} stands there twice.")
    return named


def check_origin(config: ServerConfig, method: str, headers: Mapping[bytes, bytes]) -> None:
    """Refuse a name that is not ours (DNS rebinding) and web pages that were not invited."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if config.allowed_hosts is not None and _without_port(host) not in config.allowed_hosts:
        raise Foreign(f"This server is not called {shown(host)}; --allowed-host adds a name.")
    origin = headers.get(b"origin")
    if origin is None or method in ("GET", "HEAD") or "*" in config.cors_origins:
        return
    text = origin.decode("latin-1")
    if text not in config.cors_origins and text.partition("://")[2].lower() != host:
        raise Foreign(f"Web pages of {shown(text)} may not call this server; --cors-origin allows it.")


def admit(config: ServerConfig, route: Route, headers: Mapping[bytes, bytes], path: Mapping[str, str]) -> Grant:
    """What the caller may do, which covers this route.

    Raises AuthorizationError without a known token, NotFoundError for what belongs to others: a token does not show
    what exists elsewhere. Nothing of the body was read yet.
    """
    if route.access is Access.OPEN:
        return EVERYTHING
    grant = config.tokens.grant(headers)
    if grant.tenant is not None and path.get("tenant", grant.tenant) != grant.tenant:
        raise NotFoundError(f"Tenant [{shown(path['tenant'])}] not found.")
    if grant.database is not None and path.get("database", grant.database) != grant.database:
        raise NotFoundError(f"Database [{shown(path['database'])}] not found. Are you sure it exists?")
    if grant.read_only and route.access is not Access.READ:
        raise ChromaAuthError("This token may only read.")
    if route.access is Access.ADMIN and not grant.unbound:
        raise ChromaAuthError("This token is bound to a tenant, and this concerns them all.")
    return grant


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
