"""The figures of a run as SVG: recall against time, filtered time against selectivity, growth.

python benchmarks/plots.py FIGURES.json DIRECTORY
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

Point = tuple[float, float]
WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 560, 40, 390
COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf", "#7f7f7f", "#bcbd22")
SHARES = ("50 %", "10 %", "1 %", "0.1 %")


def draw(told: Mapping[str, Any], directory: Path) -> None:
    """``recall.svg``, ``filters.svg``, and ``growth.svg`` if growth was measured."""
    directory.mkdir(parents=True, exist_ok=True)
    _write(
        directory / "recall.svg", "Time of a query, by recall (k = 10)", "recall@10", "ms", _recall(told), (0.9, 1.0)
    )
    _write(directory / "filters.svg", "Time of a filtered query", "share that matches", "ms", _filters(told))
    if told["growth"]:
        _write(directory / "growth.svg", "Time of a query, by size", "records", "ms", _growth(told))


def _recall(told: Mapping[str, Any]) -> dict[str, list[Point]]:
    return {
        name: [(point["recall"], point["ms"]) for point in sweep if point["recall"] >= 0.9]
        for name, sweep in told["sweep"].items()
    }


def _filters(told: Mapping[str, Any]) -> dict[str, list[Point]]:
    shares = told["machine"]["shares"]
    rows = {share: told["rows"][f"where {share}"] for share in SHARES}
    return {
        name: [(shares[share], rows[share][name]["ms"]) for share in SHARES if name in rows[share]]
        for name in told["engines"]
    }


def _growth(told: Mapping[str, Any]) -> dict[str, list[Point]]:
    lines: dict[str, list[Point]] = {}
    for point in told["growth"]:
        for key in ("query", "where 1 %", "cold"):
            if key in point:
                lines.setdefault(f"{point['engine']}, {key}", []).append((point["records"], point[key]["ms"]))
    return lines


def _write(
    path: Path, title: str, across: str, up: str, lines: Mapping[str, Sequence[Point]], span: Point | None = None
) -> None:
    """Both axes are logarithmic, but for one whose span is given."""
    drawn = {name: sorted(points) for name, points in lines.items() if points}
    if not drawn:
        return
    points = [point for each in drawn.values() for point in each]
    horizontal = Scale((x for x, _ in points), LEFT, RIGHT, span)
    vertical = Scale((y for _, y in points), BOTTOM, TOP)
    parts = [_text(LEFT, 22, title, size=15), _text((LEFT + RIGHT) / 2, HEIGHT - 12, across), _text(12, TOP - 8, up)]
    parts += [_tick(horizontal.at(tick), BOTTOM, tick, across=True) for tick in horizontal.ticks]
    parts += [_tick(LEFT, vertical.at(tick), tick, across=False) for tick in vertical.ticks]
    for number, (name, each) in enumerate(drawn.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(
            _line([(horizontal.at(x), vertical.at(y)) for x, y in each], colour, dashed=number >= len(COLOURS))
        )
        parts.append(_text(RIGHT + 14, TOP + 18 * number + 4, name, colour=colour))
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


class Scale:
    """From values to places on the page."""

    def __init__(self, values: Iterable[float], start: float, stop: float, span: Point | None = None) -> None:
        self.start, self.stop, self.linear = start, stop, span is not None
        if span is not None:
            self.low, self.high = span
            self.ticks = [self.low + (self.high - self.low) * step / 5 for step in range(6)]
        else:
            known = [math.log10(max(value, 1e-6)) for value in values]
            self.low, self.high = math.floor(min(known)), max(math.ceil(max(known)), math.floor(min(known)) + 1)
            self.ticks = [10.0**power for power in range(int(self.low), int(self.high) + 1)]

    def at(self, value: float) -> float:
        place = value if self.linear else math.log10(max(value, 1e-6))
        return self.start + (self.stop - self.start) * (place - self.low) / (self.high - self.low)


def _tick(x: float, y: float, value: float, *, across: bool) -> str:
    shown = f"{value:,.0f}" if value >= 1 and value == int(value) else f"{value:g}"
    if across:
        rule, text = f'x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{BOTTOM}"', _text(x - 10, BOTTOM + 18, shown)
    else:
        rule, text = f'x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"', _text(12, y + 4, shown)
    return f'<line {rule} stroke="#ddd"/>{text}'


def _line(points: Sequence[Point], colour: str, *, dashed: bool) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>{dots}'


def _text(x: float, y: float, text: str, size: int = 12, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}">{escape(text)}</text>'


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
