"""The kit's state machine, for longer than the kit takes: thousands of calls against a dict."""

from __future__ import annotations

import os

import pytest

from chroma_plugin.testing.state_machine import StateMachine

EXAMPLES = int(os.environ.get("CHROMA_PLUGIN_MODEL_EXAMPLES", "60"))
"""Sequences of calls."""
pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]


class TestMemory(StateMachine):
    backend = "memory"
    examples = EXAMPLES
    shrinks = True


class TestDuckDB(StateMachine):
    """Closed and opened again at random."""

    backend = "duckdb"
    persistent = True
    examples = EXAMPLES
    shrinks = True
