"""Computes the parameters that are known only when a statement runs: days, the caller, addresses of pages.

A compiled statement is reused until the configuration changes, by all callers of one profile and on any day.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import assert_never

from shared.vault.vql.syntax_tree import RelativeDate, Tense, Unit

TOKENS: Mapping[str, type] = {
    "vault.id": int,
    "vault.name": str,
    "vault.dns": str,
    "user.id": int,
    "user.name": str,
    "user.security_profile": str,
}
"""The Vault tokens, in lower case, and the type of their values."""

LARGEST = {Unit.DAYS: 36_500, Unit.MONTHS: 1_200, Unit.QUARTERS: 400, Unit.YEARS: 100}
"""The largest count of each unit: a century, which no date in use overflows."""

_ONE_DAY = timedelta(days=1)
_ONE_MICROSECOND = timedelta(microseconds=1)
_LITERALS = {
    "TODAY": RelativeDate(Tense.THIS, Unit.DAYS),
    **{f"LAST_{unit}": RelativeDate(Tense.LAST, unit) for unit in Unit},
    **{f"NEXT_{unit}": RelativeDate(Tense.NEXT, unit) for unit in Unit},
    **{f"{unit}_AGO": RelativeDate(Tense.AGO, unit) for unit in Unit},
    "THIS_MONTH": RelativeDate(Tense.THIS, Unit.MONTHS),
    "THIS_QUARTER": RelativeDate(Tense.THIS, Unit.QUARTERS),
    "THIS_YEAR": RelativeDate(Tense.THIS, Unit.YEARS),
}
NAMES = frozenset(_LITERALS)
"""The date literals, without their ``:n``."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a statement: its moment in UTC, the values of TOKENS, and the address of its pages.

    ``address`` is the path of this run's pages, without parameters.
    """

    now: datetime
    tokens: Mapping[str, str | int] = field(default_factory=dict)
    address: str = ""


class Deferred(ABC):
    """A parameter whose value is known only at run time."""

    __slots__ = ()

    @abstractmethod
    def value(self, execution: Execution) -> object:
        """Return the value to send to the database."""


@dataclass(frozen=True, slots=True)
class TokenValue(Deferred):
    """The value of a Vault token, as text or as a number."""

    name: str
    text: bool

    def value(self, execution: Execution) -> object:
        """Return the token's value.

        :raises KeyError: the run lacks one of TOKENS.
        """
        found = execution.tokens[self.name]
        if self.text:
            return str(found)
        return found


@dataclass(frozen=True, slots=True)
class ChildAddress(Deferred):
    """The beginning of the address of further children of a record; the record's id follows it.

    ``number`` counts the to-many sub-selects of the statement from 0.
    """

    number: int

    def value(self, execution: Execution) -> object:
        """Return the beginning of the address, such as ``/api/v25.1/query/{cursor}.0.``."""
        address = execution.address
        return f"{address}.{self.number}."


@dataclass(frozen=True, slots=True)
class Edge(Deferred):
    """The begin or end of a date literal's span: a moment, or with ``days`` a day, for fields without a time.

    The end is the first moment, or the first day, after the span.
    """

    literal: RelativeDate
    end: bool
    days: bool

    def value(self, execution: Execution) -> object:
        """Return a datetime in UTC, or a date."""
        first, behind = span(self.literal, execution.now)
        moment = behind if self.end else first
        if not self.days:
            return moment
        if not self.end:
            return first.date()
        # A span that ends within a day has this day as its last one.
        last_moment = behind - _ONE_MICROSECOND
        return last_moment.date() + _ONE_DAY


def resolve(parameters: Sequence[object], execution: Execution) -> tuple[object, ...]:
    """Return the values of the parameters for one run of the statement."""
    return tuple(_resolved(parameter, execution) for parameter in parameters)


def _resolved(parameter: object, execution: Execution) -> object:
    if isinstance(parameter, Deferred):
        return parameter.value(execution)
    return parameter


def relative_date(name: str) -> RelativeDate | None:
    """Return the date literal with this name, in upper case and without ``:n``; None if the name is not one."""
    return _LITERALS.get(name)


def span(literal: RelativeDate, now: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of a date literal's span, and the first moment after it, in UTC."""
    unit = literal.unit
    match unit:
        case Unit.DAYS:
            return _days(literal, now)
        case Unit.MONTHS:
            return _months(literal, now, 1)
        case Unit.QUARTERS:
            return _months(literal, now, 3)
        case Unit.YEARS:
            return _months(literal, now, 12)
        case _:
            assert_never(unit)


def _days(
    literal: RelativeDate,
    now: datetime,
) -> tuple[datetime, datetime]:
    """Return a span of days, counted from today; all but ``DAYS_AGO`` include today."""
    today = _midnight(now.date())
    tense, distance = literal.tense, timedelta(days=literal.count)
    match tense:
        case Tense.THIS | Tense.NEXT:
            return today, today + distance + _ONE_DAY
        case Tense.LAST:
            # The last days end with the current second: what is dated later today is no part of them.
            second = now.replace(microsecond=0)
            return today - distance, second + timedelta(seconds=1)
        case Tense.AGO:
            first = today - distance
            return first, first + _ONE_DAY
        case _:
            assert_never(tense)


def _months(
    literal: RelativeDate,
    now: datetime,
    length: int,
) -> tuple[datetime, datetime]:
    """Return a span of months, quarters or years, each of ``length`` months; only THIS includes the current one."""
    current = now.year * 12 + (now.month - 1) // length * length
    tense, distance = literal.tense, literal.count * length
    match tense:
        case Tense.THIS:
            first, behind = current, current + length
        case Tense.LAST:
            first, behind = current - distance, current
        case Tense.NEXT:
            first, behind = current + length, current + length + distance
        case Tense.AGO:
            first, behind = current - distance, current - distance + length
        case _:
            assert_never(tense)
    return _first_of(first), _first_of(behind)


def _first_of(month: int) -> datetime:
    """Return the first moment of a month, counted from the year 0."""
    year, number = divmod(month, 12)
    first_day = date(year, number + 1, 1)
    return _midnight(first_day)


def _midnight(day: date) -> datetime:
    # All of a Vault's moments are in UTC, and so are its days.
    midnight = time()
    return datetime.combine(day, midnight, UTC)
