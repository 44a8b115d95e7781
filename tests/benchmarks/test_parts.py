"""A measurement in parts: each does its steps, together they are one table, and a command puts that into a page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BEGIN, END = "<!-- figures: benchmarks/report.py writes what follows -->", "<!-- end of figures -->"


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BENCHMARKS / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of two parts of a quick run of two engines."""
    folder = tmp_path_factory.mktemp("parts")
    files = []
    for step in ("opening", "sweep"):
        files.append(folder / f"{step}.json")
        done = run("local.py", "--quick", "--engines", "duckdb", "numpy", "--steps", step, "--json", files[-1])
        assert done.returncode == 0, done.stderr
    return files


def test_a_part_measures_its_steps_alone(parts: list[Path]) -> None:
    """What other steps measure is not in it, though they prepare what it needs."""
    opening, sweep = (json.loads(file.read_text()) for file in parts)
    assert {row for row, cells in opening["rows"].items() if cells} == {"import", "start", "cold", "rss", "disk"}
    assert opening["sweep"] == {"duckdb": [], "numpy": []}
    assert not any(sweep["rows"].values())
    assert sweep["sweep"]["numpy"][0]["recall"] == 1.0


def test_parts_become_one(parts: list[Path], tmp_path: Path) -> None:
    """Joined, they hold the rows of the one and the sweep of the other; the table shows what was measured."""
    done = run("local.py", "--join", *parts, "--json", tmp_path / "whole.json")
    assert done.returncode == 0, done.stderr
    whole = json.loads((tmp_path / "whole.json").read_text())
    assert "duckdb" in whole["rows"]["disk"]
    assert whole["sweep"]["numpy"]
    assert "disk per record" in done.stdout
    assert "delete 1,000" not in done.stdout


def test_parts_of_different_data_are_refused(parts: list[Path], tmp_path: Path) -> None:
    """Figures of 2,000 records don't stand beside those of 50,000."""
    other = json.loads(parts[0].read_text())
    other["machine"]["records"] = 50_000
    (tmp_path / "other.json").write_text(json.dumps(other))
    done = run("local.py", "--join", parts[0], tmp_path / "other.json")
    assert done.returncode != 0
    assert "not parts of one run" in done.stderr


def test_figures_are_put_into_a_page(parts: list[Path], tmp_path: Path) -> None:
    """Between its marks, plots beside it; doing so again changes nothing; a page without marks is left as it is."""
    page, bare = tmp_path / "page.md", tmp_path / "bare.md"
    page.write_text(f"# Before\n\n{BEGIN}\nof yesteryear\n{END}\n\nAfter\n")
    bare.write_text("# Nothing\n")
    written = []
    for _ in range(2):
        done = run("report.py", *parts, "--into", page)
        assert done.returncode == 0, done.stderr
        written.append(page.read_text())
    assert written[0] == written[1]
    assert written[0].startswith("# Before\n")
    assert written[0].endswith("After\n")
    assert "yesteryear" not in written[0]
    assert "| disk per record |" in written[0]
    assert (tmp_path / "img" / "recall.svg").exists()
    assert "has no place for figures" in run("report.py", *parts, "--into", bare).stderr
    assert bare.read_text() == "# Nothing\n"


def test_engines_side_by_side_at_a_size(tmp_path: Path) -> None:
    """A table of a size has a column for each engine; what was not ready in time says so."""
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    sizes = ["--growth", "3000", "--growth-engines", "duckdb", "numpy", "--growth-reads", "query", "--patience", "0"]
    done = run("local.py", "--quick", "--engines", "numpy", "--steps", *sizes, "--json", figures)
    assert done.returncode == 0, done.stderr
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    done = run("report.py", figures, "--by-size", "--into", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "| 3,000 records | duckdb | numpy |" in text
    assert text.count("not finished in 0 min") > 6
    assert text.startswith("before\n")
    assert text.endswith("after\n")


LATE = """
import sys
from pathlib import Path
import corpus, workload
from side import Side

place = Path(sys.argv[1])
(place / "store").mkdir()
workload.write(place / "workload", corpus.hashed(2_070), 2_000, 20, 300, 50)
side = Side("duckdb", sys.executable, place / "workload", place / "store")
query = {"do": "query", "limit": 5, "seconds": 0.1}
long = {"do": "threads", "count": 1, "seconds": 10}
for patience, asked in (
    (5, {"do": "open", "place": "store"}), (5, {"do": "ingest"}),
    (0, long), (5, query), (5, {"do": "open", "place": "store"}), (5, query),
):
    side.patience = patience
    print(sorted(side.ask(**asked).items())[0][0])
side.close()
"""


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """Nothing is asked of an engine that was given up; opened again, it answers."""
    command = [sys.executable, "-c", LATE, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=BENCHMARKS)
    assert done.stdout.split() == ["ms", "ms", "missing", "missing", "ms", "found"], done.stderr
