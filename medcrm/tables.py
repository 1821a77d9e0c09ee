"""Shows rows at the console: as a table for people, as JSON for scripts, and as a bar while there is progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import orjson
import typer

AsJson = Annotated[bool, typer.Option("--json", help="Show the result as JSON.")]
Progress = Callable[[int, int], None]
"""Called with how much is done, and how much there is to do; 0 where that is unknown."""

GAP = "  "


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows, the first being the heading, as lines of one width; columns of numbers are right-aligned."""
    lines: list[list[str]] = [[] for _ in rows]
    for column in zip(*rows, strict=True):
        width = max(map(len, column))
        _, *cells = column
        numbers = bool(cells) and all(cell.isdecimal() for cell in cells)
        for line, cell in zip(lines, column, strict=True):
            line.append(cell.rjust(width) if numbers else cell.ljust(width))
    return [GAP.join(line).rstrip() for line in lines]


def show(value: object, lines: Sequence[str], *, as_json: bool) -> None:
    """Write a result: its JSON, or the lines."""
    if as_json:
        typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    elif lines:
        typer.echo("\n".join(lines))


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Show a bar until the block ends; on standard error, so that scripts read only the result."""
    with typer.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, expected: int) -> None:
            bar.length = max(done, expected, 1)
            bar.update(done - bar.pos)

        yield progress
