"""`BackendConformance`: every topic of the kit in one class."""

from __future__ import annotations

from chroma_plugin.testing.atomicity import Atomicity
from chroma_plugin.testing.clients import Clients
from chroma_plugin.testing.collections import Collections
from chroma_plugin.testing.durability import Durability
from chroma_plugin.testing.filters import Filters
from chroma_plugin.testing.records import RoundTrips, Scans, Writes
from chroma_plugin.testing.search import Indexes, Searches
from chroma_plugin.testing.state_machine import StateMachine
from chroma_plugin.testing.tenants import Tenants
from chroma_plugin.testing.texts import Texts
from chroma_plugin.testing.threads import Threads
from chroma_plugin.testing.transactions import Transactions


class BackendConformance(
    Collections,
    Tenants,
    RoundTrips,
    Writes,
    Scans,
    Filters,
    Searches,
    Indexes,
    Texts,
    Atomicity,
    Transactions,
    Durability,
    Clients,
    Threads,
    StateMachine,
):
    """The contract of `chroma_plugin.backend` as tests. Subclass it in a test module and run pytest::

        from chroma_plugin.testing import BackendConformance

        class TestMyBackend(BackendConformance):
            backend = "mybackend"

    Its flags are the attributes of `chroma_plugin.testing.base.Bench`.
    """
