"""Computes the window of a run, the statement that lists the next records in it, and the cursor after a page.

The window includes its first moment. It begins at Last Successful Run Time if an earlier run has set that to a moment
until which the source's changes were complete. Otherwise it begins earlier by an overlap, so that changes that were
committed late are read. It ends at the source's clock before the read: later changes are read by the next run. Records
are in the order of dates and ids, and a page begins after the last record of the page before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.connector.points.point import Reading
from services.connector.rules.rows import MODIFIED, literal, select
from shared.spark.envelope import format_moment

DATE_DELETED = "date_deleted"
BEGINNING = datetime.min.replace(tzinfo=UTC)
PAGE = 1000
"""Records of one page, two batches of a run: a Vault returns no more of them at once."""


@dataclass(frozen=True, slots=True)
class Window:
    """The first and the last moment of a run's window, as the API writes them; both are part of it."""

    since: str
    until: str


def window(
    changed_since: datetime,
    source_time: datetime,
    overlap: timedelta,
) -> Window:
    """Return the window of a run that ends at the source's clock."""
    # A Last Successful Run Time that somebody has set ahead of the clock counts as the clock.
    since = min(changed_since, source_time)
    # The calendar has no day before that of a run that reads everything.
    since -= min(overlap, since - BEGINNING)
    return Window(format_moment(since), format_moment(source_time))


@dataclass(frozen=True, slots=True)
class Cursor:
    """The beginning of a stage's next page: the reading, and the record after which it begins.

    A list of deletions continues with the date of its last page, whose deletions are listed again: the oldest ones
    expire while it is read. ``id`` is then the number of deletions of that date that filled whole pages.
    """

    reading: int = 0
    modified: str = ""
    id: str = ""

    def encode(self) -> str:
        """Return the position as the text that the Vault stores."""
        return f"{self.reading} {self.modified} {self.id}"

    @property
    def read(self) -> int:
        """Return how many deletions with the date ``modified`` to skip in a list of deletions."""
        return int(self.id or 0)

    @classmethod
    def decode(cls, position: str) -> Cursor:
        """Return the cursor in a position that ``encode`` wrote; for an empty position, the beginning."""
        if not position:
            return cls()
        reading, modified, record = position.split(" ")
        return cls(int(reading), modified, record)

    def after(
        self,
        reading: Reading,
        rows: Sequence[Mapping[str, object]],
    ) -> Cursor:
        """Return the cursor after a page; after the last page of a reading, the beginning of the next reading."""
        # A full page may be the last one; the next one is then empty.
        if len(rows) < PAGE:
            return Cursor(self.reading + 1)
        if reading.deleted:
            date = str(rows[-1][DATE_DELETED])
            read = self.read + len(rows) if date == self.modified else 0
            return Cursor(self.reading, date, str(read))
        last = rows[-1]
        # Pages through a relationship are in the order of ids alone: the dates are those of related records.
        modified = "" if reading.related else str(last[reading.modified])
        return Cursor(self.reading, modified, str(last["id"]))


def page_statement(
    reading: Reading,
    part: Window,
    cursor: Cursor,
) -> str:
    """Return the VQL of the next page, at most ``PAGE`` records."""
    if reading.related:
        conditions = _related(reading, part, cursor)
        order = "id"
    else:
        conditions = _own(reading.modified, part, cursor)
        order = f"{reading.modified}, id"
    if reading.condition:
        conditions.append(f"({reading.condition})")
    where = " AND ".join(conditions)
    head = select(f"id, {reading.modified}", reading.object)
    return f"{head} WHERE {where} ORDER BY {order} MAXROWS {PAGE}"


def _related(
    reading: Reading,
    part: Window,
    cursor: Cursor,
) -> list[str]:
    # One that has changed itself is listed by its own date, in this run or the next.
    unchanged = f"{reading.modified} < {literal(part.since)}"
    condition = related_condition(reading, part.since, part.until)
    conditions = [condition, unchanged]
    if cursor.id:
        conditions.append(f"id > {literal(cursor.id)}")
    return conditions


def related_condition(
    reading: Reading,
    since: str,
    until: str = "",
) -> str:
    """Return the VQL condition for records with a related record that has changed; an empty ``until`` sets no end."""
    modified = f"{reading.path}.{MODIFIED}" if reading.path else MODIFIED
    within = _within(modified, since, until)
    if reading.through is None:
        return within
    return f"id IN (SELECT id FROM {reading.through} WHERE {within})"  # noqa: S608  VQL of names


def _own(
    modified: str,
    part: Window,
    cursor: Cursor,
) -> list[str]:
    since = cursor.modified or part.since
    conditions = [_within(modified, since, part.until)]
    if cursor.id:
        # Records with the last date of the last page and a greater id are still to be read.
        later = f"{modified} > {literal(cursor.modified)}"
        conditions.append(f"({later} OR id > {literal(cursor.id)})")
    return conditions


def _within(
    field: str,
    since: str,
    until: str,
) -> str:
    begun = f"{field} >= {literal(since)}"
    return f"{begun} AND {field} <= {literal(until)}" if until else begun
