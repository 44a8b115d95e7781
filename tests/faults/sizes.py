"""How much of it: a handful with every run of the tests, a sample with ``-m faults``, all of it with ``-m soak``.

The long runs take what they do from the environment: ``CHROMA_PLUGIN_FAULT_ROUNDS`` seeds (5), the first of them
``CHROMA_PLUGIN_FAULT_SEED`` (100), in each ``CHROMA_PLUGIN_FAULT_POINTS`` points (0: all there are). A test is named
after its seed, which gives the same operations and the same points again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

_ROUNDS = int(os.environ.get("CHROMA_PLUGIN_FAULT_ROUNDS", "5"))
_SEED = int(os.environ.get("CHROMA_PLUGIN_FAULT_SEED", "100"))
_POINTS = int(os.environ.get("CHROMA_PLUGIN_FAULT_POINTS", "0"))


@dataclass(frozen=True, slots=True)
class Size:
    """Of one run: operations of a seed, cut at so many points; 0 for all."""

    seed: int
    length: int
    points: int

    def chance(self) -> random.Random:
        """What else is drawn."""
        return random.Random(self.seed)

    def some(self, total: int) -> Iterator[int]:
        """The points among 1 to `total`, in their order; the last of them always."""
        numbers = range(1, total + 1)
        if not self.points or self.points >= total:
            yield from numbers
        else:
            yield from sorted({*self.chance().sample(numbers, self.points - 1), total})


def sized(*, few: int = 0, sample: int, seeds: int = 2) -> pytest.MarkDecorator:
    """The parameter ``size``: few points in the default run, if any; a sample of each of the seeds; all of many."""
    sizes = [pytest.param(Size(1, 12, few), id="seed1")] if few else []
    sizes += [
        pytest.param(Size(seed, 16, sample), marks=pytest.mark.faults, id=f"seed{seed}") for seed in range(2, 2 + seeds)
    ]
    sizes += [
        pytest.param(Size(seed, 24, _POINTS), marks=[pytest.mark.soak, pytest.mark.timeout(0)], id=f"seed{seed}")
        for seed in range(_SEED, _SEED + _ROUNDS)
    ]
    return pytest.mark.parametrize("size", sizes)
