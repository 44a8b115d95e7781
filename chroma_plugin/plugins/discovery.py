"""Where plug-ins come from: objects that were passed, our own modules, entry points. Nothing is imported here."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from chroma_plugin.frozen import frozen
from chroma_plugin.plugins.builtin import BUILTIN
from chroma_plugin.plugins.reporting import Row, State
from chroma_plugin.version import __version__

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

GROUP: Final = "chroma_plugin"
EVERYTHING: Final = "*"


class Origin(IntEnum):
    """Who is asked first; a name belongs to the smallest origin that has it, whatever was loaded before."""

    GIVEN = 0
    BUILTIN = 1
    INSTALLED = 2


@frozen(eq=False)
class Source:
    """A plug-in that is known by name and not yet imported."""

    name: str
    origin: Origin
    load: Callable[[], object]
    distribution: str = ""
    """Name and version."""

    def row(self, state: State, reason: str, kind: str = "", names: tuple[str, ...] = ()) -> Row:
        return Row(self.name, self.distribution, kind, names, state, reason)

    def is_disabled(self, disabled: frozenset[str]) -> bool:
        """By the name of the plug-in or of its distribution; ``*`` stands for all that are installed."""
        if EVERYTHING in disabled and self.origin is Origin.INSTALLED:
            return True
        return self.name in disabled or self.distribution.partition(" ")[0] in disabled

    def __str__(self) -> str:
        return f"{self.name!r} of {self.distribution or 'the plug-ins passed to PluginManager'}"


def given_sources(plugins: Iterable[object]) -> Iterator[Source]:
    for plugin in plugins:
        name = str(getattr(plugin, "__name__", type(plugin).__name__))
        yield Source(name, Origin.GIVEN, _holder(plugin))


def builtin_sources() -> Iterator[Source]:
    for name, module in BUILTIN.items():
        yield Source(name, Origin.BUILTIN, _importer(module), f"chroma-plugin {__version__}")


def installed_sources() -> tuple[list[Source], list[Row]]:
    """Every entry point of our group, in the order of sys.path, and a row for each distribution that can't be read.

    Unlike ``importlib.metadata.entry_points`` this is not stopped by one unreadable ``entry_points.txt``.
    """
    from importlib.metadata import distributions  # costs 25 ms, and most programs never scan

    sources: list[Source] = []
    rows: list[Row] = []
    seen: set[str] = set()
    for distribution in distributions():
        try:
            # A second one of the same name is an older copy further down sys.path; Python would not import it either.
            found = [point for point in distribution.entry_points if point.group == GROUP]
            if found and _first(distribution, seen):
                sources += [_source(point, distribution) for point in found if point.value not in BUILTIN.values()]
        except Exception as error:  # whatever a damaged installation raises, it must not hide the others
            rows.append(Row(_where(distribution), "", "", (), State.BROKEN, f"{type(error).__name__}: {error}"))
    return sources, rows


def _holder(plugin: object) -> Callable[[], object]:
    return lambda: plugin


def _importer(module: str) -> Callable[[], object]:
    return lambda: importlib.import_module(module)


def _source(point: EntryPoint, distribution: Distribution) -> Source:
    return Source(point.name, Origin.INSTALLED, point.load, f"{distribution.metadata['Name']} {distribution.version}")


def _first(distribution: Distribution, seen: set[str]) -> bool:
    name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
    if name in seen:
        return False
    seen.add(name)
    return True


def _where(distribution: Distribution) -> str:
    """The dist-info folder's name: the one thing that is known of a distribution whose metadata can't be read."""
    return str(getattr(getattr(distribution, "_path", None), "name", "unknown"))
