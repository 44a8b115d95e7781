"""A child whose calls to the system fail for a while: what it must say, and show, and be able to do afterwards."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from faults import checking, model, shim
from faults.checking import Wrong
from faults.nursery import say
from faults.shim import Fault
from faults.workload import Operation, Worker, operations, prepare

import chroma_plugin
from chroma_plugin.errors import StorageError


def strive(directory: str, seed: int, length: int, fault: dict[str, int], leave: bool = False) -> None:
    """Do everything, with one spell of failing calls on the way. ``leave``: end like a killed process after the first
    operation that failed, having said after how many operations the store shows to be.
    """
    prepare(seed)
    place = Path(directory)
    shim.begin(place, Fault(**fault))
    made = operations(seed, length)
    worker = _opened(place)
    for number, operation in enumerate(made):
        error = _error_of(worker, operation)
        if error is None:
            continue
        _must_be_clear(error, place)
        if operation.kind == "reopen":  # what was not open yet can't be read
            shim.end()
        worker = _usable(worker, place)
        shown = _shown(worker, made, number)
        say(f"shown {shown}")
        if leave:
            os._exit(0)
        if shown == number:
            _again(worker, operation)
    _close(worker, place)
    say(f"closed {shim.seen()}")


def _opened(place: Path) -> Worker:
    """Opening may fail once; it leaves nothing that hinders the next one."""
    try:
        return Worker(place, calm=True)
    except StorageError as error:
        _must_be_clear(error, place)
    shim.end()
    say("refused an opening")
    return Worker(place, calm=True)


def _error_of(worker: Worker, operation: Operation) -> Exception | None:
    try:
        worker.perform(operation)
    except Exception as error:
        return error
    return None


def _must_be_clear(error: Exception, place: Path) -> None:
    """It is ours and names what could not be written."""
    if not isinstance(error, StorageError):
        raise Wrong(f"{type(error).__name__} instead of a StorageError: {error}") from error
    if str(place) not in str(error):
        raise Wrong(f"the error does not say which file: {error}") from error
    say(f"refused {error}".replace("\n", " "))


def _usable(worker: Worker, place: Path) -> Worker:
    """The same client; another one when that was closed, for which calls must not fail any more."""
    with suppress(chroma_plugin.errors.ClosedError):
        worker.client.list_collections()
        return worker
    shim.end()
    return Worker(place, calm=True)


def _shown(worker: Worker, made: Sequence[Operation], number: int) -> int:
    """Before or after the operation that failed: reads go on while it can't be done."""
    worlds = {number: model.world(made[:number]), number + 1: model.world(made[: number + 1])}
    shown = checking.which(worker.client, worlds)
    checking.examine(worker.client, worlds[shown])
    return shown


def _again(worker: Worker, operation: Operation) -> None:
    """It fails as clearly or works; and works when calls do."""
    error = _error_of(worker, operation)
    if error is not None:
        _must_be_clear(error, worker.directory)
        shim.end()
        worker = _usable(worker, worker.directory)
        worker.perform(operation)


def _close(worker: Worker, place: Path) -> None:
    try:
        worker.client.close()
    except StorageError as error:
        _must_be_clear(error, place)
    shim.end()
