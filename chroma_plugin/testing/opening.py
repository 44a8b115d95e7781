"""Opening backends for tests: a registered one by its name, and clients on any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chroma_plugin.backend import Backend
from chroma_plugin.plugins import PluginManager, default_manager, open_backend
from chroma_plugin.plugins.options import option_fields
from chroma_plugin.testing import bridge

if TYPE_CHECKING:
    from chroma_plugin import Client
    from chroma_plugin.testing.base import Bench


def by_name(name: str, options: Mapping[str, object], place_option: str, place: Path) -> Backend:
    """The registered backend, on this directory if it has an option for one."""
    spec = default_manager().backend(name)
    given = dict(options)
    if place_option in option_fields(spec):
        given.setdefault(place_option, str(place))
    return open_backend(spec, given)


@contextmanager
def client(bench: Bench, place: Path) -> Iterator[Client]:
    """A client on the backend under test, closed in the end."""
    from chroma_plugin import Client, Settings

    settings = Settings(chroma_db_impl=bridge.NAME, **bridge.options(bench, place))
    client = Client(settings, plugins=PluginManager([bridge], discover=False))
    try:
        yield client
    finally:
        client.close()
