"""Draws ratios as bars with a mark at the aim of each, as an SVG picture."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from bench.parts import aim

WIDTH, ROW, LEFT, RIGHT, TOP = 860, 22, 330, 60, 30
REACHED, MISSED, MARK = "#4f8a4b", "#c8553d", "#333333"


def drawn(ratios: Mapping[str, float]) -> str:
    """Return the picture: a bar for each ratio, whose colour says whether its target is met."""
    height = TOP + ROW * len(ratios) + 10
    largest = max([1.0, *ratios.values()])
    scale = (WIDTH - LEFT - RIGHT) / largest
    parts = [
        f'<text x="{LEFT}" y="{TOP - 12}" fill="{MARK}">times as much; the mark is the aim</text>'
    ]
    for number, (name, ratio) in enumerate(ratios.items()):
        parts += _row(TOP + ROW * number, name, ratio, scale)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        f' font-size="12">\n<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _row(top: int, name: str, ratio: float, scale: float) -> list[str]:
    """Return the name, the bar, the figure and the mark of one ratio."""
    wanted = aim(name)
    colour = REACHED if wanted is None or ratio <= wanted else MISSED
    base = top + ROW - 8
    # Right of the mark, which would be drawn through it.
    end = LEFT + max(ratio, wanted or 0) * scale
    label = escape(name.replace("`", ""))
    parts = [
        f'<text x="{LEFT - 8}" y="{base}" text-anchor="end" fill="{MARK}">{label}</text>',
        f'<rect x="{LEFT}" y="{top + 3}" width="{ratio * scale:.1f}" height="{ROW - 7}" fill="{colour}"/>',
        f'<text x="{end + 6:.1f}" y="{base}" fill="{MARK}">{ratio:.2f}</text>',
    ]
    if wanted is not None:
        place = LEFT + wanted * scale
        parts.append(
            f'<path d="M{place:.1f} {top} V{top + ROW - 1}" stroke="{MARK}" stroke-width="2"/>'
        )
    return parts
