"""Rules are compiled whole or refused, and make of each row the fields of every target."""

from __future__ import annotations

import pytest

from services.connector.rules.compiled import Evaluated
from services.connector.rules.rule import RuleError
from tests.unit.connector.examples import Json, compiled, field_rule

CITY = compiled(
    field_rule("person__sys.city__v", "city_cda__v", "address__v"), primary="account__v"
)


def test_of_several_children_the_first_gives_the_value() -> None:
    addresses = [{"city_cda__v": "Basel"}, {"city_cda__v": "Bern"}]
    evaluated = CITY.evaluate({"addresses__vr": {"data": addresses}})
    assert evaluated == Evaluated({"person__sys": {"city__v": "Basel"}})


@pytest.mark.parametrize("row", [{"addresses__vr": {"data": []}}, {}], ids=str)
def test_a_related_record_that_is_missing_is_no_error(row: Json) -> None:
    assert CITY.evaluate(row) == Evaluated({"person__sys": {"city__v": None}})


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


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"delivery_method__v": "a__v"}, "a__v"),
        ({"transfer_status__v": "b__v"}, "b__v"),
        ({}, None),
    ],
)
def test_of_several_rules_for_one_field_one_with_a_value_decides(
    row: Json, expected: str | None
) -> None:
    rule = compiled(
        field_rule("case__v.priority__v", "delivery_method__v"),
        field_rule("case__v.priority__v", "transfer_status__v", name="other__v"),
    )
    assert rule.evaluate(row).targets == {"case__v": {"priority__v": expected}}
