"""What the demo shows: hops as they happen with times and ids, and the table at its end."""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table

STYLES = {"CRM": "cyan", "Medical": "magenta", "Broker": "yellow", "Demo": "white"}


class Narration:
    """Writes to a terminal in colour, elsewhere as plain lines."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._started = time.monotonic()
        self._rows: list[tuple[str, str, str, str]] = []

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print(f"\n[bold]{title}[/bold]")

    def hop(self, where: str, text: str) -> None:
        """One thing that happened, and how many seconds after the beginning."""
        seconds = time.monotonic() - self._started
        style = STYLES.get(where, "white")
        self._console.print(
            f"  {seconds:6.2f} s  [{style}]{where:<8}[/{style}] {text}", markup=True
        )

    def transferred(self, what: str, source: str, target: str, outcome: str) -> None:
        """Add a line to the closing table."""
        self._rows.append((what, source, target, outcome))

    def close(self) -> None:
        """Show the table of what was transferred."""
        table = Table(title="What was transferred")
        for heading in ("What", "From", "To", "Outcome"):
            table.add_column(heading, overflow="fold")
        for row in self._rows:
            table.add_row(*row)
        self._console.print()
        self._console.print(table)

    def say(self, text: str) -> None:
        """A plain line."""
        self._console.print(text)

    def failed(self, reason: str) -> None:
        """Why the demo ended early."""
        self._console.print(f"\n[bold red]The demo failed:[/bold red] {reason}")
