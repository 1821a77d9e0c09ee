"""Parameters whose value is known only when a statement runs: the day, the caller, the address of its pages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from shared.vault.vql.syntax_tree import RelativeDate

TOKENS: Mapping[str, type] = {
    "vault.id": int,
    "vault.name": str,
    "vault.dns": str,
    "user.id": int,
    "user.name": str,
    "user.security_profile": str,
}
"""The Vault tokens there are, in lower case, and the type of their values."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What one run of a statement knows: its moment in UTC, the values of TOKENS, the address of its pages.

    ``address`` is the path that pages of this run are asked for by, without parameters.
    """

    now: datetime
    tokens: Mapping[str, str | int] = field(default_factory=dict)
    address: str = ""


class Deferred(ABC):
    """A parameter that is not yet a value."""

    __slots__ = ()

    @abstractmethod
    def value(self, execution: Execution) -> object:
        """The value to send to the database."""


@dataclass(frozen=True, slots=True)
class TokenValue(Deferred):
    """The value of a Vault token, as text or as a number."""

    name: str
    text: bool

    def value(self, execution: Execution) -> object:
        """The token's value; raises KeyError where the run lacks one of TOKENS."""
        found = execution.tokens[self.name]
        return str(found) if self.text else found


@dataclass(frozen=True, slots=True)
class ChildAddress(Deferred):
    """The head of the address by which further children of a record are asked for; the record's id follows."""

    number: int  # of the sub-select, counted from 0

    def value(self, execution: Execution) -> object:
        """``/api/v25.1/query/{cursor}.0.``."""
        return f"{execution.address}.{self.number}."


def is_deferred(parameters: Sequence[object]) -> bool:
    """Whether any of the parameters has to be resolved before the statement runs."""
    return any(isinstance(parameter, Deferred) for parameter in parameters)


def resolve(parameters: Sequence[object], execution: Execution) -> tuple[object, ...]:
    """The parameters as one run of the statement sends them."""
    return tuple(
        p.value(execution) if isinstance(p, Deferred) else p for p in parameters
    )


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
