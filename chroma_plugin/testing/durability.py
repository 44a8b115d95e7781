"""The kit's tests of persistent backends: closed, killed, opened by two."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chroma_plugin.backend import Backend
from chroma_plugin.testing import child
from chroma_plugin.testing.base import Bench, created, listed, open_store
from chroma_plugin.testing.data import collection, contents, exactly, ids_of, numbered, read, records, vectors
from chroma_plugin.testing.judge import check_hits
from chroma_plugin.types import Metric, Search

SECONDS = 60
"""How long a child process may take to start and answer."""


class Durability(Bench):
    """What a persistent backend acknowledged is there when a new process opens the same place.

    Troubleshooting: commit (and sync) before the method returns; what waits for `close` or `flush` is lost here.
    """

    def start(self, place: Path, action: str) -> subprocess.Popen[str]:
        """A new process that opens the backend on this place and does that (see `chroma_plugin.testing.child`)."""
        kind = type(self)
        command = [sys.executable, "-m", child.__name__, inspect.getfile(kind), kind.__qualname__, str(place), action]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """The exit code and the output of that process."""
        try:
            output, _ = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
        return process.returncode, output

    def test_what_was_written_is_there_after_reopening(self, place: Path) -> None:
        """Close, open: the collections with all they had, the records, their order, and searches."""
        info, other = collection("first"), collection("second", Metric.COSINE, dimension=None)
        with self.opened(place) as engine:
            self.need_persistence(engine)
            engine.create_collection(other)
            with created(engine, info) as store:
                store.put(numbered(100))
                store.put(records(["r5"], vectors(1, seed=8)))
                store.delete(["r0"])
                before = read(store)
        with self.opened(place) as engine:
            assert [found.name for found in listed(engine)] == ["second", "first"], "Collections keep their order."
            assert exactly(listed(engine)[1].configuration) == exactly(info.configuration)
            assert [found.dimension for found in listed(engine)] == [None, 4]
            with open_store(engine, info) as store:
                assert contents(read(store)) == contents(before), "Records are there after reopening."
                assert store.count() == 99
                [hits] = store.search(Search(vectors(1, seed=3), 5, Metric.L2, exact=True))
                check_hits(hits, vectors(1, seed=3)[0], before, Metric.L2, 5)
                store.put(records(["later"]))
                assert ids_of(store)[-2:] == ["r99", "later"], "The order of insertion goes on after reopening."

    def test_what_was_written_is_there_after_a_crash(self, place: Path) -> None:
        """A process writes and dies without closing: all it acknowledged is there."""
        with self.opened(place.with_name("asked")) as engine:
            self.need_persistence(engine)
        code, output = self.finish(self.start(place, "write"))
        assert code == child.FINISHED, f"The writing process failed: {output}"
        with self.opened(place) as engine:
            assert [info.name for info in listed(engine)] == ["things"]
            with open_store(engine, listed(engine)[0]) as store:
                found = read(store)
        assert list(found.ids) == [f"r{row}" for row in range(50) if row not in (3, 4)], (
            "Acknowledged writes survive a crash."
        )
        assert contents(found)[1:3] == contents(child.REPLACED) + contents(child.UPDATED)

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
    def test_killed_while_writing(self, place: Path) -> None:
        """SIGKILL between and inside of writes: every acknowledged batch is there, and no batch is there in part."""
        with self.opened(place.with_name("asked")) as engine:
            self.need_persistence(engine)
        process = self.start(place, "write_for_ever")
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(20)]
        process.kill()
        rest, _ = process.communicate(timeout=SECONDS)
        assert all(seen), f"The writing process failed after {seen}."
        acknowledged = seen + rest.splitlines()
        with self.opened(place) as engine:
            assert [info.name for info in listed(engine)] == ["things"], "An acknowledged collection survives SIGKILL."
        with self.opened(place) as engine, open_store(engine, listed(engine)[0]) as store:
            ids = ids_of(store)
            store.put(records(["after"]))
            assert ids_of(store) == [*ids, "after"], "The store can be written again after a crash."
        batches = len(ids) // 10
        assert ids == [f"b{batch}-{row}" for batch in range(batches) for row in range(10)], (
            "A batch is there whole or not at all."
        )
        assert batches in (len(acknowledged), len(acknowledged) + 1), "Acknowledged batches survive SIGKILL."

    def test_a_second_process_is_refused_or_sees_the_truth(self, place: Path) -> None:
        """Opening a place that is in use gives an error of our tree (LockedError), or shares it correctly.

        Troubleshooting: hold a lock on a file of the place for as long as the backend is open.
        """
        with self.opened(place) as engine:
            self.need_persistence(engine)
            with created(engine) as store:
                store.put(numbered(7))
                code, output = self.finish(self.start(place, "look"))
                store.put(records(["after"]))
                assert store.count() == 8, "The first process goes on unharmed."
        assert code in (child.REFUSED, child.FINISHED), f"The second process broke: {output}"
        assert code == child.REFUSED or output.split()[0] == "7", (
            f"The second process saw {output!r} instead of 7 records."
        )

    def test_a_backend_that_is_not_persistent_starts_empty(self, place: Path) -> None:
        """Without persistence, each opening is a new, empty database."""
        with self.opened(place) as engine:
            if self.keeps(engine):
                pytest.skip("this backend is persistent")
            engine.create_collection(collection())
            with self.opened(place) as second:
                assert listed(second) == []
        with self.opened(place) as engine:
            assert listed(engine) == []

    def need_persistence(self, engine: Backend) -> None:
        """Skip a test of a promise that this backend does not make."""
        if not self.keeps(engine):
            pytest.skip("this backend is not persistent")
