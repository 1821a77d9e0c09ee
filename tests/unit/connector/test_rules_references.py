"""References by key are looked up once a key, and a record that is missing, inactive or without its key is named."""

from __future__ import annotations

import pytest

from services.connector.rules.compiled import (
    Evaluated,
    index,
    key_statements,
    pending_keys,
    settle,
)
from services.connector.rules.item_failures import ItemErrorType
from shared.protocol.edge_spaces import edge_space_note
from tests.unit.connector.examples import compiled, field_rule

INACTIVE = (
    "the product__v with external_id__v E-4 is inactive in the target Vault; "
    "activate it or correct the source record"
)


def test_pending_references_are_asked_once_a_key_and_settled_or_named() -> None:
    rule = compiled(
        field_rule(
            "case_request__v.product__v",
            "group_identifier__v",
            target_field_lookup="external_id__v",
        )
    )
    rows = {
        key: rule.evaluate({"group_identifier__v": key})
        for key in ("E-1", "E-2", "E-1 ", "E-3", "E-4", "E-5", None)
    }
    keys = pending_keys(rule, [row.targets for row in rows.values()])
    assert {unique: list(found) for unique, found in keys.items()} == {
        ("product__v", "external_id__v"): ["E-1", "E-2", "E-1 ", "E-3", "E-4", "E-5"]
    }
    assert list(key_statements(("product__v", "external_id__v"), ["E-1"])) == [
        "SELECT id, external_id__v, status__v FROM product__v WHERE external_id__v CONTAINS ('E-1')"
    ]
    answer = [
        {"id": record, "external_id__v": key, "status__v": [f"{status}__v"]}
        for record, key, status in (
            ("P1", "E-1", "active"),
            ("P3", "E-3", "active"),
            ("P4", "E-3", "active"),
            ("P5", "E-4", "inactive"),
            ("P6", "E-5", "inactive"),
            ("P7", "E-5", "active"),
            ("P8", "E-5", "inactive"),
        )
    ]
    found = {("product__v", "external_id__v"): index("external_id__v", answer)}
    said = {}
    for key, row in rows.items():
        settle(rule, row, found)
        errors = [error.message.rpartition(": ")[2] for error in row.errors]
        said[key] = errors or row.targets["case_request__v"]["product__v"]
    assert said == {
        "E-1": "P1",
        "E-2": [
            "no product__v with external_id__v E-2 exists in the target Vault; add it or correct the source record"
        ],
        "E-1 ": [
            "no product__v with external_id__v E-1 exists in the target Vault; add it or correct the source record"
            + edge_space_note("E-1 ")
        ],
        "E-3": [
            "several product__v records have external_id__v E-3; leave only one of them"
        ],
        "E-4": [INACTIVE],
        "E-5": "P7",
        None: None,
    }


@pytest.mark.parametrize("usable", [{}, {"status__v": ["inactive__v"]}])
def test_a_record_without_a_usable_key_is_a_warning_where_the_rule_says_so(
    usable: dict[str, object],
) -> None:
    rule = compiled(
        field_rule(
            "case_request__v.product__v",
            "group_identifier__v",
            target_field_lookup="external_id__v",
            missing_lookup="warning",
        )
    )
    evaluated = rule.evaluate({"group_identifier__v": "E-1"})
    rows = [{"id": "P1", "external_id__v": "E-1"} | usable] if usable else []
    found = {("product__v", "external_id__v"): index("external_id__v", rows)}
    settle(rule, evaluated, found)
    assert (len(evaluated.errors), len(evaluated.warnings)) == (0, 1)
    assert evaluated.targets["case_request__v"] == {}


@pytest.mark.parametrize(
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
def test_a_related_record_without_its_key_is_no_missing_record(
    query_object: str, query: str, row: dict[str, object]
) -> None:
    def ruled(**more: str) -> Evaluated:
        part = field_rule(
            "case_request__v.product__v",
            query,
            query_object,
            target_field_lookup="external_id__v",
            **more,
        )
        return compiled(part).evaluate(row)

    (error,) = ruled().errors
    assert error.error_type is ItemErrorType.REFERENCE
    assert "the related record exists and has no" in error.message
    (warning,) = ruled(missing_lookup="warning").warnings
    assert warning.message == error.message
    assert not ruled(field_default="E-0").errors
