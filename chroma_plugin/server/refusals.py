"""Errors that only a server has, each with its status and its name on the wire."""

from __future__ import annotations

from collections.abc import Iterable

from chroma_plugin.errors import AuthorizationError, ChromaError, NotFoundError, RateLimitError


class Refusal(ChromaError):
    """Not one of the classes that clients know: they see a plain ChromaError with this text."""

    status = 400

    @classmethod
    def name(cls) -> str:
        return "ChromaError"


class Stalled(Refusal):
    """The client stopped sending."""

    status = 408


class Gone(Refusal):
    """The protocol that was here before."""

    status = 410

    @classmethod
    def name(cls) -> str:
        return "Unimplemented"


class MethodNotAllowed(Refusal):
    """That path, but not that method."""

    status = 405

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"{method} is not for this path; it takes {self.allowed}.")


class NotJSON(Refusal):
    """A body of another media type."""

    status = 415


class TooSlow(Refusal):
    """The work takes longer than the server waits."""

    status = 504


class Foreign(Refusal):
    """Called by a name, or from a web page, that has no business here."""

    status = 403


class Busy(RateLimitError):
    """Come back in a moment."""

    status = 503

    @classmethod
    def name(cls) -> str:
        return "RateLimitError"


class Forbidden(AuthorizationError):
    """The server's settings, not the token, say no."""

    status = 403

    @classmethod
    def name(cls) -> str:
        return "AuthorizationError"


class UnknownPath(NotFoundError):
    """No route leads there."""

    @classmethod
    def name(cls) -> str:
        return "NotFoundError"
