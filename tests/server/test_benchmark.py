"""The benchmark of the server works, so that its figures can be had at any time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

BENCHMARK: Final = Path(__file__).parents[2] / "benchmarks" / "server.py"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What a quick run prints, and what it writes."""
    file = tmp_path_factory.mktemp("benchmark") / "figures.json"
    command = [sys.executable, BENCHMARK, "--quick", "--rounds", "1", "--records", "200", "--json", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_every_row_is_measured(figures: tuple[str, dict[str, Any]]) -> None:
    """Adds, queries and gets of each size, from each number of clients, and nothing was refused."""
    printed, written = figures
    rows = written["chroma-plugin"]["rows"]
    asked = {(row["kind"], row["rows"]) for row in rows}

    assert asked == {("add", 1), ("add", 100), ("add", 1000), ("query", 1), ("query", 100), ("get", 10)}
    assert {row["clients"] for row in rows} == {1, 8, 32}
    assert len(rows) == 18
    assert all(row["requests_per_second"] > 0 and 0 < row["p50_ms"] <= row["p99_ms"] for row in rows)
    assert all(row["refused"] == 0 for row in rows)
    assert printed.count("\n| add 1 |") == 3


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_the_memory_is_measured(figures: tuple[str, dict[str, Any]]) -> None:
    """Resident, proportional and anonymous memory, idle and with all records."""
    printed, written = figures
    for when in ("idle_mb", "full_mb"):
        memory = written["chroma-plugin"][when]
        assert 5 < memory["anonymous"] <= memory["resident"]
        assert 5 < memory["PSS"] <= memory["resident"]
    assert "| chroma-plugin, with all records |" in printed
