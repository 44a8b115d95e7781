"""What every test run needs."""

from __future__ import annotations

import os
import sys

from hypothesis import settings

# Before numpy is imported: with several workers on few cores, BLAS threads that wait for each other cost seconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Haystack's, before it is imported: tests call nobody.
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

# Where a change is judged, the same examples every time; elsewhere new ones, to find what nobody thought of.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_sessionfinish() -> None:
    """Servers that several tests share end here."""
    if servers := sys.modules.get("support.server"):
        servers.stop_servers()
    if postgres := sys.modules.get("support.postgres"):
        postgres.stop_postgres()
