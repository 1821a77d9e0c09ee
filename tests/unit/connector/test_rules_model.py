"""Rules from the configuration endpoint: how they are read, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from services.connector.rules.conversion import DefaultType, LengthCheck
from services.connector.rules.lookups import MissingLookup
from services.connector.rules.rule import RuleError, read_rule
from tests.unit.connector.examples import field_rule, rule_json

FILTERS: tuple[dict[str, object], ...] = (
    {
        "name": "a",
        "query_object": "account__v",
        "filter_clause": "status__v = 'active__v'",
    },
)


def test_without_a_primary_query_object_each_object_is_read_on_its_own() -> None:
    component = rule_json(
        field_rule("case__v.link__sys", "global_id__sys"),
        field_rule("person__sys.city__v", "city__v", "account__v"),
        field_rule("case__v.priority__v", field_default="low__v"),
        primary="",
        queries=FILTERS,
    )
    inquiries, accounts = read_rule(component)
    assert inquiries.primary_query_object == "medical_inquiry__v"
    assert [part.target_field for part in inquiries.field_rules] == [
        "link__sys",
        "priority__v",
    ]
    assert inquiries.query_object_rules == ()
    assert accounts.primary_query_object == "account__v"
    assert [part.target_field for part in accounts.field_rules] == [
        "city__v",
        "priority__v",
    ]
    assert [part.filter_clause for part in accounts.query_object_rules] == [
        "status__v = 'active__v'"
    ]


def test_what_adds_to_the_first_query_object_is_read_by_its_relationship() -> None:
    component = rule_json(
        field_rule("claim__c.source_record__c", "id"),
        field_rule("claim__c.duration__c", "name__v", "period__c"),
        field_rule("other__c.city__v", "city__v", "account__v"),
        field_rule("claim__c.info__c", field_default="by connection"),
        primary="",
        queries=FILTERS,
    )
    first, accounts = read_rule(component)
    assert first.primary_query_object == "medical_inquiry__v"
    assert [part.target_field for part in first.field_rules] == [
        "source_record__c",
        "duration__c",
        "info__c",
    ]
    assert accounts.primary_query_object == "account__v"


def test_settings_of_a_field_rule_and_what_they_are_when_unsaid() -> None:
    said = field_rule(
        "case__v.priority__v",
        "delivery_method__v",
        reference_lookup="channel",
        reference_lookup_type="lifecyclestate",
        missing_lookup="warning",
        field_default="source_id",
        field_default_type="code",
        evaluate_field_length="truncate",
    )
    (rule,) = read_rule(rule_json(said, field_rule("case__v.link__sys", "id")))
    full, bare = rule.field_rules
    assert (full.missing_lookup, full.field_default_type, full.length_check) == (
        MissingLookup.WARNING,
        DefaultType.CODE,
        LengthCheck.TRUNCATE,
    )
    assert full.reference_lookup_type == "objectlifecyclestate"
    assert (bare.missing_lookup, bare.field_default_type, bare.length_check) == (
        MissingLookup.ERROR,
        DefaultType.TEXT,
        LengthCheck.ERROR,
    )


def test_a_document_field_is_a_target() -> None:
    (rule,) = read_rule(
        rule_json(
            {
                "name": "title",
                "target_docfield": "title__v",
                "query_object": "x",
                "query_field": "y",
            }
        )
    )
    assert rule.target_objects == ("documents",)
    assert rule.field_rules[0].target_field == "title__v"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"query_field_type": "vobject_url__sys"}, "no query_field_type"),
        (
            {"reference_lookup": "x", "reference_lookup_type": "odd"},
            "must be one of picklist",
        ),
        ({"missing_lookup": "never"}, "missing_lookup must be one of error"),
        ({"field_default_type": "guess"}, "field_default_type must be one of"),
        ({"evaluate_field_length": "no"}, "evaluate_field_length must be one of"),
        ({"target_object": None}, "or target_docfield"),
    ],
)
def test_what_cannot_be_read_names_the_field_rule(
    part: dict[str, Any], said: str
) -> None:
    with pytest.raises(RuleError, match=said) as caught:
        read_rule(rule_json(field_rule("case__v.link__sys", "id") | part))
    assert caught.value.field_rule == "link__sys"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            [field_rule("case__v.priority__v", field_default="x")],
            "name no query object",
        ),
        (
            [field_rule("case__v.priority__v", "country__vr.code__v")],
            "no relationship can be read",
        ),
    ],
)
def test_relationships_need_a_primary_query_object(
    parts: list[dict[str, object]], said: str
) -> None:
    with pytest.raises(RuleError, match=said):
        read_rule(rule_json(*parts, primary=""))
