"""Processes by the thousand: one that has imported everything and forks a child for each run.

``Nursery.run`` names a function of this folder and its arguments. The child says lines (`say`); whatever becomes of it,
the parent gets those lines, how it ended, and never waits longer than a timeout.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAILED = 3
"""What a child ends with whose function raised."""
_TIMEOUT = 60.0


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

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL and not self.late

    def told(self, word: str) -> list[str]:
        """What followed that word, line by line."""
        return [line[len(word) + 1 :] for line in self.lines if line.split(" ", 1)[0] == word]


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

    def run(self, function: str, **arguments: Any) -> Outcome:
        """Let a child call ``module:function`` of this folder; the arguments go through JSON."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps([function, arguments]), file=self._process.stdin, flush=True)
            return Outcome(**json.loads(self._process.stdout.readline()))
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
        function, arguments = json.loads(line)
        outcome = _outcome(function, arguments)
        print(json.dumps(outcome), flush=True)


def _outcome(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    (said, says), (wrote, writes) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        _be_a_child(function, arguments, says, writes)
    os.close(says)
    os.close(writes)
    texts, late = _read([said, wrote], pid)
    _, status = os.waitpid(pid, 0)
    lines = texts[0].decode().splitlines()
    return {"lines": lines, "errors": texts[1].decode(), "status": os.waitstatus_to_exitcode(status), "late": late}


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


def _read(descriptors: list[int], pid: int) -> tuple[list[bytes], bool]:
    """All that comes out of them until they are closed, or time is up."""
    texts, left, late = [b""] * len(descriptors), set(descriptors), False
    end = time.monotonic() + _TIMEOUT
    while left:
        ready, _, _ = select.select(list(left), [], [], max(end - time.monotonic(), 0))
        if not ready:
            _stop(pid, late)
            end, late = time.monotonic() + 2, True
        for descriptor in ready:
            if piece := os.read(descriptor, 1 << 16):
                texts[descriptors.index(descriptor)] += piece
            else:
                os.close(descriptor)
                left.remove(descriptor)
    return texts, late


def _stop(pid: int, asked: bool) -> None:
    """First ask where it hangs."""
    os.kill(pid, signal.SIGKILL if asked else signal.SIGUSR1)


if __name__ == "__main__":
    _serve()
