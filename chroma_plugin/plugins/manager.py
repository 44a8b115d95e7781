"""The typed face of the plug-ins: look one up by name, list them, report what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import Field
from threading import Lock, RLock
from typing import Any, TypeVar

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.plugins.collecting import collect
from chroma_plugin.plugins.discovery import (
    Origin,
    Source,
    builtin_sources,
    given_sources,
    installed_sources,
)
from chroma_plugin.plugins.options import option_fields
from chroma_plugin.plugins.registry import Registry
from chroma_plugin.plugins.reporting import Report, State
from chroma_plugin.plugins.specs import BackendSpec, EmbeddingSpec, IntegrationSpec, Spec
from chroma_plugin.plugins.trace import trace_from_environment
from chroma_plugin.wording import shown

S = TypeVar("S", BackendSpec, EmbeddingSpec, IntegrationSpec)


class PluginManager:
    """Backends, embedding functions and integrations, by name.

    Asked in this order, each only when those before do not have the name: the ``plugins`` passed here, our own, the
    installed plug-in (entry point, group ``chroma_plugin``) of just that name, all installed ones. A name belongs to
    the first of them that has it. Nothing is imported or scanned before the first look-up.

    ``discover=False`` leaves out what is installed. ``disable`` names plug-ins or distributions that are not even
    imported, ``"*"`` all installed ones; default: ``CHROMA_PLUGIN_DISABLE``, separated by commas.
    A plug-in that fails is a row of `report` and of every "unknown" error; it never stops another.
    """

    def __init__(
        self, plugins: Iterable[object] = (), *, discover: bool = True, disable: Iterable[str] | None = None
    ) -> None:
        self._disabled = _disabled_by_environment() if disable is None else frozenset(disable)
        self._trace = trace_from_environment()
        # Re-entrant: a plug-in may look up another one while it is imported.
        self._lock = RLock()
        self._registry = Registry()
        self._pending = [*given_sources(plugins), *builtin_sources()]
        self._scanned = not discover

    def backend(self, name: str) -> BackendSpec:
        """The storage engine of that name or alias, case-sensitive.

        Raises UnknownPluginError that lists what there is and what failed to load, PluginError when two claim the name.
        """
        return self._find(BackendSpec, name)

    def embedding_function(self, name: str) -> EmbeddingSpec:
        """The embedding function of that name or alias; errors as for `backend`."""
        return self._find(EmbeddingSpec, name)

    def integration(self, name: str) -> IntegrationSpec:
        """The integration of that name or alias; errors as for `backend`."""
        return self._find(IntegrationSpec, name)

    def backends(self) -> tuple[BackendSpec, ...]:
        """All storage engines that can be looked up, by name; also those whose requirements are missing."""
        return self._all(BackendSpec)

    def embedding_functions(self) -> tuple[EmbeddingSpec, ...]:
        """All embedding functions that can be looked up, by name."""
        return self._all(EmbeddingSpec)

    def integrations(self) -> tuple[IntegrationSpec, ...]:
        """All integrations that can be looked up, by name."""
        return self._all(IntegrationSpec)

    def report(self) -> Report:
        """What every plug-in registered, or why it could not. Imports plug-in modules, but not what they describe."""
        with self._lock:
            self._load_all()
            return self._registry.report()

    def option_fields(self, spec: BackendSpec) -> dict[str, Field[Any]]:
        """The options that a backend takes, by name. Raises PluginError when it names no dataclass."""
        return option_fields(spec)

    # -- looking up --------------------------------------------------------------------------------------------------

    def _find(self, kind: type[S], name: str) -> S:
        if not isinstance(name, str):
            raise InvalidArgumentError(f"The name of a plug-in must be a str, not {type(name).__name__} {shown(name)}.")
        with self._lock:
            self._load_until_known(kind, name)
            return self._registry.find(kind, name)

    def _all(self, kind: type[S]) -> tuple[S, ...]:
        with self._lock:
            self._load_all()
            return self._registry.all(kind)

    def _load_until_known(self, kind: type[Spec], name: str) -> None:
        """Load from the cheapest place to the dearest, and stop where the name is found."""
        self._load(Origin.GIVEN)
        for origin in (Origin.BUILTIN, Origin.INSTALLED):
            if self._registry.knows(kind, name):
                return
            self._load(origin, name)
            if not self._registry.knows(kind, name):
                self._load(origin)

    # -- loading -----------------------------------------------------------------------------------------------------

    def _load_all(self) -> None:
        for origin in Origin:
            self._load(origin)

    def _load(self, origin: Origin, name: str | None = None) -> None:
        """Load the plug-ins of this origin that are not loaded yet: those of this name, or all."""
        if origin is Origin.INSTALLED:
            self._scan()
        chosen = [source for source in self._pending if source.origin is origin and name in (None, source.name)]
        # Taken off first: a plug-in that looks something up while it is imported must not start itself again.
        self._pending = [source for source in self._pending if source not in chosen]
        for source in chosen:
            self._load_one(source)

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        sources, rows = installed_sources()
        self._say(f"found {len(sources)} installed plug-ins: {', '.join(map(str, sources)) or 'none'}")
        self._pending += sources
        self._registry.add_problems(rows)

    def _load_one(self, source: Source) -> None:
        if source.is_disabled(self._disabled):
            self._say(f"{source} is disabled")
            self._registry.add_problems([source.row(State.DISABLED, "by CHROMA_PLUGIN_DISABLE or disable=")])
            return
        self._say(f"loading {source}")
        collected = collect(source, self._trace)
        for row in collected.problems:
            self._say(str(row))
        self._registry.add(collected)

    def _say(self, line: str) -> None:
        if self._trace is not None:
            self._trace(line)


def _disabled_by_environment() -> frozenset[str]:
    names = os.environ.get("CHROMA_PLUGIN_DISABLE", "").split(",")
    return frozenset(name.strip() for name in names if name.strip())


_default: PluginManager | None = None
_default_lock = Lock()


def default_manager() -> PluginManager:
    """The manager of this process: made when it is first needed, and then kept."""
    global _default  # noqa: PLW0603  the one piece of global state, on purpose
    with _default_lock:
        if _default is None:
            _default = PluginManager()
        return _default
