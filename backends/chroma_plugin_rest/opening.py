"""Who is there: the handshake that finds out whether it is a Chroma server, and whether one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chroma_plugin.errors import ChromaError, NotFoundError, UnreachableError
from chroma_plugin_rest import failures
from chroma_plugin_rest.backend import ServerBackend, ServerFacts
from chroma_plugin_rest.options import RestOptions
from chroma_plugin_rest.parts import Limits
from chroma_plugin_rest.transport import Transport

_EXTENSION: Final = 1
_FALLBACK_BATCH: Final = 1_000
_FALLBACK_BODY: Final = 32 * 2**20
"""Chroma's own servers take 40 MiB, and don't say so."""


def open_server(options: RestOptions) -> ServerBackend:
    """The database behind a server: over the extension when it is one of ours, else in Chroma's own protocol.

    Raises UnreachableError that says what is wrong when nobody answers or it is no Chroma server, AuthorizationError
    when the token is refused.
    """
    transport = Transport(options)
    try:
        facts = _facts(transport)
    except BaseException:
        transport.close()
        raise
    if facts.extended:
        from chroma_plugin_rest.extended import RestBackend

        return RestBackend(transport, facts)
    from chroma_plugin_rest.official import ChromaBackend

    return ChromaBackend(transport, facts)


def _facts(transport: Transport) -> ServerFacts:
    identity = _identity(transport)
    checks = _object(transport.get("/pre-flight-checks"))
    ours = _object(checks.get("chroma_plugin"))
    version = transport.get("/version")
    return ServerFacts(
        tenant=str(identity.get("tenant") or ""),
        version=str(version),
        limits=Limits(
            records=_positive(checks.get("max_batch_size"), _FALLBACK_BATCH),
            body_bytes=_positive(ours.get("max_body_bytes"), _FALLBACK_BODY),
        ),
        extended=ours.get("version") == _EXTENSION,
    )


def _positive(value: Any, otherwise: int) -> int:
    return value if type(value) is int and value > 0 else otherwise


def _identity(transport: Transport) -> Mapping[str, Any]:
    try:
        identity = transport.get("/auth/identity")
    except NotFoundError as error:
        raise _what_else_is_there(transport) from error
    if not isinstance(identity, dict):
        raise failures.not_chroma(transport.address, f"/auth/identity answers {str(identity)[:100]!r}")
    return identity


def _what_else_is_there(transport: Transport) -> UnreachableError:
    """There is a web server, but it has no v2 API."""
    try:
        beat = transport.ask_at("/api/v1/heartbeat")
    except ChromaError:
        return failures.not_chroma(transport.address, "it does not know /auth/identity")
    if isinstance(beat, dict) and "nanosecond heartbeat" in beat:
        return UnreachableError(
            f"{transport.address.place} is a Chroma server of before 0.6, which speaks only the early /api/v1. "
            f"Update it, or start `chroma-plugin run` on its directory."
        )
    return failures.not_chroma(transport.address, "it does not know /auth/identity")


def _object(value: Any) -> Mapping[str, Any]:
    """What was hoped for, or nothing."""
    return value if isinstance(value, dict) else {}
