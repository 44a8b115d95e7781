"""The kit is worth what it catches: a right backend passes, each planted fault fails the test that is there for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from chroma_plugin.testing import BackendConformance
from chroma_plugin.testing.base import Bench

HERE = Path(__file__).parent
FAULTY = HERE / "faulty.py"


@dataclass(frozen=True, slots=True)
class Run:
    """What pytest said."""

    passed: int
    failures: dict[str, str]
    """From ``Class::test`` to the first line of why it failed."""
    output: str


def run_kit(nodes: Sequence[str], cwd: Path) -> Run:
    """Run these tests of ``faulty.py`` in a process of their own, with the same random cases every time."""
    fixed = ["-q", "-rf", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=ci"]
    command = [sys.executable, "-m", "pytest", *fixed, *(f"{FAULTY}::{node}" for node in nodes)]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "400"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, cwd=cwd, check=False)
    passed = re.search(r"(\d+) passed", done.stdout)
    found = re.findall(r"^FAILED \S*faulty\.py::(\w+::\w+)(?:\[.*?\])? - (.*)$", done.stdout, re.MULTILINE)
    return Run(int(passed[1]) if passed else 0, dict(reversed(found)), done.stdout + done.stderr)


def test_a_right_backend_passes(tmp_path: Path) -> None:
    """The whole kit on plain dicts: no failure, and more than a hundred promises kept."""
    run = run_kit(["TestRight"], tmp_path)
    assert not run.failures, run.output
    assert run.passed > 100, run.output


@pytest.fixture(scope="module")
def faults(load_faulty: object) -> list[tuple[str, str]]:
    """Every planted fault with each test that must notice it."""
    return [(fault.__name__, test) for fault in load_faulty.FAULTS for test in fault.caught_by]  # type: ignore[attr-defined]


def test_every_planted_fault_is_caught(faults: list[tuple[str, str]], tmp_path: Path) -> None:
    """Each of more than forty faults fails its test, and by a broken promise, not by an accident."""
    assert len({fault for fault, _ in faults}) > 40
    run = run_kit([f"{fault}::{test}" for fault, test in faults], tmp_path)
    unnoticed = [f"{fault} by {test}" for fault, test in faults if f"{fault}::{test}" not in run.failures]
    assert not unnoticed, f"The kit does not catch: {unnoticed}\n{run.output[-4000:]}"
    accident = re.compile(r"(Name|Attribute|Type|Import)Error|fixture")
    assert not {test: why for test, why in run.failures.items() if accident.match(why)}


def test_no_topic_hides_a_test_of_another() -> None:
    """The topics are mixed into one class; two tests of one name would be one test."""
    topics = [topic for topic in BackendConformance.__mro__ if issubclass(topic, Bench)]
    names = Counter(name for topic in topics for name in vars(topic) if not name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []
