"""New records: ids, copies, required fields, and fields that the Vault fills in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM_ADMIN, Caller
from shared.vault.components.registry import object_type_id
from shared.vault.errors import ApiError
from shared.vault.records import new_records as new
from shared.vault.records.rows import (
    NORMAL,
    Guard,
    NewRow,
    ReadRow,
    ResolvedRow,
    WriteMode,
)
from shared.vault.records.type_fields import TypeFields
from tests.unit.records.shapes import REGISTRY, THING, Answers, shape, text

ADMIN = Caller(2, "admin@vault.example", SYSTEM_ADMIN)
NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
CREATION = new.Creation(vault_id=7, user_id=2, date=NOON)


def row(**values: object) -> NewRow:
    return NewRow.of(ResolvedRow(index=0, values=values))


def filled(made: NewRow) -> dict[str, object]:
    CREATION.fill(made, "V0A1", THING, REGISTRY)
    return made.values


@pytest.mark.parametrize(
    ("number", "record_id"),
    [
        (0, "V0A000000000000"),
        (1, "V0A000000000001"),
        (35, "V0A00000000000Z"),
        (36, "V0A000000000010"),
        (1000, "V0A0000000000RS"),
    ],
)
def test_a_record_id_is_the_prefix_and_a_number_of_base_36(
    number: int, record_id: str
) -> None:
    assert new.record_ids("V0A", number, 1) == [record_id]


@given(st.integers(0, 36**12 - 3000), st.integers(1, 3000))
def test_ids_sort_by_age(number: int, count: int) -> None:
    ids = new.record_ids("V0A", number, count)

    assert ids == sorted(set(ids))
    assert len(ids) == count
    assert ids[-1:] == new.record_ids("V0A", number + count - 1, 1)


@given(st.lists(st.integers(0, 2500), max_size=6))
async def test_ids_are_handed_out_once(counts: list[int]) -> None:
    blocks: Any = Answers(list(range(100)))
    ids = new.IdAllocator()

    taken = [await ids.take(blocks, THING, count) for count in counts]

    together = [each for part in taken for each in part]
    assert [len(part) for part in taken] == counts
    assert len(set(together)) == sum(counts)
    assert len(blocks.asked) == -(-sum(counts) // new.BLOCK)


def test_a_copy_takes_over_what_is_no_records_own() -> None:
    target = shape(
        "plain__c",
        text("key__c", unique=True),
        text("once__c", no_copy=True),
        text("link__sys"),
        text("gone__c", active=False),
        text("note__c"),
    )

    assert [field.name for field in new.copied_fields(target)] == [
        "name__v",
        "status__v",
        "object_type__v",
        "note__c",
    ]


def test_sources_are_taken_out_of_the_rows() -> None:
    rows = [{"note__c": "a", "source_record_id": "V0A1"}, {"source_record_id": ""}]

    assert new.without_sources(rows) == ([{"note__c": "a"}, {}], {0: "V0A1"})


def test_rows_without_sources_are_left_as_they_are() -> None:
    rows = [{"note__c": "a"}]

    plain, sources = new.without_sources(rows)

    assert plain is rows
    assert sources == {}


async def test_a_copy_begins_with_the_values_that_its_row_does_not_bring() -> None:
    stored = dict.fromkeys(field.name for field in new.copied_fields(THING))
    source = {**stored, "id": "V0A1", "note__c": "theirs", "account__c": "V0A7"}
    answers: Any = Answers([[source]])
    rows = [
        ReadRow(index=0, values={"note__c": "mine"}),
        ReadRow(index=1, lookups={"account__c": ("key__c", "x")}),
        ReadRow(index=2),
    ]

    copied = await new.copy_sources(
        answers,
        ADMIN,
        THING,
        rows,
        {0: "V0A1", 1: "V0A1", 2: "V0A9"},
        TypeFields(REGISTRY, THING),
    )

    assert copied[0].values == {"note__c": "mine", "account__c": "V0A7"}
    assert copied[1].values == {"note__c": "theirs"}
    assert [error.message for error in copied[2].errors] == [
        "[source_record_id] names no record of [thing__c]"
    ]


REQUIRING = shape(
    "plain__c",
    text("need__c", required=True),
    text("gone__c", required=True, active=False),
    text("own__sys", required=True, system=True),
)


@pytest.mark.parametrize(
    ("values", "mode", "missing"),
    [
        ({"name__v": "a", "need__c": "b"}, NORMAL, []),
        ({"name__v": "a"}, NORMAL, ["need__c"]),
        ({"need__c": "b"}, NORMAL, ["name__v"]),
        ({}, NORMAL, ["name__v"]),
        ({"name__v": "a"}, WriteMode(migration=True), []),
        ({}, WriteMode(migration=True), ["name__v"]),
    ],
)
def test_a_new_row_names_the_first_required_field_that_it_lacks(
    values: dict[str, object], mode: WriteMode, missing: list[str]
) -> None:
    made = row(**values)

    new.check_required(REQUIRING, mode, [made])

    assert [error.message for error in made.errors] == [
        f"Missing required parameter [{name}]" for name in missing
    ]


def test_a_new_row_has_no_stored_value_to_repeat() -> None:
    made = row(name__v="a")
    error = ApiError(ErrorType.INVALID_DATA, "it is guarded")
    made.guarded["secret__c"] = Guard("b", error)

    new.check_required(THING, NORMAL, [made])

    assert made.errors == [error]


def test_the_vault_fills_in_who_when_status_type_and_state() -> None:
    assert filled(row(name__v="a")) == {
        "name__v": "a",
        "id": "V0A1",
        "global_id__sys": "7_V0A1",
        "created_by__v": 2,
        "created_date__v": NOON,
        "modified_by__v": 2,
        "modified_date__v": NOON,
        "status__v": "active__v",
        "object_type__v": object_type_id("thing__c", "base__v"),
        "lifecycle__v": "life__c",
        "state__v": "new__c",
    }


def test_what_a_migrated_row_brings_stays() -> None:
    brought = {
        "created_by__v": 9,
        "status__v": "inactive__v",
        "state__v": "done__c",
        "object_type__v": "OOT1",
    }

    assert filled(row(**brought)).items() >= brought.items()


def test_a_managed_name_is_not_among_the_fields_of_an_insert() -> None:
    managed = shape("plain__c", text("name__v", system_managed_name=True))

    fields = new.insert_fields(managed, [row(name__v="a", status__v="b", id="c")])

    assert [field.name for field in fields] == ["id", "status__v"]
