"""A child that finds what an earlier one left, and goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faults import checking, model, shim
from faults.nursery import say
from faults.workload import Worker, operations, perform_all, prepare


def resume(directory: str, seed: int, length: int, allowed: Sequence[int], log: str) -> None:
    """Open what must show the world after one of the ``allowed`` numbers of operations, say which, do the others."""
    prepare(seed)
    shim.begin(Path(directory), shim.NONE, Path(log))
    worker, made = Worker(Path(directory), calm=True), operations(seed, length)
    shown = checking.which(worker.client, {number: model.world(made[:number]) for number in allowed})
    say(f"shown {shown}")
    perform_all(worker, made, shown)
