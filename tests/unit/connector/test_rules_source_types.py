"""All query field types, compared with a source Vault's descriptions."""

from __future__ import annotations

import pytest

from services.connector.rules.conversion import CODES
from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.rows import (
    QUERY_FIELD_TYPES,
    Selection,
    described_types,
    mismatch,
)
from shared.vault.components.integration_rules import DEFAULT_CODES
from shared.vault.components.types import QUERY_FIELD_TYPES as MDL_TYPES
from tests.unit.connector.examples import compiled, field_rule

ACCEPTED = {
    "boolean": ("Boolean", "String"),
    "component": ("Component", "Number"),
    "currency": ("Number", "String"),
    "date": ("Date", "DateTime"),
    "datetime": ("DateTime", "Date"),
    "document_reference": ("Object", "String"),
    "formula": ("Number", None),
    "id": ("id", "Number"),
    "longtext": ("LongText", "String"),
    "lookup": ("Picklist", None),
    "number": ("Number", "String"),
    "object_reference": ("Object", "String"),
    "parent_object_reference": ("Object", "String"),
    "picklist": ("Picklist", "String"),
    "richtext": ("RichText", "LongText"),
    "text": ("String", "Picklist"),
    "url": ("URL", "Number"),
}


@pytest.mark.parametrize("declared", sorted(QUERY_FIELD_TYPES))
def test_every_declared_type_takes_what_fits_and_names_what_does_not(
    declared: str,
) -> None:
    fits, does_not = ACCEPTED[declared.partition("_")[2].removesuffix("__sys")]
    assert mismatch(declared, fits) is None
    if does_not is not None:
        problem = mismatch(declared, does_not) or ""
        assert declared in problem and does_not in problem


def test_the_types_are_those_that_mdl_takes() -> None:
    assert len(QUERY_FIELD_TYPES) == 27
    assert set(MDL_TYPES) == QUERY_FIELD_TYPES
    assert set(DEFAULT_CODES) == set(CODES)


DESCRIBE: dict[str, object] = {
    "fields": [
        {"name": "veevaid__v", "type": "String"},
        {"name": "primary_country__vr.name__v", "type": "String"},
    ],
    "subqueries": [
        {
            "relationship": "addresses__vr",
            "fields": [{"name": "city_cda__v", "type": "Picklist"}],
        }
    ],
}


def test_columns_of_related_records_are_described_too() -> None:
    assert described_types(DESCRIBE) == {
        Selection("veevaid__v"): "String",
        Selection("primary_country__vr.name__v"): "String",
        Selection("city_cda__v", "addresses__vr"): "Picklist",
    }
    assert described_types(None) == {}


def test_a_mismatch_is_an_error_of_the_field() -> None:
    rule = compiled(
        field_rule(
            "person__sys.first_name__sys",
            "veevaid__v",
            "account__v",
            query_field_type="vobject_text__sys",
        ),
        field_rule(
            "person__sys.city__v",
            "city_cda__v",
            "address__v",
            query_field_type="vobject_text__sys",
        ),
        primary="account__v",
    )
    (error,) = rule.mismatches(DESCRIBE)
    assert error.field_rule == "city__v"
    assert error.error_type is ItemErrorType.FIELD_VALUE
    assert "person__sys.city__v" in error.message and "Picklist" in error.message


def test_the_result_of_a_function_is_not_compared_with_its_field() -> None:
    rule = compiled(
        field_rule(
            "person__sys.city__v",
            "veevaid__v",
            "account__v",
            query_field_select="TOLABEL(veevaid__v) AS veevaid__v",
            query_field_type="vobject_picklist__sys",
        ),
        primary="account__v",
    )
    assert rule.mismatches(DESCRIBE) == []
