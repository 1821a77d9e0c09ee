"""References by key are looked up once a key, and a record that is missing, inactive or without its key is named."""

from __future__ import annotations

import pytest

from services.connector.rules.compiled import (
    CompiledRule,
    Evaluated,
    index,
    key_statements,
    pending_keys,
    settle,
)
from services.connector.rules.conversion import PendingReference
from services.connector.rules.item_failures import ItemErrorType
from shared.protocol.edge_spaces import edge_space_note
from tests.unit.connector.examples import Json, compiled, field_rule

KEY = ("product__v", "external_id__v")
MISSING = "no product__v with external_id__v {} exists in the target Vault; add it or correct the source record"

INACTIVE = (
    "the product__v with external_id__v E-4 is inactive in the target Vault; "
    "activate it or correct the source record"
)


def ruled(**more: str) -> CompiledRule:
    """Return a rule that fills the product by its external id."""
    product = field_rule(
        "case_request__v.product__v",
        "group_identifier__v",
        target_field_lookup="external_id__v",
        **more,
    )
    return compiled(product)


def settled(rule: CompiledRule, key: str | None, *products: Json) -> Evaluated:
    """Return the fields of a row with this key, after these products were found."""
    row = rule.evaluate({"group_identifier__v": key})
    settle(rule, {"I1": row}, {KEY: index("external_id__v", products)})
    return row


def product(record: str, key: str, status: str) -> Json:
    """Return a product as a query by keys answers it."""
    return {"id": record, "external_id__v": key, "status__v": [f"{status}__v"]}


PRODUCTS = [
    product("P1", "E-1", "active"),
    product("P3", "E-3", "active"),
    product("P4", "E-3", "active"),
    product("P5", "E-4", "inactive"),
    product("P6", "E-5", "inactive"),
    product("P7", "E-5", "active"),
    product("P8", "E-5", "inactive"),
]


def test_each_key_is_looked_up_once() -> None:
    keys = ("E-1", "E-2", "E-1", "E-1 ", None)
    rule = ruled()
    rows = [rule.evaluate({"group_identifier__v": key}).targets for key in keys]
    found = {unique: list(each) for unique, each in pending_keys(rule, rows).items()}
    assert found == {KEY: ["E-1", "E-2", "E-1 "]}


def test_keys_are_looked_up_by_a_query() -> None:
    assert list(key_statements(KEY, ["E-1"])) == [
        "SELECT id, external_id__v, status__v FROM product__v WHERE external_id__v CONTAINS ('E-1')"
    ]


@pytest.mark.parametrize(
    ("key", "record"), [("E-1", "P1"), ("E-5", "P7"), (None, None)]
)
def test_a_reference_becomes_the_only_active_record_with_its_key(
    key: str | None, record: str | None
) -> None:
    row = settled(ruled(), key, *PRODUCTS)
    assert row.targets == {"case_request__v": {"product__v": record}}
    assert not row.errors


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("E-2", MISSING.format("E-2")),
        ("E-1 ", MISSING.format("E-1") + edge_space_note("E-1 ")),
        (
            "E-3",
            "several product__v records have external_id__v E-3; leave only one of them",
        ),
        ("E-4", INACTIVE),
    ],
    ids=["none", "none with the space", "several", "inactive"],
)
def test_a_key_without_exactly_one_active_record_is_an_error_that_says_what_to_do(
    key: str, said: str
) -> None:
    row = settled(ruled(), key, *PRODUCTS)
    (error,) = row.errors
    assert error.message.rpartition(": ")[2] == said
    assert row.targets == {"case_request__v": {}}


@pytest.mark.parametrize(
    "products", [[], [product("P1", "E-1", "inactive")]], ids=["none", "inactive"]
)
def test_a_record_without_a_usable_key_is_a_warning_where_the_rule_says_so(
    products: list[Json],
) -> None:
    row = settled(ruled(missing_lookup="warning"), "E-1", *products)
    assert (len(row.errors), len(row.warnings)) == (0, 1)
    assert row.targets == {"case_request__v": {}}


# Where a rule reads the key of a related record, and a row in which that record has none.
KEYLESS = pytest.mark.parametrize(
    ("query_object", "query", "row"),
    [
        ("product__v", "external_id__v", {"product__vr.id": "P1"}),
        ("medical_inquiry__v", "product__vr.external_id__v", {"product__vr.id": "P1"}),
        (
            "product__v",
            "brand__vr.external_id__v",
            {"product__vr.brand__vr.id": "B1"},
        ),
    ],
)


def related(query_object: str, query: str, row: Json, **more: str) -> Evaluated:
    """Return the fields of a row for which a rule reads the key of a related record."""
    product = field_rule(
        "case_request__v.product__v",
        query,
        query_object,
        target_field_lookup="external_id__v",
        **more,
    )
    return compiled(product).evaluate(row)


@KEYLESS
def test_a_related_record_without_its_key_is_an_error_that_says_so(
    query_object: str, query: str, row: Json
) -> None:
    (error,) = related(query_object, query, row).errors
    assert error.error_type is ItemErrorType.REFERENCE
    assert "the related record exists and has no" in error.message


@KEYLESS
def test_a_related_record_without_its_key_is_a_warning_where_the_rule_says_so(
    query_object: str, query: str, row: Json
) -> None:
    evaluated = related(query_object, query, row, missing_lookup="warning")
    (warning,) = evaluated.warnings
    assert "the related record exists and has no" in warning.message
    assert not evaluated.errors


@KEYLESS
def test_a_default_stands_for_the_key_that_a_related_record_lacks(
    query_object: str, query: str, row: Json
) -> None:
    evaluated = related(query_object, query, row, field_default="E-0")
    assert not evaluated.errors
    assert evaluated.targets["case_request__v"] == {
        "product__v": PendingReference(*KEY, "E-0")
    }
