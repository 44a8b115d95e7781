"""What every test run needs."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import settings

# Before numpy is imported: with several workers on few cores, BLAS threads that wait for each other cost seconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Haystack's, before it is imported: tests call nobody.
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

# Where a change is judged, the same examples every time; elsewhere new ones, to find what nobody thought of.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Runs that break things on purpose, or take long, are asked for by their marker."""
    for marker in ("faults", "soak"):
        if marker not in config.option.markexpr:
            skip = pytest.mark.skip(f"long: ask with -m {marker}")
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(skip)


def pytest_sessionfinish() -> None:
    """Servers that several tests share end here."""
    if servers := sys.modules.get("support.server"):
        servers.stop_servers()
    if postgres := sys.modules.get("support.postgres"):
        postgres.stop_postgres()
