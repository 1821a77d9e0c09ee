"""Date literals: their spans at a moment, and how comparisons use their ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.vql import Execution, compile_query, parse, resolve
from shared.vault.vql.deferred import LARGEST, Edge, relative_date, span
from shared.vault.vql.syntax_tree import RelativeDate, Tense, Unit
from tests.unit.vql.sample import REGISTRY, readable

NOW = datetime(2024, 9, 24, 15, 30, 45, 500_000, UTC)
DAY = "%Y-%m-%d"


@pytest.mark.parametrize(
    ("name", "count", "begin", "end"),
    [
        ("TODAY", 0, "2024-09-24", "2024-09-25"),
        ("NEXT_DAYS", 1, "2024-09-24", "2024-09-26"),
        ("DAYS_AGO", 1, "2024-09-23", "2024-09-24"),
        ("DAYS_AGO", 0, "2024-09-24", "2024-09-25"),
        ("THIS_MONTH", 0, "2024-09-01", "2024-10-01"),
        ("LAST_MONTHS", 2, "2024-07-01", "2024-09-01"),
        ("NEXT_MONTHS", 4, "2024-10-01", "2025-02-01"),
        ("MONTHS_AGO", 9, "2023-12-01", "2024-01-01"),
        ("THIS_QUARTER", 0, "2024-07-01", "2024-10-01"),
        ("LAST_QUARTERS", 3, "2023-10-01", "2024-07-01"),
        ("NEXT_QUARTERS", 1, "2024-10-01", "2025-01-01"),
        ("QUARTERS_AGO", 3, "2023-10-01", "2024-01-01"),
        ("THIS_YEAR", 0, "2024-01-01", "2025-01-01"),
        ("LAST_YEARS", 2, "2022-01-01", "2024-01-01"),
        ("NEXT_YEARS", 2, "2025-01-01", "2027-01-01"),
        ("YEARS_AGO", 2, "2022-01-01", "2023-01-01"),
    ],
)
def test_spans(name: str, count: int, begin: str, end: str) -> None:
    literal = relative_date(name)
    assert literal is not None
    found = span(RelativeDate(literal.tense, literal.unit, count), NOW)
    assert tuple(moment.strftime(DAY) for moment in found) == (begin, end)
    assert all(
        moment.tzinfo is UTC and moment.hour == moment.minute == 0 for moment in found
    )


def test_the_last_days_end_with_the_current_second() -> None:
    begin, end = span(RelativeDate(Tense.LAST, Unit.DAYS, 1), NOW)
    assert begin == datetime(2024, 9, 23, tzinfo=UTC)
    assert end == datetime(2024, 9, 24, 15, 30, 46, tzinfo=UTC)


def test_days_of_a_field_without_a_time() -> None:
    last = RelativeDate(Tense.LAST, Unit.DAYS, 1)
    execution = Execution(NOW)
    assert Edge(last, end=False, days=True).value(execution) == date(2024, 9, 23)
    assert Edge(last, end=True, days=True).value(execution) == date(2024, 9, 25)


@given(
    st.sampled_from(Tense),
    st.sampled_from(Unit),
    st.integers(0, 40_000),
    st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_spans_of_any_day(tense: Tense, unit: Unit, count: int, now: datetime) -> None:
    count = min(count, LARGEST[unit])
    begin, end = span(RelativeDate(tense, unit, count), now)
    assert begin <= end
    assert end - begin <= timedelta(days=36_600)
    assert (begin <= now) == (tense is not Tense.NEXT or unit is Unit.DAYS)


@pytest.mark.parametrize(
    ("condition", "sql", "parameters"),
    [
        (
            "birth_date__v = TODAY",
            '(t0."birth_date__v" >= $1::date AND t0."birth_date__v" < $2::date)',
            (date(2024, 9, 24), date(2024, 9, 25)),
        ),
        (
            "birth_date__v != TODAY",
            '(t0."birth_date__v" >= $1::date AND t0."birth_date__v" < $2::date) IS NOT TRUE',
            (date(2024, 9, 24), date(2024, 9, 25)),
        ),
        (
            "birth_date__v > TODAY",
            't0."birth_date__v" >= $1::date',
            (date(2024, 9, 25),),
        ),
        (
            "birth_date__v >= TODAY",
            't0."birth_date__v" >= $1::date',
            (date(2024, 9, 24),),
        ),
        (
            "birth_date__v < TODAY",
            't0."birth_date__v" < $1::date',
            (date(2024, 9, 24),),
        ),
        (
            "birth_date__v <= TODAY",
            't0."birth_date__v" < $1::date',
            (date(2024, 9, 25),),
        ),
        (
            "created_date__v < LAST_MONTHS:1",
            't0."created_date__v" < $1::timestamptz',
            (datetime(2024, 8, 1, tzinfo=UTC),),
        ),
    ],
)
def test_comparisons(condition: str, sql: str, parameters: tuple[object, ...]) -> None:
    query = compile_query(
        parse(f"SELECT id FROM account__v WHERE {condition}"), REGISTRY, readable
    )
    assert query.matching.partition(" WHERE ")[2] == sql
    assert query.deferred
    assert resolve(query.matching_parameters, Execution(NOW)) == parameters


def test_a_kept_statement_follows_the_day() -> None:
    query = compile_query(
        parse("SELECT id FROM account__v WHERE birth_date__v >= TODAY"),
        REGISTRY,
        readable,
    )
    days = [
        resolve(query.page()[1], Execution(NOW + timedelta(days=n)))[0] for n in (0, 1)
    ]
    assert days == [date(2024, 9, 24), date(2024, 9, 25)]
