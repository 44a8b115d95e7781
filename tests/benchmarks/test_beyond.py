"""The benchmark of what the plug-in costs over an engine's own client runs. No times are judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.postgres import needs_postgres, postgres_url

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@needs_postgres
def test_every_row_is_measured_on_both_sides(tmp_path: Path) -> None:
    pytest.importorskip("pgvector")
    arguments = ["pgvector", postgres_url(), "--records", "2000", "--dimension", "8", "--rounds", "1"]
    command = [sys.executable, BENCHMARKS / "beyond.py", *arguments, "--json", tmp_path / "figures.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "figures.json").read_text())
    assert len(rows) == 9
    assert all(row["direct"] > 0 and row["plugged"] > 0 for row in rows.values())
    assert done.stdout.count("\n") == len(rows) + 2
