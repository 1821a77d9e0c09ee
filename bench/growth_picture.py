"""Draws how the calls of a Vault grow with its records, as an SVG picture of the figures of ``bench.growth``.

``python -m bench.growth_picture FIGURES.json docs/images/growth.svg`` has a line for each call, over the number of
accounts; both axes are logarithmic, so that a call that takes the same time with any number is a level line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from html import escape
from math import log10
from pathlib import Path

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 60, 300, 20, 40
COLOURS = ("#3b6fb6", "#c8553d", "#4f8a4b", "#8a5fa8", "#b58a2e", "#4d8f95", "#666666")

Figures = Mapping[str, Mapping[str, float]]


def drawn(figures: Figures) -> str:
    """Return the picture."""
    sizes = sorted({int(size) for by_size in figures.values() for size in by_size})
    times = [time for by_size in figures.values() for time in by_size.values()]
    low, high = min(times) / 1.5, max(times) * 1.5
    parts = [*_axes(sizes, low, high)]
    # The labels stand in the order of the ends of their lines, and apart.
    names = sorted(figures, key=lambda name: -figures[name][str(sizes[-1])])
    step = (HEIGHT - TOP - BOTTOM) / max(1, len(names))
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        points = [
            f"{_x(size, sizes):.1f},{_y(figures[name][str(size)], low, high):.1f}"
            for size in sizes
        ]
        label = TOP + step * (number + 0.7)
        text = _label(name, figures[name], sizes)
        last = points[-1].replace(",", " ")
        parts.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
            f'<path d="M{last} L{WIDTH - RIGHT + 18} {label - 4:.1f}" stroke="{colour}" stroke-width="0.4"/>'
            f'<text x="{WIDTH - RIGHT + 22}" y="{label:.1f}" fill="{colour}">{text}</text>'
        )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        f' font-size="11">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _label(name: str, by_size: Mapping[str, float], sizes: list[int]) -> str:
    ratio = by_size[str(sizes[-1])] / by_size[str(sizes[0])]
    plain = name.replace("`", "")
    return escape(f"{plain} ({ratio:.2f})")


def _axes(sizes: list[int], low: float, high: float) -> list[str]:
    """Return the lines and texts of both axes: accounts, and milliseconds in steps of ten."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for power in range(-1, 5):
        time = 10.0**power
        if low <= time <= high:
            y = _y(time, low, high)
            parts.append(
                f'<path d="M{LEFT} {y:.1f} H{right}" stroke="#dddddd"/>'
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#444444">{time:g} ms</text>'
            )
    for size in sizes:
        x = _x(size, sizes)
        parts.append(
            f'<path d="M{x:.1f} {TOP} V{bottom}" stroke="#eeeeee"/>'
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#444444">{size:,} accounts</text>'
        )
    return parts


def _x(size: int, sizes: list[int]) -> float:
    span = log10(sizes[-1] / sizes[0]) or 1.0
    return LEFT + 40 + (WIDTH - RIGHT - LEFT - 80) * log10(size / sizes[0]) / span


def _y(time: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - log10(time / low) / log10(high / low))


def main(figures: str, picture: str) -> int:
    """Write the picture of the figures in a file, and return 0."""
    read = json.loads(Path(figures).read_text())
    Path(picture).write_text(drawn(read))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
