"""Parameters and form fields: how calls read them, and which they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.api import (
    audit,
    delegation,
    listed_records,
    notifications,
    picklists,
    query,
)
from shared.vault.api.body import required
from shared.vault.api.request_context import parse_moment, wants_csv
from shared.vault.errors import VaultFault

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("accept", "csv"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("text/csv, application/json", True),
        ("application/json, text/csv", False),
        ("text/html, text/csv;q=0.5", True),
    ],
)
def test_csv_is_what_the_accept_header_names_first(accept: str, csv: bool) -> None:
    assert wants_csv(accept) is csv


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("", None),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31T14:00:00+02:00", NOON),
        (" 2026-01-31T12:00:00.000Z ", NOON),
    ],
)
def test_a_moment_without_a_zone_is_utc(
    text: str | None, moment: datetime | None
) -> None:
    assert parse_moment("start_date", text) == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-02-30", "12:00", "0001-01-01T00:00:00+02:00"]
)
def test_what_is_no_moment_is_refused_by_the_name_of_its_parameter(text: str) -> None:
    with pytest.raises(VaultFault, match=r"\[start_date\]"):
        parse_moment("start_date", text)


def test_required_fields_come_in_the_order_asked_for() -> None:
    assert required({"a": "1", "b": "2", "c": "3"}, "c", "a") == ["3", "1"]


@pytest.mark.parametrize("fields", [{"a": "1"}, {"a": "1", "b": ""}])
def test_a_required_field_is_missing_when_it_is_empty(fields: dict[str, str]) -> None:
    with pytest.raises(VaultFault, match=r"parameter \[b\]") as refused:
        required(fields, "a", "b")
    assert refused.value.error.type is ErrorType.PARAMETER_REQUIRED


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("id asc", "id asc"),
        ("name__v", "name__v"),
        ("name__v  DESC , id", "name__v DESC, id"),
        ("account__vr.name__v desc", "account__vr.name__v desc"),
    ],
)
def test_the_order_of_a_list_of_records(sort: str, order: str) -> None:
    assert listed_records.order_of(sort) == order


@pytest.mark.parametrize(
    "sort", ["", "id,", "id up", "id asc desc", "id; DROP", "count(id)", "Name"]
)
def test_an_order_that_is_none_is_refused(sort: str) -> None:
    with pytest.raises(VaultFault, match=r"\[sort\]"):
        listed_records.order_of(sort)


def test_an_order_has_ten_fields_at_most() -> None:
    names = [f"field{number}__v" for number in range(12)]
    assert listed_records.order_of(",".join(names)) == ", ".join(names[:10])


def test_labels_of_new_values_stand_in_the_order_of_their_numbers() -> None:
    fields = {"value_10": "Ten", "value_2": " Two ", "value_1": "One"}
    assert picklists._numbered(fields) == ["One", "Two", "Ten"]


@pytest.mark.parametrize("name", ["value", "value_", "value_x", "value_12345", "name"])
def test_a_field_that_is_no_value_is_refused(name: str) -> None:
    with pytest.raises(VaultFault, match="value_1, value_2"):
        picklists._numbered({"value_1": "One", name: "Two"})


def test_ids_of_notifications() -> None:
    assert notifications._ids(" 1, 22 ,333") == [1, 22, 333]


@pytest.mark.parametrize(
    "text", ["", "1,", "a", "-1", "1.0", "²", "1" * 19, ",".join(["1"] * 1001)]
)
def test_what_is_no_id_of_a_notification_is_refused(text: str) -> None:
    with pytest.raises(VaultFault, match=r"\[ids\]"):
        notifications._ids(text)


@pytest.mark.parametrize(("text", "number"), [("7", 7), (" 0042 ", 42)])
def test_an_id_in_a_form(text: str, number: int) -> None:
    assert delegation._number({"vault_id": text}, "vault_id") == number


@pytest.mark.parametrize(
    ("fields", "type"),
    [
        ({}, ErrorType.PARAMETER_REQUIRED),
        ({"vault_id": " "}, ErrorType.PARAMETER_REQUIRED),
        ({"vault_id": "me"}, ErrorType.INVALID_DATA),
        ({"vault_id": "-1"}, ErrorType.INVALID_DATA),
        ({"vault_id": "٣"}, ErrorType.INVALID_DATA),
        ({"vault_id": str(2**63)}, ErrorType.INVALID_DATA),
    ],
)
def test_what_is_no_id_in_a_form_is_refused(
    fields: dict[str, str], type: ErrorType
) -> None:
    with pytest.raises(VaultFault) as refused:
        delegation._number(fields, "vault_id")
    assert refused.value.error.type is type


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31T07:00:00-05:00", NOON),
    ],
)
def test_a_moment_in_a_form(text: str, moment: datetime | None) -> None:
    assert delegation._moment({"start_date": text}, "start_date") == moment


def test_an_audit_trail_without_dates_is_that_of_the_last_thirty_days() -> None:
    start, end = audit._range(None, None, all_dates=False)
    assert start is not None
    assert end is None
    assert timedelta(days=29) < datetime.now(UTC) - start < timedelta(days=31)


def test_an_audit_trail_without_a_start_begins_thirty_days_before_its_end() -> None:
    start, end = audit._range(None, "2026-01-31T12:00:00Z", all_dates=False)
    assert (start, end) == (NOON - timedelta(days=30), NOON)


def test_no_range_begins_before_the_calendar() -> None:
    start, _ = audit._range(None, "0001-01-02", all_dates=False)
    assert start == datetime(1, 1, 1, tzinfo=UTC)


def test_an_audit_trail_of_all_dates_begins_before_every_vault() -> None:
    start, end = audit._range(None, None, all_dates=True)
    assert (start, end) == (datetime(1970, 1, 1, tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("start", "end", "all_dates"),
    [
        ("2026-02-01", "2026-01-31", False),
        ("2026-01-31", None, True),
        (None, "2026-01-31", True),
    ],
)
def test_dates_that_contradict_each_other_are_refused(
    start: str | None, end: str | None, all_dates: bool
) -> None:
    with pytest.raises(VaultFault):
        audit._range(start, end, all_dates=all_dates)


def test_names_are_separated_by_commas_and_have_no_nul() -> None:
    assert audit._names("objects", " a__v,,b\x00__v , ") == ("a__v", "b__v")


def test_a_hundred_names_and_no_more() -> None:
    assert len(audit._names("objects", ",".join(["a"] * 100))) == 100
    with pytest.raises(VaultFault, match=r"\[objects\] names at most 100"):
        audit._names("objects", ",".join(["a"] * 101))


@given(st.integers(0, 999), st.integers(0, 999))
def test_versions_compare_by_year_and_release(year: int, release: int) -> None:
    assert query._number(f"v{year}.{release}") == (year, release)


def test_older_versions_have_the_older_names_of_the_limits() -> None:
    details = {
        "pagesize": 10,
        "pageoffset": 20,
        "total": 99,
        "next_page": "/api/v20.2/query/abc?pagesize=10&pageoffset=30",
    }
    assert query._legacy(details) == {
        "limit": 10,
        "offset": 20,
        "total": 99,
        "next_page": "/api/v20.2/query/abc?limit=10&offset=30",
    }
