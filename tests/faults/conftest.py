"""One process to fork from for each worker, and what was done in all of them, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import shim
from faults.nursery import Nursery

from chroma_plugin.toolkit import vector_file


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    if shim.COMPILER is None:
        pytest.skip("no C compiler (cc): the library that stands between a process and its files can't be made")
    if not vector_file.SUPPORTED:
        pytest.skip("this system has no LD_PRELOAD, or keeps vectors otherwise")
    nursery = Nursery(shim.build(tmp_path_factory.mktemp("shim")))
    yield nursery
    nursery.close()


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Counter[str]]:
    """What is counted here stands below the results of the run."""
    counted: Counter[str] = Counter(rounds=1)
    yield counted
    for what, count in counted.items():
        record_property(f"faults {what}", count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counted: Counter[str] = Counter()
    for report in terminalreporter.getreports(""):
        if report.when == "teardown":
            counted.update({name: count for name, count in report.user_properties if name.startswith("faults ")})
    if counted:
        told = ", ".join(f"{count} {name.removeprefix('faults ')}" for name, count in sorted(counted.items()))
        terminalreporter.write_line(f"faults: {told}")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that is not there yet."""
    return tmp_path / "store"
