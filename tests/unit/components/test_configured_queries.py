"""The queries of entry criteria, compiled once for all records of an object."""

from __future__ import annotations

import pytest

from shared.vault.components.configured_queries import criteria_query, satisfied_query
from shared.vault.vql import VqlError
from tests.unit.records.shapes import REGISTRY, THING

CRITERIA = "count__c > 1 OR note__c = 'it''s'"


def test_criteria_are_asked_of_the_records_that_are_named() -> None:
    first = satisfied_query(CRITERIA, THING.name, REGISTRY, ["V1"])
    many = ["V2", "a\\'b", "V3"]
    again = satisfied_query(CRITERIA, THING.name, REGISTRY, many)
    assert again.sql is first.sql
    (sql, parameters), (_, others) = first.page(1, 0), again.page(3, 0)
    assert (parameters[0], others[0]) == (["V1"], many)
    assert "ANY($1::text[])" in sql
    # What follows the ids is the same, but for the size of the page.
    assert parameters[1:-2] == others[1:-2]


def test_values_and_criteria_are_asked_of_the_records_that_are_named() -> None:
    tests = [CRITERIA, "note__c != null"]
    first = criteria_query(tests, ["note__c"], THING.name, REGISTRY, ["V1"])
    again = criteria_query(tests, ["note__c"], THING.name, REGISTRY, ["V2"])
    assert again.sql is first.sql
    assert again.page(1, 0)[1][0] == ["V2"]
    # Each is a column, not a condition: records that meet none of them have a row.
    columns, _, conditions = again.sql.partition(" FROM ")
    assert columns.count("note__c") == 3
    assert "note__c" not in conditions


def test_what_is_no_vql_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(VqlError):
            satisfied_query("no_such__c = 1", THING.name, REGISTRY, ["V1"])
