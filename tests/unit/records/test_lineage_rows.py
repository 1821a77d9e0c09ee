"""Lineage as callers send it: accepted forms, and the owners of fields."""

from __future__ import annotations

import pytest

from shared.vault.records.lineage_entries import MAX_ID, Origin, RowLineage, read_row


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ([0, "m", None], RowLineage(0, "m", None)),
        ([3, "m", "V0A1"], RowLineage(3, "m", "V0A1")),
        ([0, "m" * MAX_ID, None], RowLineage(0, "m" * MAX_ID, None)),
        ([True, "m", None], None),
        ([-1, "m", None], None),
        (["0", "m", None], None),
        ([0, "", None], None),
        ([0, "m" * (MAX_ID + 1), None], None),
        ([0, "m\x00", None], None),
        ([0, "m", ""], None),
        ([0, "m"], None),
        ([0, "m", None, None], None),
        ({"origin": 0}, None),
        ("0,m", None),
        (None, None),
    ],
)
def test_a_rows_lineage_is_a_list_of_three(
    value: object, read: RowLineage | None
) -> None:
    assert read_row(value) == read


def test_fields_are_the_rules_but_for_those_that_the_point_sets_itself() -> None:
    origin = Origin("a__v", "rule__c", frozenset({"b__c"}))

    assert origin.split(frozenset({"c__c", "b__c", "a__c"})) == (
        ["a__c", "c__c"],
        ["b__c"],
    )


def test_without_a_rule_all_fields_are_the_points() -> None:
    origin = Origin("a__v", None, frozenset())

    assert origin.split(frozenset({"b__c", "a__c"})) == ([], ["a__c", "b__c"])
