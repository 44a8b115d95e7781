"""The benchmark of the local engines runs, and what it says is sane. No times are judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MEASURED = {"duckdb", "memory", "hnswlib", "numpy"}
EXACT = {"duckdb", "memory", "numpy"}
"""2,000 records are too few for a graph of ours."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a quick run's files, and the table that it printed."""
    pytest.importorskip("hnswlib")
    folder = tmp_path_factory.mktemp("benchmarks")
    command = [sys.executable, BENCHMARKS / "local.py", "--quick", "--engines", *sorted(MEASURED)]
    files = ["--json", folder / "figures.json", "--plots", folder / "plots"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def figures(places: tuple[Path, str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((places[0] / "figures.json").read_text())
    return told


def test_every_row_is_measured_for_ours(figures: dict[str, Any]) -> None:
    """Our engine on disk has a figure in every row, and nothing failed."""
    assert set(figures["engines"]) == MEASURED
    assert {row for row, cells in figures["rows"].items() if "duckdb" not in cells} == set()
    assert figures["missing"]["duckdb"] == {}
    assert all(cells["duckdb"]["ms"] >= 0 for row, cells in figures["rows"].items() if row != "churned")


def test_exact_searches_find_everything(figures: dict[str, Any]) -> None:
    """Recall is 1 wherever the search is exact, with every filter: the judge and the engines agree on the answers."""
    judged = {row: cells for row, cells in figures["rows"].items() if any("recall" in cell for cell in cells.values())}
    assert len(judged) > 10
    wrong = {
        (row, name): cell["recall"]
        for row, cells in judged.items()
        for name, cell in cells.items()
        if name in EXACT and cell["recall"] < 0.9999
    }
    assert wrong == {}


def test_a_knob_trades_recall_for_time(figures: dict[str, Any]) -> None:
    """The sweep of an engine with a knob has points of growing settings, and reaches the recall it is compared at."""
    sweep = figures["sweep"]["hnswlib"]
    assert [point["ef"] for point in sweep] == sorted(point["ef"] for point in sweep)
    assert sweep[-1]["recall"] >= 0.98


def test_filters_match_the_shares_they_are_named_for(figures: dict[str, Any]) -> None:
    """A filter called 10 % matches about that share of the records."""
    shares = figures["machine"]["shares"]
    for name, low, high in (("50 %", 0.4, 0.6), ("10 %", 0.07, 0.13), ("1 %", 0.004, 0.02)):
        assert low < shares[name] < high


def test_the_table_and_the_plots_are_written(places: tuple[Path, str]) -> None:
    """The table has a column for each engine; the plots are SVG."""
    folder, printed = places
    header = printed.splitlines()[0]
    assert all(f" {name} " in header for name in MEASURED)
    for name in ("recall.svg", "filters.svg"):
        assert (folder / "plots" / name).read_text().startswith("<svg")
