"""Many writers of one record: in any order, an older state of the source never overwrites a newer one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.connector.points.evaluation import OutdatedRead
from services.connector.points.transfer import SourceStates
from shared.client.results import RowResult
from shared.spark.envelope import format_moment
from shared.vault.records.row_rules import (
    FIELD,
    left_out_mark,
    new_source_time,
    newer_stored,
)
from shared.vault.records.rows import ResolvedRow

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
WRITERS = 4


@dataclass
class Source:
    """A record whose states differ in date, or only in a related record; its clock may be set back."""

    clock: datetime = NOON
    states: list[tuple[str, datetime]] = field(default_factory=lambda: [("a", NOON)])

    def change(self, value: str, elapsed: int, *, related: bool) -> None:
        self.clock += timedelta(milliseconds=elapsed)
        date = self.states[-1][1]
        # A Vault dates each change of a record after the one before it, whatever its clock says.
        self.states.append(
            (
                value,
                date if related else max(self.clock, date + timedelta(milliseconds=1)),
            )
        )


@dataclass
class Target:
    """The copy, written under the rules of the Vault; it records the newest state that was ever written."""

    value: str | None = None
    moment: datetime | None = None
    newest: int = -1

    def write(self, version: int, value: str, moment: datetime) -> datetime | None:
        row = ResolvedRow(index=0, values={"value": value}, source_modified=moment)
        stored: Any = {FIELD: self.moment}
        changes = row.values if value != self.value else {}
        newer = newer_stored(row, stored, changes)
        if newer is None:
            assert not changes or version >= self.newest, (
                "an older state overwrote a newer one"
            )
            self.value, self.newest = value, max(self.newest, version)
        noted = new_source_time(row, stored) if newer is None else left_out_mark(newer)
        self.moment = noted.get(FIELD, self.moment)  # type: ignore[assignment]
        return newer


class Writer:
    """A connector: reads, writes some time later, and reads refused records again."""

    def __init__(self, source: Source, target: Target) -> None:
        self.source, self.target = source, target
        self.read: int | None = None
        self.states = SourceStates()

    def step(self) -> None:
        if self.read is None:
            self.read = len(self.source.states) - 1
            return
        value, date = self.source.states[self.read]
        moment = datetime.fromisoformat(
            self.states.moment("copy", "key", format_moment(date))
        )
        newer = self.target.write(self.read, value, moment)
        self.read = None
        try:
            self.states.check(
                "copy",
                {
                    "key": RowResult(
                        ok=True, newer=format_moment(newer) if newer else None
                    )
                },
            )
        except OutdatedRead:
            return
        self.states = SourceStates()


changes = st.tuples(
    st.sampled_from("abc"), st.sampled_from([-60_000, -1, 0, 0, 1, 5]), st.booleans()
)
steps = st.integers(0, WRITERS - 1)


# The source returns to what is stored, which one writer confirms while another still holds what was in between.
@example([0, ("b", 0, True), 1, 0, 1, 1, ("a", 0, True)])
@given(st.lists(st.one_of(changes, steps), max_size=60))
def test_an_older_state_never_overwrites_a_newer_one(story: list[Any]) -> None:
    source, target = Source(), Target()
    writers = [Writer(source, target) for _ in range(WRITERS)]
    for event in story:
        if isinstance(event, tuple):
            source.change(event[0], event[1], related=event[2])
        else:
            writers[event].step()
    for writer in writers:
        for _ in range(2 * WRITERS):
            writer.step()
    assert target.value == source.states[-1][0]


def test_a_row_that_met_a_newer_state_is_sent_just_after_it() -> None:
    states = SourceStates()
    with pytest.raises(OutdatedRead):
        states.check(
            "copy",
            {
                "a": RowResult(ok=True),
                "b": RowResult(ok=True, newer="2025-01-31T12:00:00.999Z"),
            },
        )
    early, late = "2025-01-31T11:00:00.000Z", "2025-01-31T13:00:00.000Z"
    assert states.moment("copy", "a", early) == early
    assert states.moment("copy", "b", early) == "2025-01-31T12:00:01.000Z"
    assert states.moment("copy", "b", late) == late
    assert states.moment("other", "b", early) == early
