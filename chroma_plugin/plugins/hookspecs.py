"""The three hooks. All implementations are called; each returns an iterable of specs and has no other effect.

A plug-in is a module (or any object) with one or more of these functions, marked with `hookimpl`, and named by an
entry point in the group ``chroma_plugin``::

    [project.entry-points.chroma_plugin]
    mybackend = "my_package.plugin"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from chroma_plugin.plugins.specs import BackendSpec, EmbeddingSpec, IntegrationSpec

PROJECT: Final = "chroma_plugin"
hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_backends() -> Iterable[BackendSpec]:
    """Storage engines. Called once, when a backend is first looked up by name or all are listed."""
    raise NotImplementedError


@hookspec
def register_embedding_functions() -> Iterable[EmbeddingSpec]:
    """Embedding functions. Called when one is first looked up by name or all are listed."""
    raise NotImplementedError


@hookspec
def register_integrations() -> Iterable[IntegrationSpec]:
    """Adapters to other frameworks. Called when one is first looked up by name or all are listed."""
    raise NotImplementedError
