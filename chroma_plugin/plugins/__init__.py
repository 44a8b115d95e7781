"""Plug-ins: what they describe (the specs), how they say so (`hookimpl`), and how they are found (`PluginManager`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chroma_plugin.plugins.loading import load, open_backend, repairer
from chroma_plugin.plugins.manager import PluginManager, default_manager
from chroma_plugin.plugins.reporting import Report, Row, State
from chroma_plugin.plugins.specs import BackendSpec, EmbeddingSpec, IntegrationSpec

if TYPE_CHECKING:
    from chroma_plugin.plugins.hookspecs import hookimpl

__all__ = [
    "BackendSpec",
    "EmbeddingSpec",
    "IntegrationSpec",
    "PluginManager",
    "Report",
    "Row",
    "State",
    "default_manager",
    "hookimpl",
    "load",
    "open_backend",
    "repairer",
    "report",
]


def report() -> Report:
    """What is installed and what is wrong with it; ``print(chroma_plugin.plugins.report())`` shows a table."""
    return default_manager().report()


def __getattr__(name: str) -> object:
    """`hookimpl`, when a plug-in asks for it: pluggy is imported with the first plug-in, not with chroma_plugin."""
    if name == "hookimpl":
        from chroma_plugin.plugins.hookspecs import hookimpl

        return hookimpl
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
