"""Query plans: the statement of a rule, and the columns of its values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.rules.query_plan import QueryPlan, plan, prefixed
from services.connector.rules.rows import MAX_STATEMENT, Selection, literal, statements
from services.connector.rules.rule import RuleError, read_rule, read_rules
from tests.unit.connector.examples import ACCOUNT, INQUIRY, field_rule, rule_json


def planned(
    *field_rules: dict[str, object], queries: tuple[dict[str, object], ...] = ()
) -> QueryPlan:
    (rule,) = read_rule(rule_json(*field_rules, queries=queries))
    return plan(rule, INQUIRY)


def test_only_the_fields_that_the_rules_name_are_selected() -> None:
    result = planned(
        field_rule("case_request__v.link__sys", "global_id__sys"),
        field_rule("case_request__v.question__v", "inquiry_text__v"),
        field_rule("case_request__v.product__v", "external_id__v", "product__v"),
    )
    assert list(result.statements(["V1", "V'2"])) == [
        (
            "SELECT id, global_id__sys, modified_date__v, LONGTEXT(inquiry_text__v), product__vr.external_id__v "
            "FROM medical_inquiry__v WHERE id CONTAINS ('V1','V\\'2')"
        )
    ]
    assert result.selections["product__v"] == Selection("product__vr.external_id__v")
    assert not result.filtered


def test_children_become_a_sub_select_with_their_own_condition() -> None:
    (rule,) = read_rule(
        rule_json(
            field_rule("person__sys.city__v", "city_cda__v", "address__v"),
            primary="account__v",
            queries=(
                {
                    "name": "a",
                    "query_object": "address__v",
                    "filter_clause": "primary_cda__v = true",
                },
                {
                    "name": "b",
                    "query_object": "account__v",
                    "filter_clause": "status__v = 'active__v' OR id = 'x'",
                },
            ),
        )
    )
    result = plan(rule, ACCOUNT, extra=("primary_country__vr.country_code__v",))
    assert next(result.statements(["A1"])) == (
        "SELECT id, global_id__sys, modified_date__v, primary_country__vr.country_code__v, "
        "(SELECT city_cda__v FROM addresses__vr WHERE (primary_cda__v = true)) FROM account__v "
        "WHERE id CONTAINS ('A1') AND (status__v = 'active__v' OR id = 'x')"
    )
    assert result.filtered
    assert (
        next(result.existence(["A1"]))
        == "SELECT id FROM account__v WHERE id CONTAINS ('A1')"
    )


def test_a_filter_on_a_related_object_names_its_fields_by_path() -> None:
    clause = "state__v = 'a__v' AND (TRIM(name__v) != 'it''s x__v' OR id = null)"
    assert prefixed(clause, "account__vr.") == (
        "account__vr.state__v = 'a__v' AND (TRIM(account__vr.name__v) != 'it''s x__v' OR account__vr.id = null)"
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            field_rule("case_request__v.question__v", "no_such__v"),
            "has no field no_such__v",
        ),
        (
            field_rule("case_request__v.question__v", "name__v", "survey__v"),
            "survey__v is not related",
        ),
    ],
)
def test_what_cannot_be_asked_is_a_rule_error(
    rule: dict[str, object], said: str
) -> None:
    with pytest.raises(RuleError, match=said):
        planned(rule)


@pytest.mark.parametrize(
    ("select", "query_object", "key"),
    [
        ("TOLABEL(product__vr.type__v) AS type__v", "product__v", "type__v"),
        ("TOLABEL(product__vr.type__v)", "product__v", "product__vr.type__v"),
        ("product__vr.type__v", "medical_inquiry__v", "product__vr.type__v"),
        ("TODISPLAYFORMAT( type__v ) type__v", "medical_inquiry__v", "type__v"),
    ],
)
def test_an_expression_is_found_under_its_alias_or_its_field(
    select: str, query_object: str, key: str
) -> None:
    result = planned(
        field_rule(
            "case_request__v.question__v",
            "type__v",
            query_object,
            query_field_select=select,
        ),
    )
    assert result.selections["question__v"] == Selection(key)
    assert f", {select} FROM" in next(result.statements(["V1"]))


@pytest.mark.parametrize(
    "select",
    ["TOLABEL(type__v) AS other__v", "type__v, id", "(SELECT id FROM x)", "F(a) + 1"],
)
def test_an_expression_has_to_be_one_field_under_the_name_of_the_query_field(
    select: str,
) -> None:
    with pytest.raises(RuleError, match="query_field_select"):
        planned(
            field_rule(
                "case_request__v.question__v", "type__v", query_field_select=select
            )
        )


def test_two_values_under_one_name_are_refused_and_the_whole_text_counts() -> None:
    label = field_rule(
        "case_request__v.question__v",
        "type__v",
        query_field_select="TOLABEL(type__v) AS type__v",
    )
    other = field_rule(
        "case__v.priority__v", "type__v", query_field_select="TRIM(type__v) AS type__v"
    )
    plain = field_rule("case__v.priority__v", "type__v", query_field_select="type__v")
    for parts in ((label, other), (label, plain), (plain, label)):
        with pytest.raises(RuleError, match="something else is selected as type__v"):
            planned(*parts)
    text = field_rule(
        "case_request__v.question__v",
        "delivery_method__v",
        query_field_select="longtext(delivery_method__v) AS delivery_method__v",
    )
    plain = field_rule("case__v.priority__v", "delivery_method__v")
    for parts in ((text, plain), (plain, text)):
        statement = next(planned(*parts).statements(["V1"]))
        assert ", longtext(delivery_method__v) AS delivery_method__v FROM" in statement
        assert statement.count("delivery_method__v") == 2


def test_inactive_rules_and_parts_are_left_out_and_a_broken_rule_stops_only_itself() -> (
    None
):
    inactive = field_rule(
        "case_request__v.question__v", "inquiry_text__v", active=False
    )
    fine = rule_json(
        inactive, field_rule("case_request__v.link__sys", "global_id__sys")
    )
    broken = rule_json({"name": "x", "query_field": "y"}) | {
        "integration_point": "other__v"
    }
    rules, faults = read_rules([fine, broken, fine | {"active": False}])
    assert [[part.target_field for part in rule.field_rules] for rule in rules] == [
        ["link__sys"]
    ]
    assert [fault.integration_point for fault in faults] == ["other__v"]


@given(st.lists(st.text(max_size=100), unique=True, max_size=1200))
def test_statements_name_every_value_once_and_keep_to_the_limits(
    values: list[str],
) -> None:
    texts = list(
        statements("SELECT id FROM account__v", "id", values, conditions="a__v = 1")
    )
    assert all(len(text) <= MAX_STATEMENT for text in texts)
    listed = ",".join(
        text.removeprefix("SELECT id FROM account__v WHERE id CONTAINS (").removesuffix(
            ") AND a__v = 1"
        )
        for text in texts
    )
    assert listed == ",".join(map(literal, values))
