"""Wounds by the hundred, each in a process of its own: one process imports everything and forks a child for each.

Run as a program it reads lines of JSON, forks, and answers each with an outcome.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.damage.looks import Outcome, Seen
from faults.damage.wounds import Wound

TIMEOUT = 20
"""Seconds after which a child is taken to hang."""


class Trial:
    """The parent's side: wounds of the stores under a directory (see `faults.damage.stores`)."""

    def __init__(self, stores: Path) -> None:
        self.stores = stores
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.damage.trying", str(stores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def seen(self, store: str, wound: Wound, *, repair: bool = False) -> Seen | None:
        """What becomes of a copy of that store; None for a wound that changes nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([store, wound.as_dict(), repair]), file=self._process.stdin, flush=True)
        told = json.loads(self._process.stdout.readline())
        return None if told is None else (Outcome(told[0]), told[1])

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def trial(stores: Path) -> Iterator[Trial]:
    trying = Trial(stores)
    try:
        yield trying
    finally:
        trying.close()


def environment() -> dict[str, str]:
    """For programs of this folder."""
    tests = str(Path(__file__).parents[2])
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


# -- the other side --------------------------------------------------------------------------------------------------


def main(stores: Path) -> None:
    import duckdb  # noqa: F401  # once, and not in each child
    import hnswlib  # noqa: F401
    import numkong  # noqa: F401
    from faults.damage.stores import small

    small()
    truths = {path.stem: json.loads(path.read_text()) for path in stores.glob("*.json")}
    for line in sys.stdin:
        store, wound, repair = json.loads(line)
        print(json.dumps(_tried(stores, store, Wound(**wound), truths[store], repair=repair)), flush=True)


def _tried(stores: Path, store: str, wound: Wound, truth: Any, *, repair: bool) -> Seen | None:
    with tempfile.TemporaryDirectory(prefix="wounded-") as place:
        copy = Path(place, "store")
        shutil.copytree(stores / store, copy)
        if not wound.inflict(copy, stores / ("older" if store == "closed" else "closed")):
            return None
        answer = Path(place, "answer")
        child = os.fork()
        if not child:
            _child(copy, truth, answer, repair=repair)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == -signal.SIGALRM:
            return Outcome.HANG, ""
        if status or not answer.exists():
            return Outcome.CRASH, f"status {status}"
        outcome, text = json.loads(answer.read_text())
        return Outcome(outcome), text


def _child(place: Path, truth: Any, answer: Path, *, repair: bool) -> None:
    signal.alarm(TIMEOUT)
    try:
        from faults.damage.looks import look
        from faults.damage.mended import mended

        # What the first opening deletes or writes must not hide what the second one sees.
        looks = [mended(place, truth)] if repair else [look(place, truth) for _ in range(2)]
        answer.write_text(json.dumps(max(looks, key=lambda each: list(Outcome).index(each[0]))))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
