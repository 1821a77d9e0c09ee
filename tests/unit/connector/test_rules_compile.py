"""Compiled rules: rows in, target values or field errors out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.rules.compiled import Evaluated, PendingReference
from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.lookups import read_lookups
from services.connector.rules.references import (
    index,
    key_statements,
    pending_keys,
    settle,
)
from services.connector.rules.rule import RuleError
from shared.protocol.edge_spaces import edge_space_note
from tests.unit.connector.examples import compiled, field_rule

LOOKUPS = read_lookups(
    [
        {
            "reference_lookup_name__sys": name,
            "reference_lookup_type__sys": [kind],
            "source_key__sys": source,
            "target_key__sys": target,
            "target_object__sys": "product__v" if kind == "object__sys" else None,
            "target_key_field__sys": "external_id__v"
            if kind == "object__sys"
            else None,
            "status__v": [status],
        }
        for name, kind, source, target, status in (
            ("channel", "picklist__sys", "email__v", "by_email__v", "active__v"),
            ("channel", "picklist__sys", "phone__v", "by_phone__v", "active__v"),
            ("channel", "picklist__sys", "fax__v", "by_fax__v", "inactive__v"),
            ("products", "object__sys", "00P1", "E-1", "active__v"),
            ("texts", "generic__sys", "3", "7", "active__v"),
        )
    ]
)


def value_of(
    target: str,
    row: dict[str, object],
    query: str | None = "delivery_method__v",
    **more: Any,
) -> Any:
    rule = compiled(field_rule(target, query, **more), lookups=LOOKUPS)
    evaluated = rule.evaluate(row)
    name, _, field = target.partition(".")
    return (
        evaluated.errors[0]
        if evaluated.errors
        else evaluated.targets[name].get(field, "unset")
    )


INACTIVE = (
    "the product__v with external_id__v E-4 is inactive in the target Vault; "
    "activate it or correct the source record"
)
OTHER = {"field_default": "other__v", "missing_lookup": "default"}
CHANNEL = {"reference_lookup": "channel", "reference_lookup_type": "picklist"}


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
def test_values(
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
def test_errors_name_rule_and_field(
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


@pytest.mark.parametrize(
    ("target", "default", "expected"),
    [
        ("case_request__v.question__v", "source_id", "V1"),
        ("case_request__v.question__v", "source_global_id", "20202_V1"),
        ("case_request__v.quantity__v", "source_vault_id", "outside"),
        (
            "case_request__v.asked__v",
            "source_modified_date",
            "2026-02-03T04:05:06.000Z",
        ),
        ("case_request__v.due__v", "source_modified_date", "2026-02-03"),
    ],
)
def test_a_default_may_be_computed_from_the_source_record(
    target: str, default: str, expected: str
) -> None:
    for query in ("delivery_method__v", None):
        found = value_of(
            target, ROW, query, field_default=default, field_default_type="code"
        )
        assert found == expected or expected in found.message


def test_a_default_may_be_a_record_known_by_its_name_or_the_lookup_field() -> None:
    settings = {"field_default": "Cholecap", "field_default_type": "reference"}
    target = "case_request__v.product__v"
    assert value_of(target, ROW, **settings) == PendingReference(
        "product__v", "name__v", "Cholecap"
    )
    by_id = value_of(target, ROW, target_field_lookup="external_id__v", **settings)
    assert by_id == PendingReference("product__v", "external_id__v", "Cholecap")


def test_a_text_too_long_is_cut_where_the_rule_says_so() -> None:
    row: dict[str, object] = {"delivery_method__v": "x" * 41}
    assert (
        value_of("case_request__v.question__v", row, evaluate_field_length="truncate")
        == "x" * 40
    )


def test_a_warning_leaves_the_field_unset_and_names_it() -> None:
    rule = compiled(
        field_rule(
            "case__v.origination_channel__v",
            "delivery_method__v",
            **CHANNEL,
            missing_lookup="warning",
        ),
        lookups=LOOKUPS,
    )
    evaluated = rule.evaluate({"delivery_method__v": ["none__v"]})
    assert (evaluated.targets, evaluated.errors) == ({"case__v": {}}, [])
    (warning,) = evaluated.warnings
    assert (
        warning.error_type is ItemErrorType.LOOKUP
        and "source key none__v" in warning.message
    )


@pytest.mark.parametrize(
    "kind",
    [
        "picklist",
        "object",
        "objectlifecyclestate",
        "documentlifecyclestate",
        "documenttype",
        "generic",
    ],
)
def test_every_lookup_type_translates_and_misses_by_its_own_name(kind: str) -> None:
    rows = [
        {
            "reference_lookup_name__sys": "set",
            "reference_lookup_type__sys": [f"{kind}__sys"],
            "source_key__sys": "a",
            "target_key__sys": "b",
        }
    ]
    rule = compiled(
        field_rule(
            "case__v.priority__v",
            "delivery_method__v",
            reference_lookup="set",
            reference_lookup_type=kind,
        ),
        lookups=read_lookups(rows),
    )
    assert rule.evaluate({"delivery_method__v": "a"}).targets == {
        "case__v": {"priority__v": "b"}
    }
    (error,) = rule.evaluate({"delivery_method__v": "A"}).errors
    assert f"reference lookup set ({kind})" in error.message


def test_a_text_that_may_be_personal_is_not_in_the_error() -> None:
    generic = {"reference_lookup": "texts", "reference_lookup_type": "generic"}
    error = value_of(
        "case_request__v.question__v", {"delivery_method__v": "Ann Smith"}, **generic
    )
    assert "Ann" not in error.message


def test_an_object_type_is_written_by_its_name() -> None:
    rule = compiled(
        field_rule(
            "person__sys.object_type__v", field_default="case_contact_of_any_length__v"
        )
    )
    assert rule.evaluate({}).targets == {
        "person__sys": {"object_type__v.api_name__v": "case_contact_of_any_length__v"}
    }


def test_children_give_their_first_record_and_none_is_no_error() -> None:
    rule = compiled(
        field_rule("person__sys.city__v", "city_cda__v", "address__v"),
        primary="account__v",
    )
    row: dict[str, object] = {
        "addresses__vr": {"data": [{"city_cda__v": "Basel"}, {"city_cda__v": "Bern"}]}
    }
    assert rule.evaluate(row) == Evaluated({"person__sys": {"city__v": "Basel"}})
    assert rule.evaluate({"addresses__vr": {"data": []}}) == Evaluated(
        {"person__sys": {"city__v": None}}
    )
    assert rule.evaluate({}) == Evaluated({"person__sys": {"city__v": None}})


def test_a_row_reports_all_its_fields_and_keeps_the_good_ones() -> None:
    rule = compiled(
        field_rule("case_request__v.question__v", "inquiry_text__v"),
        field_rule("case_request__v.quantity__v", "group_identifier__v"),
        field_rule("case__v.priority__v", "delivery_method__v"),
    )
    evaluated = rule.evaluate(
        {
            "inquiry_text__v": "x" * 50,
            "group_identifier__v": "?",
            "delivery_method__v": "p__v",
        }
    )
    assert [error.field_rule for error in evaluated.errors] == [
        "question__v",
        "quantity__v",
    ]
    assert evaluated.targets == {
        "case_request__v": {},
        "case__v": {"priority__v": "p__v"},
    }


def test_the_upsert_key_is_the_unique_field_that_takes_an_identity() -> None:
    rule = compiled(
        field_rule("case_request__v.link__sys", "global_id__sys"),
        field_rule("case_request__v.question__v", "id"),
        field_rule("case__v.global_id__sys", "id"),
    )
    assert rule.keys == {"case_request__v": "link__sys", "case__v": "global_id__sys"}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (field_rule("case_request__v.none__v", "id"), "has no field none__v"),
        (field_rule("survey__v.name__v", "id"), "no object survey__v"),
        (
            field_rule("case_request__v.quantity__v", field_default="many"),
            "field_default does not fit",
        ),
        (
            field_rule("case_request__v.question__v", "id", target_field_lookup="x__v"),
            "refers to none",
        ),
        (
            field_rule(
                "case_request__v.question__v",
                field_default="x",
                field_default_type="reference",
            ),
            "field_default_type needs a target field that refers to an object",
        ),
        (
            field_rule(
                "case_request__v.question__v",
                field_default="now",
                field_default_type="code",
            ),
            "must be one of source_id",
        ),
    ],
)
def test_a_rule_that_cannot_work_is_refused_as_a_whole(
    rule: dict[str, object], said: str
) -> None:
    with pytest.raises(RuleError, match=said):
        compiled(rule)


def test_pending_references_are_asked_once_a_key_and_settled_or_named() -> None:
    rule = compiled(
        field_rule(
            "case_request__v.product__v",
            "group_identifier__v",
            target_field_lookup="external_id__v",
        )
    )
    rows = {
        str(key): rule.evaluate({"group_identifier__v": key})
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
    noted = settle(rule, rows, found)
    assert noted == {"E-2", "E-1 ", "E-3", "E-4"}
    for key, row in rows.items():
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
        "None": None,
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
    settle(rule, {"I1": evaluated}, found)
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


def test_of_several_rules_for_one_field_one_with_a_value_decides() -> None:
    rule = compiled(
        field_rule("case__v.priority__v", "delivery_method__v"),
        field_rule("case__v.priority__v", "transfer_status__v", name="other__v"),
    )
    for row, expected in (
        ({"delivery_method__v": "a__v"}, "a__v"),
        ({"transfer_status__v": "b__v"}, "b__v"),
        ({}, None),
    ):
        assert rule.evaluate(row).targets == {"case__v": {"priority__v": expected}}


def test_lookups_keep_types_apart_and_leave_out_what_is_inactive() -> None:
    assert LOOKUPS["picklist", "channel"].entries == {
        "email__v": "by_email__v",
        "phone__v": "by_phone__v",
    }
    assert LOOKUPS["object", "products"].target_key_field == "external_id__v"


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


@pytest.mark.parametrize("read", ["e", " e", "e\t", "\u00a0e "])
@pytest.mark.parametrize("stored", ["e", " e "])
def test_white_space_around_a_lookups_keys_says_nothing(read: str, stored: str) -> None:
    rows = [
        {
            "reference_lookup_name__sys": "set",
            "reference_lookup_type__sys": ["picklist__sys"],
            "source_key__sys": stored,
            "target_key__sys": " high__v ",
        }
    ]
    rule = compiled(
        field_rule(
            "case__v.priority__v",
            "delivery_method__v",
            reference_lookup="set",
            reference_lookup_type="picklist",
        ),
        lookups=read_lookups(rows),
    )
    assert rule.evaluate({"delivery_method__v": [read]}).targets == {
        "case__v": {"priority__v": "high__v"}
    }
