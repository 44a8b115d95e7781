"""A Chroma server over any backend: ``create_app`` makes the ASGI application, ``chroma-plugin run`` serves it.

It needs the extra ``server``; nothing of that is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chroma_plugin.errors import MissingDependencyError
from chroma_plugin.server.config import Limits, ServerConfig

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from chroma_plugin.api.client import Client
    from chroma_plugin.config import Settings
    from chroma_plugin.plugins import PluginManager

__all__ = ["Limits", "ServerConfig", "create_app"]


def create_app(
    target: Settings | Client | None = None,
    config: ServerConfig | None = None,
    *,
    plugins: PluginManager | None = None,
) -> ASGIApp:
    """An ASGI application that serves what the settings name, or the database of a client that is open.

    What it opened itself it closes when the ASGI server ends its lifespan. Raises MissingDependencyError without the
    extra ``server``, and whatever opening the backend raises.
    """
    try:
        from chroma_plugin.server.app import build
    except ModuleNotFoundError as error:
        raise missing(error) from error
    return build(target, config or ServerConfig(), plugins)


def missing(error: ModuleNotFoundError) -> Any:
    """The error for a package of the extra that is not there; one of ours is raised as it is."""
    package = (error.name or "").partition(".")[0]
    if package == "chroma_plugin":
        raise error
    return MissingDependencyError(f"A server needs {package}: pip install 'chroma-plugin[server]'")
