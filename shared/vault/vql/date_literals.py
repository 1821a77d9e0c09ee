"""Date literals: spans of days, months, quarters and years, counted from the moment a statement runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from shared.vault.vql.deferred import Deferred, Execution
from shared.vault.vql.syntax_tree import RelativeDate

LARGEST = {"DAYS": 36_500, "MONTHS": 1_200, "QUARTERS": 400, "YEARS": 100}
"""The largest count of each unit: a century, which no date in use overflows."""

_MONTHS = {"MONTHS": 1, "QUARTERS": 3, "YEARS": 12}
_ONE_DAY = timedelta(days=1)
_LITERALS = {
    "TODAY": RelativeDate("THIS", "DAYS"),
    **{f"LAST_{unit}": RelativeDate("LAST", unit) for unit in LARGEST},
    **{f"NEXT_{unit}": RelativeDate("NEXT", unit) for unit in LARGEST},
    **{f"{unit}_AGO": RelativeDate("AGO", unit) for unit in LARGEST},
    **{f"THIS_{unit[:-1]}": RelativeDate("THIS", unit) for unit in _MONTHS},
}
NAMES = frozenset(_LITERALS)
"""The date literals, without their ``:n``."""


def relative_date(name: str) -> RelativeDate | None:
    """The date literal of this name, in upper case and without its ``:n``; None where it is none."""
    return _LITERALS.get(name)


def span(literal: RelativeDate, now: datetime) -> tuple[datetime, datetime]:
    """Where the literal begins and ends, the end not included; in UTC, as all of a Vault's moments are.

    Days count from today and include it, except in the past tense (``DAYS_AGO``); the last of ``LAST_DAYS`` ends
    with the current second. Of months, quarters and years the current one is no part.
    """
    if literal.unit == "DAYS":
        return _days(literal, now)
    months = _MONTHS[literal.unit]
    first = now.year * 12 + (now.month - 1) // months * months
    count = literal.count * months
    begin, end = {
        "THIS": (first, first + months),
        "LAST": (first - count, first),
        "NEXT": (first + months, first + months + count),
        "AGO": (first - count, first - count + months),
    }[literal.kind]
    return _first_of(begin), _first_of(end)


def _days(literal: RelativeDate, now: datetime) -> tuple[datetime, datetime]:
    today = _midnight(now.date())
    back = timedelta(days=literal.count)
    if literal.kind == "LAST":
        return today - back, now.replace(microsecond=0) + timedelta(seconds=1)
    if literal.kind == "AGO":
        return today - back, today - back + _ONE_DAY
    return today, today + back + _ONE_DAY


def _first_of(month: int) -> datetime:
    return _midnight(date(month // 12, month % 12 + 1, 1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dataclass(frozen=True, slots=True)
class Edge(Deferred):
    """One end of a date literal as a parameter: a moment, or a day for fields without a time.

    The end is the first moment, or the first day, that is no longer part of it.
    """

    literal: RelativeDate
    end: bool
    days: bool

    def value(self, execution: Execution) -> object:
        """A datetime in UTC, or a date."""
        begin, end = span(self.literal, execution.now)
        if not self.days:
            return end if self.end else begin
        return (
            (end - timedelta(microseconds=1)).date() + _ONE_DAY
            if self.end
            else begin.date()
        )
