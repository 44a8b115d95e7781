"""The conformance kit: what every backend promises, as tests that its author runs.

Write three lines in a test module and run pytest (needs ``pytest`` and ``hypothesis``)::

    from chroma_plugin.testing import BackendConformance

    class TestMyBackend(BackendConformance):
        backend = "mybackend"

or run it for a registered backend from the command line: ``python -m chroma_plugin.testing mybackend``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chroma_plugin.testing.conformance import BackendConformance

__all__ = ["BackendConformance"]


def __getattr__(name: str) -> object:
    """`BackendConformance`, imported when pytest runs: only then can its asserts be rewritten to show their values."""
    if name != "BackendConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    modules = [f"{__name__}.{file.stem}" for file in Path(__file__).parent.glob("[!_]*.py")]
    pytest.register_assert_rewrite(*(module for module in modules if module not in sys.modules))
    from chroma_plugin.testing.conformance import BackendConformance

    return BackendConformance
