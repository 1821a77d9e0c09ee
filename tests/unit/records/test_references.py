"""References of rows: the queries for them, and the results of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM_ADMIN, Caller, SecurityProfile
from shared.vault.records.record_statements import (
    Found,
    referenced_keys,
    resolve_references,
    resolved,
)
from shared.vault.records.rows import ReadRow
from tests.unit.records.shapes import REGISTRY, THING, Answers

ADMIN = Caller(2, "admin@vault.example", SYSTEM_ADMIN)
NOBODY = Caller(3, "nobody@vault.example", SecurityProfile("nothing"))
FOUND: Found = {("account__v", "key__c"): {"x": "V0A2"}}


def by_id(record_id: str | None) -> ReadRow:
    return ReadRow(index=0, values={"account__c": record_id})


REFERENCES = [(THING.fields["account__c"], {"V0A9"})]


def by_key(key: str) -> ReadRow:
    return ReadRow(index=0, lookups={"account__c": ("key__c", key)})


def test_ids_and_keys_of_all_rows_are_asked_for_together() -> None:
    rows = [by_id("V0A1"), by_key("x"), by_key("y"), by_id("V0A1"), by_id(None)]

    assert referenced_keys(THING, rows) == (
        {"account__v": {"V0A1"}},
        {("account__v", "key__c"): {"x", "y"}},
    )


@pytest.mark.parametrize(
    ("row", "reference"),
    [(by_id("V0A1"), "V0A1"), (by_key("x"), "V0A2"), (by_id(None), None)],
)
def test_a_resolved_row_refers_by_id(row: ReadRow, reference: str | None) -> None:
    found = resolved(THING, row, FOUND, REFERENCES)

    assert (found.values["account__c"], found.errors) == (reference, [])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (by_id("V0A9"), "Field [account__c] refers to no record of [account__v]"),
        (
            by_key("z"),
            "Field [account__cr.key__c] matches no record of [account__v]",
        ),
        (
            by_key("x\t"),
            "Field [account__cr.key__c] matches no record of [account__v]; the value begins or ends with white space",
        ),
    ],
)
def test_a_reference_to_nothing_is_an_error(row: ReadRow, message: str) -> None:
    errors = resolved(THING, row, FOUND, REFERENCES).errors

    assert [(e.type, e.message) for e in errors] == [(ErrorType.INVALID_DATA, message)]


def test_what_was_wrong_before_stays_wrong() -> None:
    row = by_id("V0A1")
    row.fail(ErrorType.INVALID_DATA, "bad")

    assert [
        error.message for error in resolved(THING, row, FOUND, REFERENCES).errors
    ] == ["bad"]


async def test_all_rows_take_one_statement_for_each_key_field() -> None:
    rows = [by_key("x"), by_key("x"), by_id("V0A1")]
    # No id is absent.
    answers: Any = Answers([[{"key": "x", "id": "V0A2", "number": 1}], []])

    found = await resolve_references(answers, REGISTRY, THING, ADMIN, rows)

    assert [row.values["account__c"] for row in found] == ["V0A2", "V0A2", "V0A1"]
    assert [parameters for _, parameters in answers.asked] == [(["x"],), (["V0A1"],)]


async def test_a_name_of_several_records_refers_to_none_of_them() -> None:
    row = ReadRow(index=0, lookups={"account__c": ("name__v", "Twin")})
    answers: Any = Answers([[{"key": "Twin", "id": "V0A1", "number": 2}]])

    (found,) = await resolve_references(answers, REGISTRY, THING, ADMIN, [row])

    (error,) = found.errors
    assert error.message == (
        "Field [account__cr.name__v] matches several records of [account__v]"
    )


async def test_who_may_not_read_an_object_finds_nothing_by_its_keys() -> None:
    answers: Any = Answers()

    (row,) = await resolve_references(answers, REGISTRY, THING, NOBODY, [by_key("x")])

    assert [error.type for error in row.errors] == [ErrorType.INSUFFICIENT_ACCESS]
    assert answers.asked == []
