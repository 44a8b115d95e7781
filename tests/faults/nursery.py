"""Processes by the thousand: one that has imported everything and forks a child for each run.

``Nursery.run`` names a function of this folder and its arguments. The child says lines (`say`); whatever becomes of it,
the parent gets those lines, how it ended, and never waits longer than a timeout. While a child is stopped, another one
may look at what it is doing (`Look`).
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FAILED = 3
"""What a child ends with whose function raised."""
_TIMEOUT = 60.0
_MOMENT = 0.0005
"""Seconds between two looks whether a child has stopped."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one child."""

    lines: list[str]
    errors: str
    """What it wrote to stderr: logs and tracebacks."""
    status: int
    """Its exit status, or minus the number of the signal that ended it."""
    late: bool
    """It did not end in time."""
    stops: int = 0
    """How often it stopped."""
    looks: dict[str, Outcome] = field(default_factory=dict)
    """Of those who looked meanwhile, by the number of the stop."""

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL and not self.late

    def told(self, word: str) -> list[str]:
        """What followed that word, line by line."""
        return [line[len(word) + 1 :] for line in self.lines if line.split(" ", 1)[0] == word]


@dataclass(frozen=True, slots=True)
class Look:
    """What another child does whenever the first one has stopped so often; it is told what was ``begun`` and ``done``,
    in numbers of operations.
    """

    function: str
    arguments: dict[str, Any]
    stops: list[int]


class Nursery:
    """The parent's side."""

    def __init__(self, library: Path) -> None:
        folder = Path(__file__).parent.parent
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, function: str, look: Look | None = None, **arguments: Any) -> Outcome:
        """Let a child call ``module:function`` of this folder; the arguments go through JSON."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            asked = [function, arguments, None if look is None else asdict(look)]
            print(json.dumps(asked), file=self._process.stdin, flush=True)
            return _outcome_of(json.loads(self._process.stdout.readline()))
        except BaseException:  # a test that ran out of time leaves an answer that nobody reads
            self.close()
            self._process = self._started()
            raise

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _outcome_of(told: dict[str, Any]) -> Outcome:
    looks = {number: _outcome_of(each) for number, each in told.pop("looks").items()}
    return Outcome(**told, looks=looks)


def say(line: str) -> None:
    """Tell the parent, at once: a child that is killed has said it."""
    os.write(1, line.encode() + b"\n")


# -- the process that forks ------------------------------------------------------------------------------------------


def _serve() -> None:
    for module in ("chroma_plugin", "duckdb", "orjson", "hnswlib", "numkong", "faults.workload", "faults.checking"):
        try:
            importlib.import_module(module)
        except ImportError:
            if module.startswith(("faults", "chroma")):
                raise
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads can't be forked safely"
    for line in sys.stdin:
        function, arguments, look = json.loads(line)
        outcome = _outcome(function, arguments, None if look is None else Look(**look))
        print(json.dumps(asdict(outcome)), flush=True)


def _outcome(function: str, arguments: dict[str, Any], look: Look | None = None) -> Outcome:
    (said, says), (wrote, writes) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        _be_a_child(function, arguments, says, writes)
    os.close(says)
    os.close(writes)
    child = _Child(pid, [said, wrote], look)
    child.read_all()
    _, status = os.waitpid(pid, 0)
    return Outcome(
        lines=child.lines(),
        errors=child.texts[1].decode(),
        status=os.waitstatus_to_exitcode(status),
        late=child.late,
        stops=child.stops,
        looks=child.looks,
    )


def _be_a_child(function: str, arguments: dict[str, Any], says: int, writes: int) -> None:
    os.dup2(says, 1)
    os.dup2(writes, 2)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    status = 0
    try:
        module, _, name = function.partition(":")
        getattr(importlib.import_module(f"faults.{module}"), name)(**arguments)
    except BaseException:
        traceback.print_exc()
        status = FAILED
    sys.stderr.flush()
    os._exit(status)


class _Child:
    """Reads all that comes out of a child until that has ended, or time is up."""

    def __init__(self, pid: int, descriptors: list[int], look: Look | None) -> None:
        self._pid = pid
        self._descriptors = descriptors
        self._left = set(descriptors)
        self._look = look
        self._end = time.monotonic() + _TIMEOUT
        self.texts = [b""] * len(descriptors)
        self.late = False
        self.stops = 0
        self.looks: dict[str, Outcome] = {}

    def lines(self) -> list[str]:
        """What it has said so far."""
        return self.texts[0].decode().splitlines()

    def read_all(self) -> None:
        while self._left:
            left = max(self._end - time.monotonic(), 0)
            ready = self._read(left if self._look is None else min(left, _MOMENT))
            if self._look is not None and not ready:
                self._see_whether_it_stopped(self._look)
            if not ready and time.monotonic() >= self._end:
                self._press()

    def _read(self, seconds: float) -> bool:
        """Whether there was something."""
        ready, _, _ = select.select(list(self._left), [], [], seconds)
        for descriptor in ready:
            if piece := os.read(descriptor, 1 << 16):
                self.texts[self._descriptors.index(descriptor)] += piece
            else:
                os.close(descriptor)
                self._left.remove(descriptor)
        return bool(ready)

    def _see_whether_it_stopped(self, look: Look) -> None:
        while os.waitid(os.P_PID, self._pid, os.WSTOPPED | os.WNOHANG) is not None:
            self.stops += 1
            if self.stops in look.stops:
                self._have_looked(look)
            os.kill(self._pid, signal.SIGCONT)
            time.sleep(0)

    def _have_looked(self, look: Look) -> None:
        start = time.monotonic()
        while self._read(0):
            pass
        words = [line.split(" ", 1)[0] for line in self.lines()]
        so_far = {"begun": words.count("begin"), "done": words.count("done")}
        self.looks[str(self.stops)] = _outcome(look.function, {**look.arguments, **so_far})
        self._end += time.monotonic() - start

    def _press(self) -> None:
        """First ask where it hangs."""
        os.kill(self._pid, signal.SIGKILL if self.late else signal.SIGUSR1)
        self._end, self.late = time.monotonic() + 2, True


if __name__ == "__main__":
    _serve()
