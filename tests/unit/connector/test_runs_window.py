"""The window of a run misses no change, however late it is committed and however the clock is set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.points.point import Reading
from services.connector.rules.rows import MODIFIED
from services.connector.runs import run_reading
from services.connector.runs import window as module
from services.connector.runs.window import (
    Cursor,
    Window,
    page_statement,
    window,
)
from services.connector.vaults.record_access import ChangeReads
from shared.spark.envelope import format_moment

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
OVERLAP = 50  # milliseconds
PAGE = 2
READING = Reading("point", "account__v")


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


@dataclass
class Transaction:
    record: str
    begun: int
    date: int
    budget: int = OVERLAP  # how far the clock may still move before it is committed


@dataclass
class Source:
    """A Vault: dates are never before a moment that it has announced, and grow with each change of a record.

    If it reports until when its changes are complete, transactions may have any length; else none is longer than the
    overlap.
    """

    tells_completeness: bool = False
    clock: int = 0
    told: int = 0  # when the run before this story began to read
    dates: dict[str, int] = field(default_factory=dict)
    open: dict[str, Transaction] = field(default_factory=dict)

    def change(self, record: str) -> None:
        if record not in self.open:  # else it waits for the other one
            begun = max(self.clock, self.told)
            date = max(begun, self.dates.get(record, -(10**9)) + 1)
            self.open[record] = Transaction(record, begun, date)

    def commit(self, record: str) -> None:
        if record in self.open:
            self.dates[record] = self.open.pop(record).date

    def move_clock(self, by: int) -> None:
        passing = [] if self.tells_completeness else list(self.open.values())
        for transaction in passing:
            transaction.budget -= max(by, 0)
            if transaction.budget < 0:
                self.commit(transaction.record)
        self.clock += by

    def tell(self) -> int:
        self.told = max(self.told, self.clock)
        return self.told

    @property
    def complete_until(self) -> int:
        """The moment from which on all changes are dated that are not committed yet."""
        if not self.tells_completeness:
            return self.told
        return min([self.told, *(each.begun for each in self.open.values())])

    def page(self, part: Window, cursor: Cursor) -> list[dict[str, Any]]:
        """The result of the statement of this page."""
        rows = sorted(
            (format_moment(at(date)), record) for record, date in self.dates.items()
        )
        behind = (cursor.modified, cursor.id)
        found = [
            row
            for row in rows
            if part.since <= row[0] <= part.until and (not cursor.id or row > behind)
        ]
        return [{MODIFIED: modified, "id": record} for modified, record in found[:PAGE]]


@dataclass
class Run:
    """Reads page by page; the source may change between two pages."""

    part: Window
    moves_to: int
    cursor: Cursor = field(default_factory=Cursor)


@dataclass
class Target:
    """The records that runs have read: the latest date of each at the time it was listed."""

    source: Source
    last_run: int = 0
    run: Run | None = None
    seen: dict[str, int] = field(default_factory=dict)
    pages: int = 0

    def step(self, *, fails: bool = False) -> None:
        """Begin a run, read a page of it, or end it at its last one."""
        if self.run is None:
            until = self.source.tell()
            overlap = 0 if self.source.tells_completeness else OVERLAP
            part = window(at(self.last_run), at(until), timedelta(milliseconds=overlap))
            self.run = Run(part, self.source.complete_until)
            return
        rows = self.source.page(self.run.part, self.run.cursor)
        self.seen |= {row["id"]: self.source.dates[row["id"]] for row in rows}
        self.run.cursor = Cursor.decode(self.run.cursor.after(READING, rows).encode())
        if self.run.cursor.reading:
            self.last_run = (
                self.last_run if fails else max(self.last_run, self.run.moves_to)
            )
            self.run = None

    def crash(self) -> None:
        """Start the run again, with its former time."""
        self.run = None

    def finish(self) -> None:
        self.step()
        for _ in range(1000):
            if self.run is None:
                return
            self.step()
        raise AssertionError("a run without an end")


records = st.sampled_from("abcdef")
events = st.one_of(
    st.tuples(st.just("change"), records),
    st.tuples(st.just("commit"), records),
    st.tuples(
        st.just("clock"), st.sampled_from([-100_000, -60, -1, 1, 1, 20, 49, 200])
    ),
    st.tuples(st.just("read"), st.booleans()),
    st.tuples(st.just("crash"), st.none()),
)


@given(st.booleans(), st.lists(events, max_size=80))
def test_no_change_is_missed(
    tells_completeness: bool, story: list[tuple[str, Any]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAGE", PAGE)
        source = Source(tells_completeness)
        target = Target(source)
        for event, value in story:
            match event:
                case "change":
                    source.change(value)
                case "commit":
                    source.commit(value)
                case "clock":
                    source.move_clock(value)
                case "read":
                    target.step(fails=value)
                case _:
                    target.crash()
        for record in list(source.open):
            source.commit(record)
        target.crash()
        # Dates lie ahead of a clock that was set back, until it has caught up.
        source.move_clock(max([source.told, *source.dates.values()]) - source.clock)
        target.finish()
        assert target.seen == {**target.seen, **source.dates}


@given(
    st.lists(
        st.tuples(st.integers(0, 5), records), unique_by=lambda row: row[1], max_size=6
    )
)
def test_a_quiet_source_is_read_once_and_whole(rows: list[tuple[int, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAGE", PAGE)
        source = Source(dates={record: date for date, record in rows})
        part, cursor, listed = (
            Window(format_moment(at(0)), format_moment(at(5))),
            Cursor(),
            list[str](),
        )
        while not cursor.reading:
            page = source.page(part, cursor)
            listed += [row["id"] for row in page]
            cursor = cursor.after(READING, page)
        assert listed == [record for _, record in sorted(rows)]


def test_the_window_begins_before_the_last_run_and_ends_with_the_clock() -> None:
    overlap = timedelta(seconds=60)
    assert window(at(0), at(5), overlap) == Window(
        "2026-01-31T11:59:00.000Z", "2026-01-31T12:00:00.005Z"
    )
    ahead = window(at(10_000), at(5), overlap)
    assert ahead == Window("2026-01-31T11:59:00.005Z", "2026-01-31T12:00:00.005Z")


def test_a_run_that_reads_everything_begins_with_the_calendar() -> None:
    first = datetime.min.replace(tzinfo=UTC)
    for since in (first, first + timedelta(seconds=59)):
        part = window(since, at(0), timedelta(seconds=60))
        assert part.since == "0001-01-01T00:00:00.000Z"


PART = Window("2026-01-31T12:00:00.000Z", "2026-01-31T13:00:00.000Z")
IN_PART = f"{MODIFIED} >= '{PART.since}' AND {MODIFIED} <= '{PART.until}'"
BEFORE = f"{MODIFIED} < '{PART.since}'"
MIDDLE = "2026-01-31T12:30:00.000Z"


@pytest.mark.parametrize(
    ("reading", "cursor", "where"),
    [
        (READING, Cursor(), f"{IN_PART} ORDER BY {MODIFIED}, id"),
        (
            READING,
            Cursor(0, MIDDLE, "V4A1"),
            (
                f"{MODIFIED} >= '{MIDDLE}' AND {MODIFIED} <= '{PART.until}' AND "
                f"({MODIFIED} > '{MIDDLE}' OR id > 'V4A1') ORDER BY {MODIFIED}, id"
            ),
        ),
        (
            Reading("point", "account__v", "npi__v = 'x' OR npi__v = 'y'"),
            Cursor(),
            f"{IN_PART} AND (npi__v = 'x' OR npi__v = 'y') ORDER BY {MODIFIED}, id",
        ),
        (
            Reading("point", "account__v", through="addresses__vr"),
            Cursor(1, "", "V4A1"),
            f"id IN (SELECT id FROM addresses__vr WHERE {IN_PART}) AND {BEFORE} AND id > 'V4A1' ORDER BY id",
        ),
        (
            Reading("point", "account__v", path="a__vr.b__vr"),
            Cursor(),
            f"{IN_PART.replace(MODIFIED, f'a__vr.b__vr.{MODIFIED}')} AND {BEFORE} ORDER BY id",
        ),
    ],
    ids=["first", "next", "condition", "through", "path"],
)
def test_pages_as_vql(reading: Reading, cursor: Cursor, where: str) -> None:
    assert (
        page_statement(reading, PART, cursor)
        == f"SELECT id, {MODIFIED} FROM account__v WHERE {where} MAXROWS 1000"
    )


def test_documents_are_listed_by_the_newest_version_that_changed() -> None:
    reading = Reading("point", "documents")
    changed = "version_modified_date__v"
    assert page_statement(reading, PART, Cursor(0, PART.since, "57")) == (
        f"SELECT LATESTVERSION id, {changed} FROM ALLVERSIONS documents WHERE {changed} >= '{PART.since}' "
        f"AND {changed} <= '{PART.until}' AND ({changed} > '{PART.since}' OR id > '57') "
        f"ORDER BY {changed}, id MAXROWS 1000"
    )
    rows = [{"id": number, changed: PART.until} for number in range(module.PAGE)]
    assert Cursor().after(reading, rows) == Cursor(0, PART.until, "999")


@dataclass
class Deletions:
    """A list of deletions of which a moment expires with each page that is read."""

    left: list[dict[str, str]]
    oldest: int

    async def deletions(
        self, object: str, start: str, end: str, *, limit: int, offset: int
    ) -> list[dict[str, str]]:
        del object
        within = [row for row in self.left if start <= row["date_deleted"] <= end]
        self.oldest += 1
        kept = format_moment(at(self.oldest))
        self.left = [row for row in self.left if row["date_deleted"] >= kept]
        return within[offset : offset + limit]


# A page has all deletions of a moment, unless none expire.
few = st.lists(st.tuples(st.integers(0, 9), st.booleans()), unique=True, max_size=14)
expiring = st.tuples(
    few.map(lambda rows: [moment for moment, _ in rows]), st.integers(-4, 0)
)
lasting = st.tuples(st.lists(st.integers(0, 2), max_size=14), st.just(-100))


@given(st.one_of(expiring, lasting))
async def test_deletions_are_listed_while_the_oldest_of_them_expire(
    story: tuple[list[int], int],
) -> None:
    moments, oldest = story
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAGE", PAGE + 1)
        patch.setattr(run_reading, "PAGE", PAGE + 1)
        rows = [
            {"id": f"V4G{place}", "date_deleted": format_moment(at(moment))}
            for place, moment in enumerate(sorted(moments))
        ]
        source = Deletions(rows, oldest)
        stage = (Reading("point", "content_group__v", deleted=True),)
        part = Window(format_moment(at(0)), format_moment(at(9)))
        cursor, listed = Cursor(), list[str]()
        client = cast(ChangeReads, source)
        while page := await run_reading.next_page(client, stage, part, cursor):
            listed += page.ids
            cursor = Cursor.decode(page.following.encode())
        missed = {row["id"] for row in source.left} - set(listed)
        assert missed == set()
