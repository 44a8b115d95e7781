"""Every reader of what strangers write, on mutated input: only documented errors come out.

``CHROMA_PLUGIN_FUZZ_SECONDS`` and ``CHROMA_PLUGIN_FUZZ_SEED`` say how long and from which seed; a failure names
its input.
"""

from __future__ import annotations

import os
import random

import pytest
from fuzz.driver import TARGETS, load, mutate

SECONDS = os.environ.get("CHROMA_PLUGIN_FUZZ_SECONDS")
# Where a change is judged, the same inputs every time; elsewhere new ones, to find what nobody thought of.
SEED = int(os.environ.get("CHROMA_PLUGIN_FUZZ_SEED", "0")) or (
    1 if os.environ.get("CI") else random.randrange(1, 2**31)
)
FEW = 20
"""Mutations in the run that every change gets, after the seeds."""
each = pytest.mark.parametrize("name", TARGETS)


@each
def test_the_seeds_and_a_few(name: str) -> None:
    target = load(name)
    most = min(len(target.SEEDS), 40) + FEW
    assert mutate(target, 60, SEED, most) == most


@pytest.mark.faults
@each
def test_for_a_while(name: str) -> None:
    assert mutate(load(name), float(SECONDS or 5), SEED) > 10


@pytest.mark.soak
@pytest.mark.timeout(0)
@each
def test_for_long(name: str) -> None:
    assert mutate(load(name), float(SECONDS or 600), SEED) > 1_000
