"""Prints the events of the demo: each step with its time and ids, and a table at the end."""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table

STYLES = {"CRM": "cyan", "Medical": "magenta", "Broker": "yellow", "Demo": "white"}


class Narration:
    """Prints in colour to a terminal, and as plain lines elsewhere."""

    def __init__(self) -> None:
        # The terminal wraps lines, so that ids can be copied whole.
        self._console = Console(highlight=False, soft_wrap=True)
        self._started = time.monotonic()
        self._rows: list[tuple[str, str, str, str]] = []

    def chapter(self, title: str) -> None:
        """Print the title of a part of the story."""
        heading = f"[bold]{title}[/bold]"
        self._console.print()
        self._console.print(heading)

    def event(self, where: str, text: str) -> None:
        """Print one event, with the seconds since the beginning."""
        seconds = time.monotonic() - self._started
        style = STYLES.get(where, "white")
        place = f"[{style}]{where:<8}[/{style}]"
        self._console.print(f"  {seconds:6.2f} s  {place} {text}", markup=True)

    def transferred(self, what: str, source: str, target: str, outcome: str) -> None:
        """Add a line to the table that :meth:`close` prints."""
        row = (what, source, target, outcome)
        self._rows.append(row)

    def close(self) -> None:
        """Print the table of the transferred records."""
        table = Table(title="What was transferred")
        for heading in ("What", "From", "To", "Outcome"):
            # Folded, as the default would cut ids off in a narrow terminal.
            table.add_column(heading, overflow="fold")
        for row in self._rows:
            table.add_row(*row)
        self._console.print()
        self._console.print(table)

    def say(self, text: str) -> None:
        """Print a plain line."""
        self._console.print(text)

    def failed(self, reason: str) -> None:
        """Print why the demo ended early."""
        title = "[bold red]The demo failed:[/bold red]"
        line = f"{title} {reason}"
        self._console.print()
        self._console.print(line)
