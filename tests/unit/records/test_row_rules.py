"""Rules of rows: which rows violate them, and which do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import next_moment
from shared.vault.access.caller import BUSINESS_USER, SYSTEM, SYSTEM_ADMIN, Caller
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import RelationshipType
from shared.vault.records import row_rules as rules
from shared.vault.records.lineage_entries import CallLineage, Origin, RowLineage
from shared.vault.records.rows import (
    NORMAL,
    Change,
    NewRow,
    ResolvedRow,
    WriteMode,
)
from tests.unit.records.shapes import (
    ACCOUNT,
    REGISTRY,
    THING,
    Answers,
    reference,
    shape,
)

ADMIN = Caller(2, "admin@vault.example", SYSTEM_ADMIN)
USER = Caller(3, "user@vault.example", BUSINESS_USER)
NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
CALL = CallLineage(1, "i__v", "p__v", None, NOON, (Origin("a__v", None, frozenset()),))
ID = THING.fields["id"]
KEY = THING.fields["key__c"]


def row(index: int = 0, **attributes: Any) -> ResolvedRow:
    return ResolvedRow(index=index, **attributes)


def new(index: int, **values: object) -> NewRow:
    return NewRow.of(row(index, values=values))


def failed(rows: list[Any]) -> list[int]:
    return [each.index for each in rows if each.errors]


def test_rows_whose_record_is_not_stored_fail_and_so_do_repeats() -> None:
    rows = [row(0, key="a"), row(1, key="b"), row(2, key="a"), row(3, key="c")]
    stored: Any = {"a": {}, "c": {}}

    rules.fail_unnamed(rows, stored, ID)

    assert failed(rows) == [1, 2]


def test_a_row_that_has_failed_takes_no_record_from_the_next() -> None:
    rows = [row(0, key="a"), row(1, key="a")]
    rows[0].fail(ErrorType.INVALID_DATA, "bad")
    stored: Any = {"a": {}}

    rules.fail_unnamed(rows, stored, ID)

    assert failed(rows) == [0]


@given(st.lists(st.sampled_from(["a", "b", None])))
def test_an_upsert_takes_no_key_twice(keys: list[str | None]) -> None:
    rows = [row(index, key=key) for index, key in enumerate(keys)]
    named = [key for key in keys if key is not None]

    if len(named) == len(set(named)):
        rules.refuse_repeated_keys(rows, KEY)
    else:
        with pytest.raises(VaultFault, match="repeated in this call"):
            rules.refuse_repeated_keys(rows, KEY)


def test_lineage_names_an_origin_of_the_call() -> None:
    rows = [
        row(0, lineage=RowLineage(0, "m", None)),
        row(1, lineage=RowLineage(1, "m", None)),
        row(2),
    ]

    rules.check_lineage(ADMIN, rows, CALL)

    assert failed(rows) == [1]


def test_lineage_without_a_call_to_belong_to_fails() -> None:
    rows = [row(0, lineage=RowLineage(0, "m", None))]

    rules.check_lineage(USER, rows, None)

    assert failed(rows) == [0]


def test_only_who_copies_records_sends_lineage_and_source_states() -> None:
    with pytest.raises(VaultFault, match="copy_records"):
        rules.check_lineage(USER, [], CALL)
    with pytest.raises(VaultFault, match="copy_records"):
        rules.authorize_states(USER, [row(source_modified=NOON)])
    rules.authorize_states(USER, [row()])
    rules.authorize_states(ADMIN, [row(source_modified=NOON)])


@pytest.mark.parametrize(
    ("sent", "stored", "newer"),
    [
        (None, NOON, None),
        (NOON, None, None),
        (LATER, NOON, None),
        (NOON, NOON, NOON),
        (NOON, LATER, LATER),
    ],
)
def test_a_row_is_older_unless_its_state_is_later_than_the_stored_one(
    sent: datetime | None, stored: datetime | None, newer: datetime | None
) -> None:
    record: Any = {rules.FIELD: stored}

    found = rules.newer_stored(row(source_modified=sent), record, {"note__c": "b"})

    assert found == newer


# As the API writes them: in milliseconds.
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


@given(st.one_of(st.none(), MOMENTS), MOMENTS)
def test_the_stored_state_only_grows(stored: datetime | None, sent: datetime) -> None:
    record: Any = {rules.FIELD: stored}

    advanced: Any = rules.new_source_time(row(source_modified=sent), record)

    if stored is None or sent > stored:
        assert advanced == {rules.FIELD: sent}
    else:
        assert advanced == {}, "an unchanged row is not written"


@given(MOMENTS, MOMENTS)
def test_after_a_row_was_left_out_the_next_moment_is_taken(
    stored: datetime, sent: datetime
) -> None:
    noted: Any = rules.left_out_mark(stored)

    assert noted[rules.FIELD] - stored < timedelta(milliseconds=1)
    assert rules.left_out_mark(noted[rules.FIELD]) == {}
    advanced: Any = rules.new_source_time(row(source_modified=sent), noted)
    assert advanced == {rules.FIELD: max(sent, next_moment(stored))}


def test_a_row_without_a_state_leaves_the_stored_one() -> None:
    record: Any = {rules.FIELD: NOON}

    assert rules.new_source_time(row(), record) == {}


@pytest.mark.parametrize(
    ("caller", "name", "mode", "ruled"),
    [
        (USER, "thing__c", NORMAL, True),
        (USER, "thing__c", WriteMode(migration=True), False),
        (USER, "user__sys", NORMAL, False),
        (SYSTEM, "thing__c", NORMAL, False),
    ],
)
def test_status_is_ruled_but_for_migration_the_platform_and_the_vault(
    caller: Caller, name: str, mode: WriteMode, *, ruled: bool
) -> None:
    assert rules.rules_status(caller, shape(name), mode) is ruled


def test_records_are_created_active_unless_they_are_copies() -> None:
    rows = [
        row(0, values={"status__v": "active__v"}),
        row(1, values={"status__v": "inactive__v"}),
        row(2, values={"status__v": "inactive__v"}, lineage=RowLineage(0, "m", None)),
        row(3),
    ]

    rules.refuse_inactive(rows)

    assert failed(rows) == [1]


PARENT = shape(
    "child__c",
    reference(
        "account__c",
        "account__v",
        "account__cr",
        relationship_type=RelationshipType.PARENT,
    ),
)


@pytest.mark.parametrize(
    ("objects", "calls", "expected"),
    [
        ((ACCOUNT, PARENT), 2, [0]),
        ((ACCOUNT, PARENT), 1, []),
        ((ACCOUNT, THING), 2, []),
    ],
    ids=["a parent", "one record a call", "no parent"],
)
def test_parents_change_their_status_one_record_a_call(
    objects: tuple[Any, ...], calls: int, expected: list[int]
) -> None:
    registry = type(REGISTRY)(objects={each.name: each for each in objects})
    rows = [
        row(0, key="a", values={"status__v": "inactive__v"}),
        row(1, key="b", values={"status__v": "active__v"}),
    ][:calls]
    stored: Any = {key: {"status__v": "active__v"} for key in ("a", "b")}

    rules.refuse_bulk_status(registry, ACCOUNT, rows, stored)

    assert failed(rows) == expected


def test_the_second_new_row_with_a_unique_value_fails() -> None:
    rows = [new(0, key__c="x"), new(1, key__c="y"), new(2, key__c="x"), new(3)]

    rules.fail_repeats(THING, rows)

    assert failed(rows) == [2]


@given(st.permutations(["a", "b", "c", None]))
def test_rows_are_inserted_in_one_order_of_their_keys(keys: list[str | None]) -> None:
    rows = [new(index, key__c=key) for index, key in enumerate(keys)]

    ordered = rules.in_key_order(THING, rows)

    assert [each.values["key__c"] for each in ordered] == [None, "a", "b", "c"]


async def test_a_change_to_a_value_of_another_record_fails() -> None:
    changes = [change("V0A1", "x"), change("V0A2", "y")]
    answers: Any = Answers([[{"key": "x", "id": "V0A9"}]])

    await rules.fail_taken(answers, THING, changes)

    assert failed([each.row for each in changes]) == [0]


async def test_a_change_to_the_own_value_is_no_conflict() -> None:
    changes = [change("V0A1", "x")]
    answers: Any = Answers([[{"key": "x", "id": "V0A1"}]])

    await rules.fail_taken(answers, THING, changes)

    assert failed([each.row for each in changes]) == []


async def test_two_changes_to_one_value_conflict() -> None:
    changes = [change("V0A1", "x", 0), change("V0A2", "x", 1)]
    answers: Any = Answers([[]])

    await rules.fail_taken(answers, THING, changes)

    assert failed([each.row for each in changes]) == [1]


async def test_a_row_that_was_not_inserted_fails_with_the_value_that_is_taken() -> None:
    rows = [new(0, key__c="x")]
    answers: Any = Answers([[{"key": "x", "id": "V0A9"}]])

    await rules.explain_refused(answers, THING, rows, None)

    assert [error.message for error in rows[0].errors] == [
        "Another resource already exists with this value of unique field [key__c]"
    ]


async def test_a_value_that_has_gone_again_is_a_lost_race() -> None:
    with pytest.raises(rules.RaceLost):
        await rules.explain_refused(Answers([[]]), THING, [new(0, key__c="x")], None)  # type: ignore[arg-type]


async def test_an_upserts_key_that_is_stored_now_is_a_lost_race() -> None:
    answers: Any = Answers([[{"key": "x", "id": "V0A9"}]])

    with pytest.raises(rules.RaceLost):
        await rules.explain_refused(answers, THING, [new(0, key__c="x")], KEY)


def change(record_id: str, key: str, index: int = 0) -> Change:
    stored: Any = {"id": record_id}
    values: dict[str, object] = {"key__c": key}
    return Change(row(index, values=values), stored, values, frozenset(values))
