"""Filters of a list by address or view: values and ends of ranges; impossible ones are ignored."""

from __future__ import annotations

import pytest

from shared.vault.admin.list_filters import conditions, filters_of, linked_of, ranges_of
from shared.vault.model.component_model import Field, FieldType, VaultObject


def field(name: str, kind: FieldType, *, active: bool = True) -> Field:
    return Field(name=name, label=name.upper(), type=kind, active=active)


FIELDS = (
    field("text__c", FieldType.STRING),
    field("day__c", FieldType.DATE),
    field("moment__c", FieldType.DATE_TIME),
    field("number__c", FieldType.NUMBER),
    field("gone__c", FieldType.NUMBER, active=False),
    field("note__c", FieldType.LONG_TEXT),
)
THING = VaultObject(
    name="thing__c",
    label="Thing",
    label_plural="Things",
    prefix="ZZZ",
    fields={each.name: each for each in FIELDS},
)

NARROWED = {
    ("text__c", "O'Neil"): "text__c = 'O\\'Neil'",
    ("text__c", "a\x00b"): "text__c = 'ab'",
    ("day__c.from", "2026-02-28"): "day__c >= '2026-02-28'",
    ("day__c.to", "2026-02-28"): "day__c <= '2026-02-28'",
    ("moment__c.from", "2026-02-28"): "moment__c >= '2026-02-28T00:00:00.000Z'",
    ("moment__c.to", "2026-02-28"): "moment__c < '2026-03-01T00:00:00.000Z'",
    ("number__c.from", "-1.50"): "number__c >= -1.50",
    ("number__c.to", "7"): "number__c <= 7",
}
IMPOSSIBLE = [
    ("text__c", ""),
    ("text__c.from", "a"),
    ("note__c", "a"),
    ("nothing__c", "a"),
    ("nothing__c.from", "1"),
    ("gone__c.from", "1"),
    ("number__c", "1"),
    ("number__c.from", "NaN"),
    ("number__c.from", "1e9"),
    ("number__c.from", "1 OR 1"),
    ("number__c.from", "9" * 41),
    ("number__c.until", "1"),
    ("day__c.from", "20260228"),
    ("day__c.from", "2026-02-30"),
    ("moment__c.to", "9999-12-31"),
    ("moment__c.to", "2026-02-28T00:00"),
    ("view", "all"),
]


@pytest.mark.parametrize(("asked", "condition"), NARROWED.items())
def test_a_value_or_an_end_is_a_condition(
    asked: tuple[str, str], condition: str
) -> None:
    kept = filters_of(THING, dict([asked]))
    assert conditions(THING, kept) == [condition]


@pytest.mark.parametrize("asked", IMPOSSIBLE)
def test_what_is_impossible_narrows_nothing(asked: tuple[str, str]) -> None:
    assert filters_of(THING, dict([asked])) == {}


def test_what_no_input_of_the_page_shows_is_said() -> None:
    filters = {"number__c.from": "1", "day__c.to": "2026-02-28", "text__c": "a"}
    (shown,) = ranges_of(THING, ["text__c", "number__c"], filters)
    assert (shown.kind, shown.first, shown.last) == ("number", "1", "")
    said = linked_of(THING, ["text__c", "number__c"], (), filters)
    assert said == [("DAY__C", "2026-02-28"), ("TEXT__C", "a")]
