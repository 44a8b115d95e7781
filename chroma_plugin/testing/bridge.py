"""The plug-in through which a `chroma_plugin.Client` opens the backend as the kit does, with `open_backend`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chroma_plugin.backend import Backend
from chroma_plugin.plugins import BackendSpec, hookimpl

if TYPE_CHECKING:
    from chroma_plugin.testing.base import Bench

NAME: Final = "under-test"
_benches: dict[int, Bench] = {}


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """Which bench opens which place."""

    bench: int
    place: str


@hookimpl
def register_backends() -> Iterable[BackendSpec]:
    """The backend under test, whatever it is."""
    return [BackendSpec(name=NAME, open=f"{__name__}:open_place", options=f"{__name__}:BridgeOptions")]


def options(bench: Bench, place: Path) -> dict[str, object]:
    """The options with which the bridge opens this place."""
    _benches[id(bench)] = bench
    return {"bench": id(bench), "place": str(place)}


def open_place(options: BridgeOptions) -> Backend:
    """The backend under test on that place."""
    return _benches[options.bench].open_backend(Path(options.place))
