"""Source values become values of the target field's type, or an error that names the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.rules.conversion import PendingReference
from services.connector.rules.item_failures import ItemErrorType
from tests.unit.connector.examples import compiled, field_rule
from tests.unit.connector.single_fields import CHANNEL, value_of

OTHER = {"field_default": "other__v", "missing_lookup": "default"}


@pytest.mark.parametrize(
    ("target", "source", "more", "expected"),
    [
        ("case__v.priority__v", ["x__v"], {}, "x__v"),
        ("case__v.priority__v", None, {}, None),
        ("case__v.priority__v", "", {}, None),
        ("case__v.priority__v", [], {}, None),
        ("case__v.priority__v", None, {"empty_source": "clear"}, None),
        ("case__v.priority__v", None, {"empty_source": "keep"}, "unset"),
        ("person__sys.object_type__v", None, {}, "unset"),
        ("person__sys.global_id__sys", None, {}, "unset"),
        ("case__v.priority__v", [], {"field_default": "low__v"}, "low__v"),
        ("case__v.priority__v", "x__v", {"field_default": "low__v"}, "x__v"),
        ("case__v.origination_channel__v", ["email__v"], CHANNEL, "by_email__v"),
        ("case__v.origination_channel__v", ["none__v"], CHANNEL | OTHER, "other__v"),
        (
            "case__v.origination_channel__v",
            ["none__v"],
            CHANNEL | {"missing_lookup": "warning"},
            "unset",
        ),
        (
            "case__v.origination_channel__v",
            None,
            CHANNEL | {"field_default": "other__v"},
            "other__v",
        ),
        (
            "case_request__v.topics__v",
            ["phone__v", "email__v"],
            CHANNEL,
            ["by_phone__v", "by_email__v"],
        ),
        ("case_request__v.topics__v", ["phone__v"], CHANNEL, ["by_phone__v"]),
        (
            "case_request__v.topics__v",
            None,
            {"field_default": "a__v, b__v"},
            ["a__v", "b__v"],
        ),
        (
            "case_request__v.quantity__v",
            "3",
            {"reference_lookup": "texts", "reference_lookup_type": "generic"},
            7,
        ),
        ("case_request__v.quantity__v", "4", {}, 4),
        ("case_request__v.quantity__v", 4.0, {}, 4),
        ("case_request__v.quantity__v", "4.000000000000000000", {}, 4),
        (
            "case_request__v.dose__v",
            "1234567890123456.0123456789",
            {},
            "1234567890123456.0123456789",
        ),
        ("case_request__v.dose__v", "1.5e3", {}, "1500"),
        ("case_request__v.dose__v", 0.1, {}, 0.1),
        (
            "case_request__v.question__v",
            "1234567890123456.0123456789",
            {},
            "1234567890123456.0123456789",
        ),
        ("case_request__v.urgent__v", "TRUE", {}, True),
        ("case_request__v.urgent__v", False, {}, False),
        ("case_request__v.due__v", "2026-02-03T04:05:06.000Z", {}, "2026-02-03"),
        ("case_request__v.asked__v", "2026-02-03", {}, "2026-02-03T00:00:00.000Z"),
        ("case_request__v.question__v", 12, {}, "12"),
        (
            "case_request__v.product__v",
            "00P1",
            {"reference_lookup": "products", "reference_lookup_type": "object"},
            PendingReference("product__v", "external_id__v", "E-1"),
        ),
        (
            "case_request__v.product__v",
            "E-9",
            {"target_field_lookup": "Field.external_id__v"},
            PendingReference("product__v", "external_id__v", "E-9"),
        ),
    ],
)
def test_a_source_value_becomes_a_value_of_the_target_field(
    target: str, source: object, more: dict[str, Any], expected: object
) -> None:
    assert value_of(target, {"delivery_method__v": source}, **more) == expected


@pytest.mark.parametrize(
    ("target", "source", "more", "kind", "said"),
    [
        (
            "case_request__v.question__v",
            "x" * 41,
            {},
            ItemErrorType.FIELD_VALUE,
            "41 characters and the field takes 40",
        ),
        (
            "case_request__v.quantity__v",
            "many",
            {},
            ItemErrorType.FIELD_VALUE,
            "not a number",
        ),
        (
            "case_request__v.quantity__v",
            2.5,
            {},
            ItemErrorType.FIELD_VALUE,
            "whole number",
        ),
        ("case_request__v.quantity__v", 11, {}, ItemErrorType.FIELD_VALUE, "outside"),
        (
            "case_request__v.quantity__v",
            "nan",
            {},
            ItemErrorType.FIELD_VALUE,
            "not a number",
        ),
        (
            "case_request__v.quantity__v",
            "1_0",
            {},
            ItemErrorType.FIELD_VALUE,
            "not a number",
        ),
        (
            "case_request__v.quantity__v",
            "10.00000000000000000001",
            {},
            ItemErrorType.FIELD_VALUE,
            "whole number",
        ),
        (
            "case_request__v.dose__v",
            "1e999999999",
            {},
            ItemErrorType.FIELD_VALUE,
            "not a number",
        ),
        (
            "case_request__v.urgent__v",
            "maybe",
            {},
            ItemErrorType.FIELD_VALUE,
            "neither true nor false",
        ),
        (
            "case_request__v.due__v",
            "tomorrow",
            {},
            ItemErrorType.FIELD_VALUE,
            "not a date",
        ),
        (
            "case_request__v.asked__v",
            "2026-99-01T00:00:00.000Z",
            {},
            ItemErrorType.FIELD_VALUE,
            "not a date and time",
        ),
        (
            "case__v.priority__v",
            ["a__v", "b__v"],
            {},
            ItemErrorType.FIELD_VALUE,
            "several picklist values",
        ),
        (
            "case__v.origination_channel__v",
            ["fax__v"],
            CHANNEL,
            ItemErrorType.LOOKUP,
            "source key fax__v",
        ),
        (
            "case_request__v.topics__v",
            ["email__v", "no__v"],
            CHANNEL,
            ItemErrorType.LOOKUP,
            "source key no__v",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_rule_and_field(
    target: str, source: object, more: dict[str, Any], kind: ItemErrorType, said: str
) -> None:
    error = value_of(target, {"delivery_method__v": source}, **more)
    assert not isinstance(error, str)
    assert error.error_type == kind
    message = error.message
    assert said in message
    assert "medical_inquiries__v" in message and target in message


ROW: dict[str, object] = {
    "id": "V1",
    "global_id__sys": "20202_V1",
    "modified_date__v": "2026-02-03T04:05:06.000Z",
    "delivery_method__v": None,
}
# A default stands for a source field without a value, or for none at all.
QUERIES = pytest.mark.parametrize("query", ["delivery_method__v", None])


@pytest.mark.parametrize(
    ("target", "default", "expected"),
    [
        ("case_request__v.question__v", "source_id", "V1"),
        ("case_request__v.question__v", "source_global_id", "20202_V1"),
        (
            "case_request__v.asked__v",
            "source_modified_date",
            "2026-02-03T04:05:06.000Z",
        ),
        ("case_request__v.due__v", "source_modified_date", "2026-02-03"),
    ],
)
@QUERIES
def test_a_default_may_be_computed_from_the_source_record(
    target: str, default: str, expected: str, query: str | None
) -> None:
    code = {"field_default": default, "field_default_type": "code"}
    assert value_of(target, ROW, query, **code) == expected


@QUERIES
def test_a_computed_default_that_does_not_fit_is_an_error(query: str | None) -> None:
    code = {"field_default": "source_vault_id", "field_default_type": "code"}
    error = value_of("case_request__v.quantity__v", ROW, query, **code)
    assert "outside" in error.message


@pytest.mark.parametrize(
    ("lookup", "key_field"),
    [
        ({}, "name__v"),
        ({"target_field_lookup": "external_id__v"}, "external_id__v"),
    ],
    ids=["name", "lookup field"],
)
def test_a_default_may_be_a_record_known_by_its_name_or_the_lookup_field(
    lookup: dict[str, str], key_field: str
) -> None:
    default = {"field_default": "Cholecap", "field_default_type": "reference"}
    found = value_of("case_request__v.product__v", ROW, **default, **lookup)
    assert found == PendingReference("product__v", key_field, "Cholecap")


def test_a_text_too_long_is_cut_where_the_rule_says_so() -> None:
    row: dict[str, object] = {"delivery_method__v": "x" * 41}
    cut = {"evaluate_field_length": "truncate"}
    assert value_of("case_request__v.question__v", row, **cut) == "x" * 40


def test_an_object_type_is_written_by_its_name() -> None:
    rule = compiled(
        field_rule(
            "person__sys.object_type__v", field_default="case_contact_of_any_length__v"
        )
    )
    assert rule.evaluate({}).targets == {
        "person__sys": {"object_type__v.api_name__v": "case_contact_of_any_length__v"}
    }


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=60)
    | st.lists(st.text(max_size=5), max_size=3)
)
FIELDS = (
    "question__v",
    "quantity__v",
    "urgent__v",
    "due__v",
    "asked__v",
    "topics__v",
    "link__sys",
)
EVERY_FIELD = compiled(
    *(field_rule(f"case_request__v.{name}", "delivery_method__v") for name in FIELDS)
)


@given(SCALARS | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))
def test_any_source_value_ends_as_a_fitting_value_or_an_error(value: object) -> None:
    evaluated = EVERY_FIELD.evaluate({"delivery_method__v": value})
    values, errors = evaluated.targets["case_request__v"], evaluated.errors
    assert values.keys().isdisjoint(error.target_field for error in errors)
    if value is None or value in ("", []):
        assert values == dict.fromkeys(FIELDS) and not errors
    else:
        assert len(values) + len(errors) == len(FIELDS)
    values = {name: each for name, each in values.items() if each is not None}
    assert len(str(values.get("question__v", ""))) <= 40
    quantity = values.get("quantity__v", 0)
    assert type(quantity) is int
    assert 0 <= quantity <= 10
    assert type(values.get("urgent__v", True)) is bool
