"""A second process on the same place: ``python -m chroma_plugin.testing.child FILE CLASS PLACE ACTION``.

It opens the backend as the test class does, does one thing, says so, and waits or dies. It never closes the backend.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chroma_plugin.backend import Backend
from chroma_plugin.errors import ChromaError
from chroma_plugin.testing.base import Bench, listed
from chroma_plugin.testing.data import collection, numbered, read, records, vectors

FINISHED: Final = 17
"""The exit code of a child that did what it was asked."""
REFUSED: Final = 18
"""The exit code of a child that the backend refused with an error of our tree."""

REPLACED: Final = records(["r1"], vectors(1, seed=8), ["replaced"], [None])
UPDATED: Final = records(["r2"], vectors(1, seed=9), ["updated"], [{"a": 1}])


def main(file: str, name: str, place: str, action: str) -> None:
    """Do it, and leave without any cleaning up."""
    try:
        engine = bench(file, name).open_backend(Path(place))
        ACTIONS[action](engine)
    except ChromaError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(REFUSED)
    print("done", flush=True)
    os._exit(FINISHED)


def bench(file: str, name: str) -> Bench:
    """An instance of the test class; its file is imported under a name of its own, so that nothing else is needed."""
    spec = importlib.util.spec_from_file_location("chroma_plugin_testing_bench", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = module
    for part in name.split("."):
        found = getattr(found, part)
    made: Bench = found()  # type: ignore[operator]
    return made


def write(engine: Backend) -> None:
    """Create a collection, put, replace, update, delete: everything is acknowledged when the child says so."""
    info = collection()
    engine.create_collection(info)
    store = engine.open_collection(info)
    store.put(numbered(50))
    store.put(REPLACED)
    store.update(UPDATED)
    store.delete(["r3", "r4"])
    doomed = collection("doomed")
    engine.create_collection(doomed)
    engine.drop_collection(doomed)


def write_for_ever(engine: Backend) -> None:
    """Put batches of 10 and say the number of each once it is acknowledged, until killed."""
    info = collection()
    engine.create_collection(info)
    store = engine.open_collection(info)
    for batch in range(1_000_000):
        store.put(records([f"b{batch}-{row}" for row in range(10)], metadatas=[{"batch": batch}] * 10))
        print(batch, flush=True)


def look(engine: Backend) -> None:
    """Read while another process has the place open: refuse, or see what it acknowledged."""
    [info] = listed(engine)
    print(len(read(engine.open_collection(info))), flush=True)


ACTIONS: dict[str, Callable[[Backend], None]] = {"write": write, "write_for_ever": write_for_ever, "look": look}

if __name__ == "__main__":
    main(*sys.argv[1:])
