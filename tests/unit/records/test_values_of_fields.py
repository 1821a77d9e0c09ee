"""Values of fields: which each type accepts, and that it refuses all others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.model.component_model import Field, FieldType
from shared.vault.records.field_values import (
    coercion,
    column_type,
    in_milliseconds,
)
from shared.vault.records.invalid_values import InvalidValue
from tests.unit.records.shapes import REGISTRY, THING

FIRST = datetime(1900, 1, 1)  # noqa: DTZ001  hypothesis adds the zone
SENT = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
)


def convert(name: str, value: object) -> object:
    return coercion(THING.fields[name], REGISTRY)(value)


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("note__c", "a", "a"),
        ("note__c", 7, "7"),
        ("count__c", "7", 7),
        ("count__c", 100, 100),
        ("count__c", "1e2", 100),
        ("price__c", "1.5", Decimal("1.50")),
        ("price__c", -0.25, Decimal("-0.25")),
        ("open__c", "False", False),
        ("open__c", True, True),
        ("day__c", "2024-02-29", date(2024, 2, 29)),
        ("time__c", "2025-01-31T12:00Z", datetime(2025, 1, 31, 12, tzinfo=UTC)),
        (
            "time__c",
            "2025-01-31T12:00:00+02:00",
            datetime(2025, 1, 31, 10, tzinfo=UTC),
        ),
        ("colour__c", ["red__c"], "red__c"),
        ("colours__c", "red__c,blue__c,red__c", "red__c,blue__c"),
        ("colours__c", [], None),
    ],
)
def test_a_value_becomes_its_columns(name: str, value: object, stored: object) -> None:
    converted = convert(name, value)

    assert (converted, type(converted)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count__c", "7"),
        ("price__c", "1.5"),
        ("open__c", "true"),
        ("day__c", "2024-02-29"),
        ("time__c", "2025-01-31T12:00Z"),
        ("colour__c", "red__c"),
        ("colours__c", "red__c,blue__c"),
    ],
)
def test_only_in_texts_has_white_space_at_the_ends_a_meaning(
    name: str, value: str
) -> None:
    assert convert(name, f" {value}\t") == convert(name, value)
    assert convert(name, " ") is None
    assert convert("note__c", " a ") == " a "


LOW, HIGH = "takes a number of at least", "takes a number of at most"


@pytest.mark.parametrize(
    ("low", "high", "refused", "taken", "limits"),
    [
        (0.0, None, -1, 0, f"{LOW} 0"),
        (None, 1000.0, 1001, 1000, f"{HIGH} 1000"),
        (-1.5, 1e9, -2, -1, f"{LOW} -1.5 and of at most 1000000000"),
        (None, None, 2**63, 2**63 - 1, f"between -{2**63} and {2**63}, both excluded"),
        (None, None, -(2**63), 1 - 2**63, f"{2**63}, both excluded"),
    ],
)
def test_the_limits_of_a_number_are_said_as_they_are(
    low: float | None, high: float | None, refused: int, taken: int, limits: str
) -> None:
    field = Field("x__c", "X", FieldType.NUMBER, min_value=low, max_value=high)
    coerce = coercion(field, REGISTRY)
    assert coerce(taken) == taken
    with pytest.raises(InvalidValue) as refusal:
        coerce(refused)
    assert refusal.value.error.message.endswith(limits)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("note__c", "a" * 21),
        ("note__c", "a\x00"),
        ("note__c", True),
        ("note__c", ["a"]),
        ("count__c", "seven"),
        ("count__c", True),
        ("count__c", -1),
        ("count__c", 101),
        ("count__c", "1.5"),
        ("count__c", "9" * 101),
        ("price__c", "1.005"),
        ("price__c", 2**63),
        ("open__c", "yes"),
        ("open__c", 1),
        ("day__c", "2025-02-29"),
        ("day__c", "31.01.2025"),
        ("time__c", "2025-01-31"),
        ("time__c", "9999-12-31T23:59:59-12:00"),
        ("colour__c", "grey__c"),
        ("colour__c", ["red__c", "blue__c"]),
        ("file__c", "a path"),
    ],
)
def test_a_value_that_the_field_does_not_take_is_refused_by_the_fields_name(
    name: str, value: object
) -> None:
    with pytest.raises(InvalidValue, match=rf"Field \[{name}\]"):
        convert(name, value)


@given(st.sampled_from(list(THING.fields.values())), SENT)
def test_a_value_is_converted_or_refused_by_the_fields_name(
    field: Field, value: object
) -> None:
    message = f"Field [{field.name}]"
    try:
        coercion(field, REGISTRY)(value)
    except InvalidValue as refusal:
        message = refusal.error.message

    assert message.startswith(f"Field [{field.name}]")


@pytest.mark.parametrize("kind", FieldType)
def test_every_type_has_a_column_type_and_an_empty_value(kind: FieldType) -> None:
    field = Field("x__c", "X", kind, picklist="colour__c")

    assert coercion(field, REGISTRY)("") is None
    assert column_type(field)


@given(st.datetimes(min_value=FIRST, timezones=st.just(UTC)))
def test_a_time_that_is_read_back_and_sent_again_is_the_stored_one(
    time: datetime,
) -> None:
    stored = in_milliseconds(time)

    assert in_milliseconds(stored) == stored
    assert stored <= time
