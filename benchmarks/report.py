"""The figures of a run as data, and as tables with a verdict on each row.

    python benchmarks/report.py FIGURES.json [...] --into docs/benchmarks.md
    python benchmarks/report.py FIGURES.json [...] --by-size --into docs/engines.md

puts tables and plots into a page, between its two marks; the plots become files in `img` beside it. The second puts
there what was measured as the data grew, the engines side by side.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import plots
from engines import OURS
from rows import GOOD, ROWS, Row

Figures = dict[str, Any]
PEER = "chromadb"
ADD_SPREAD, OVER_BARE = 3.0, 1.5
"""How far p99 of an add may be from p50, and a query from a bare hnswlib call."""


OVER_CONTENT, VECTOR_BYTES = 1.25, 2_100
"""How large a record may be beside its content, and how large without its text."""
SIZES = ("disk", "rss")
THREADS, EFFICIENCY = {"2 threads": 2, "8 threads": 8}, 0.8
"""The share of what the cores allow that counts as scaling."""


def figures(sides: Sequence[Any], machine: Mapping[str, Any], grown: Sequence[Any]) -> Figures:
    return {
        "machine": dict(machine),
        "engines": {side.name: side.about for side in sides},
        "rows": {row.key: {side.name: _medians(side, row) for side in sides if _has(side, row)} for row in ROWS},
        "missing": {side.name: side.missing for side in sides},
        "sweep": {side.name: side.sweep for side in sides},
        "growth": list(grown),
    }


def joined(parts: Sequence[Figures]) -> Figures:
    """Several parts of one measurement. Of a row that two have, the later's is kept, whole.

    Raises ValueError for parts of different machines or data.
    """
    for part in parts[1:]:
        if part["machine"] != parts[0]["machine"]:
            raise ValueError(f"These are not parts of one run: {parts[0]['machine']} and {part['machine']}.")
    whole: Figures = {"machine": parts[0]["machine"], "growth": [point for part in parts for point in part["growth"]]}
    for name in ("engines", "sweep"):
        whole[name] = {engine: value for part in parts for engine, value in part[name].items() if value}
    whole["missing"] = {
        engine: {key: why for part in parts for key, why in part["missing"].get(engine, {}).items()}
        for engine in whole["engines"]
    }
    for part in parts:
        whole.setdefault("rows", {}).update({key: cells for key, cells in part["rows"].items() if cells})
    whole["rows"] = {row.key: whole["rows"].get(row.key, {}) for row in ROWS}
    return whole


def _has(side: Any, row: Row) -> bool:
    return row.key in side.measured


def _medians(side: Any, row: Row) -> dict[str, float]:
    answers = side.measured[row.key]
    numbers = [key for key, value in answers[0].items() if isinstance(value, (int, float))]
    return {key: statistics.median(answer[key] for answer in answers if key in answer) for key in numbers}


def table(told: Figures) -> str:
    names = list(told["engines"])
    lines = [
        "| measure | " + " | ".join(names) + " | beside chromadb | best of the rest |",
        "|---" * (len(names) + 3) + "|",
    ]
    for row in ROWS:
        cells = told["rows"][row.key]
        if not cells:
            continue
        shown = [_cell(row, cells.get(name)) + _synced(told, row, name) for name in names]
        lines.append(f"| {row.label} | {' | '.join(shown)} | {verdict(told, row)} | {rest(told, row)} |")
    return "\n".join([*lines, "", *_engines(told), "", *_failures(told)])


def _cell(row: Row, cell: Mapping[str, float] | None) -> str:
    if cell is None:
        return ""
    shown = f"{_number(cell['ms'])} {row.unit}"
    beside = [f"{cell['recall']:.3f}"] if "recall" in cell else []
    if "p99" in cell and row.key == "query":
        beside.append(f"p99 {_number(cell['p99'])}")
    return f"{shown} ({', '.join(beside)})" if beside else shown


def _synced(told: Figures, row: Row, name: str) -> str:
    """In the rows of writes, whether the time holds for what is on disk."""
    measured = row.durable and name in told["rows"][row.key]
    return ", not synced" if measured and not told["engines"][name]["durable"] else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ours(told: Figures) -> str | None:
    return next((name for name in OURS if name in told["engines"]), None)


def verdict(told: Figures, row: Row) -> str:
    """The first of ours beside chromadb, and whether that is what was asked for."""
    cells, name = told["rows"][row.key], ours(told)
    if name is None or name not in cells:
        return ""
    parts = list(_judged(told, row, cells[name], cells.get(PEER)))
    return "; ".join(parts)


def _judged(told: Figures, row: Row, own: Mapping[str, float], peer: Mapping[str, float] | None) -> Iterator[str]:
    if peer is not None and peer["ms"] > 0 and row.unit != "recall":
        ratio = peer["ms"] / max(own["ms"], 1e-9)
        yield f"{_number(ratio)}x" + ("" if row.target is None else _met(ratio >= row.target, f">= {row.target:g}x"))
    if row.limit is not None:
        yield _met(own["ms"] <= row.limit, f"<= {row.limit:g} {row.unit}").strip()
    if row.key.startswith("where"):
        yield _met(own["recall"] >= 0.99, "recall >= 0.99").strip()
    if row.key == "add p99":
        spread = own["ms"] / told["rows"]["add p50"][ours(told)]["ms"]
        yield f"{spread:.1f} x p50{_met(spread <= ADD_SPREAD, f'<= {ADD_SPREAD:g}')}"
    if row.key in THREADS:
        yield from _scaled(told, row, own)
    if row.key in SIZES:
        yield from _beside_content(told, row, own)
    bare = told["rows"][row.key].get("hnswlib")
    if bare is not None and row.key in ("query", "batch"):
        limit = OVER_BARE if row.key == "query" else 1.0
        yield f"{own['ms'] / bare['ms']:.2f} x bare hnswlib{_met(own['ms'] <= limit * bare['ms'], f'<= {limit:g}')}"


def _scaled(told: Figures, row: Row, own: Mapping[str, float]) -> Iterator[str]:
    alone = told["rows"]["1 thread"].get(ours(told) or "")
    if alone is not None:
        rate, possible = alone["ms"] / own["ms"], min(THREADS[row.key], told["machine"]["cores"])
        yield f"{rate:.2f} x one thread{_met(rate >= EFFICIENCY * possible, f'>= {EFFICIENCY * possible:g}')}"


def _beside_content(told: Figures, row: Row, own: Mapping[str, float]) -> Iterator[str]:
    """Beside vectors, documents and metadata; on disk also beside a vector's bound and the text."""
    held = told["machine"]["bytes"]
    content = sum(held.values())
    size = own["ms"] if row.key == "disk" else own["ms"] * 2**20 / told["machine"]["records"]
    yield f"{size / content:.2f} x content{_met(size <= OVER_CONTENT * content, f'<= {OVER_CONTENT:g}')}"
    if row.key == "disk":
        bound = VECTOR_BYTES + held["document"] + held["metadata"]
        yield _met(size <= bound, f"<= {VECTOR_BYTES:,} B + text = {bound:,.0f} B").strip()


def _met(met: bool, target: str) -> str:
    return f" ({target}: {'met' if met else '**missed**'})"


def rest(told: Figures, row: Row) -> str:
    """The best of the other rivals at equal recall and durability, and how ours stands to it."""
    cells, name = told["rows"][row.key], ours(told)
    if name is None or name not in cells:
        return ""
    rivals = {other: cell for other, cell in cells.items() if _is_rival(told, row, other, cell, cells[name])}
    if not rivals or row.unit == "recall":
        return ""
    best = min(rivals, key=lambda other: rivals[other]["ms"])
    ratio = rivals[best]["ms"] / max(cells[name]["ms"], 1e-9)
    return f"{best} {_number(ratio)}x" + (f": {row.behind}" if ratio < 1 and row.behind else "")


def _is_rival(told: Figures, row: Row, other: str, cell: Mapping[str, float], own: Mapping[str, float]) -> bool:
    about = told["engines"][other]
    durable = about["durable"] or not row.durable
    recall = cell.get("recall", 1.0) >= min(own.get("recall", 1.0), GOOD) - 0.002
    if row.key == "indexed" and not about["efs"]:  # it has no index
        return False
    return other not in (*OURS, PEER) and about["stores_records"] and durable and recall


def _engines(told: Figures) -> list[str]:
    return [
        f"- {name}: {about['version']}; {about['durability']}"
        + ("" if about["stores_records"] else "; vectors only, a floor and no rival")
        for name, about in told["engines"].items()
    ]


def _failures(told: Figures) -> list[str]:
    """What went wrong; calls that an engine does not have are empty cells and no news."""
    return [
        f"- {name}, {key}: {reason}"
        for name, reasons in told["missing"].items()
        for key, reason in reasons.items()
        if "no such call" not in reason
    ]


GROWN = ("ingest", "add p50", "query", "where 50 %", "where 1 %", "batch", "exact", "cold", "rss", "disk", "indexed")


def growth_table(told: Figures) -> str:
    if not told["growth"]:
        return ""
    lines = ["| records | engine | ingest, us each | " + " | ".join(GROWN[1:]) + " |", "|---" * (len(GROWN) + 2) + "|"]
    units = {row.key: row for row in ROWS}
    for point in told["growth"]:
        ingest = point["ingest"]["ms"] * 1_000 / point["records"] if "ingest" in point else float("nan")
        cells = " | ".join(_cell(units[key], point.get(key)) for key in GROWN[1:])
        lines.append(f"| {point['records']:,} | {point['engine']} | {ingest:.1f} | {cells} |")
    return "\n".join([*lines, "", *_growing(told)])


STEADY = 1.25
"""What does not grow may be noisy by so much."""


def _growing(told: Figures) -> Iterator[str]:
    """Ours at the largest size beside the smallest, and whether that is what was asked for."""
    points = sorted((each for each in told["growth"] if each["engine"] == ours(told)), key=lambda each: each["records"])
    if len(points) < 2:
        return
    small, large = points[0], points[-1]
    sizes = large["records"] / small["records"]
    logarithms = math.log(large["records"]) / math.log(small["records"])
    yield f"From {small['records']:,} to {large['records']:,} records, {ours(told)}:"
    yield ""
    for key, label, limit in (
        ("ingest", "ingest of all", sizes * STEADY),
        ("query", "query p50", logarithms * STEADY),
        ("add p50", "one add", STEADY),
        ("cold", "cold open + first query", sizes / STEADY),
    ):
        if key in small and key in large:
            ratio = large[key]["ms"] / small[key]["ms"]
            yield f"- {label}: {_number(ratio)}x{_met(ratio <= limit, f'<= {limit:.3g}x')}"


BY_SIZE = (
    ("ingest", "ingest"),
    ("indexed", "ingest until the index is complete"),
    ("add p50", "one add"),
    ("query", "query, k=10"),
    ("where 10 %", "query where 10 % match"),
    ("hybrid", "hybrid query, words and vector"),
    ("batch", "1,000 queries in a call, each"),
    ("exact", "query, exact"),
    ("get 100", "get 100 ids"),
    ("cold", "open and first query"),
    ("disk", "disk per record"),
)


def by_size(told: Figures) -> str:
    """A table for each size, with the engines side by side."""
    sizes = dict.fromkeys(point["records"] for point in told["growth"])
    return "\n\n".join(_of_size(told, size) for size in sizes)


def _of_size(told: Figures, size: int) -> str:
    points = [point for point in told["growth"] if point["records"] == size]
    head = f"| {size:,} records | " + " | ".join(point["engine"] for point in points) + " |"
    lines = [head, "|---" * (len(points) + 1) + "|"]
    for key, label in BY_SIZE:
        cells = [_told(point, key) for point in points]
        if any(cells):
            lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _told(point: Mapping[str, Any], key: str) -> str:
    """What was measured, or why nothing was. Long times in seconds."""
    if key not in point:
        return str(point.get("missing", {}).get(key, ""))
    if key == "disk":
        return f"{_number(point[key]['ms'])} B"
    ms, recall = point[key]["ms"], point[key].get("recall")
    shown = f"{_number(ms / 1_000)} s" if ms >= 10_000 else f"{_number(ms)} ms"
    return shown if recall is None else f"{shown} ({recall:.3f})"


BEGIN, END = "<!-- figures: benchmarks/report.py writes what follows -->", "<!-- end of figures -->"


def page(body: str, path: Path) -> None:
    """Put this into the page, in place of what it has. Raises ValueError when it has no marks."""
    before, begin, rest_of_it = path.read_text().partition(BEGIN)
    _, end, after = rest_of_it.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place for figures: it needs a line {BEGIN!r} and, below, a line {END!r}.")
    path.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}")


def whole(told: Figures, images: Path) -> str:
    """The tables, and the plots, which become files there."""
    plots.draw(told, images)
    shown = [f"![{image.stem}](img/{image.name})" for image in sorted(images.glob("*.svg"))]
    parts = [_machine(told), table(told).strip(), growth_table(told), "\n".join(shown)]
    return "\n\n".join(part for part in parts if part)


def _machine(told: Figures) -> str:
    facts = told["machine"]
    return (
        f"{facts['records']:,} records on {facts['cores']} cores ({facts['processor']}), Python {facts['python']}. "
        f"In brackets: recall@10."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", type=Path, help="JSON files of parts of one run")
    parser.add_argument("--into", type=Path, required=True, metavar="PAGE")
    parser.add_argument("--by-size", action="store_true", help="only what was measured at several sizes")
    options = parser.parse_args()
    told = joined([json.loads(path.read_text()) for path in options.figures])
    page(by_size(told) if options.by_size else whole(told, options.into.parent / "img"), options.into)


if __name__ == "__main__":
    main()
