"""The records that a rule reaches from its primary object, and its errors for others."""

from __future__ import annotations

import pytest

from services.connector.rules.lookups import source_key
from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.query_plan import plan
from services.connector.rules.rows import (
    MAX_KEYS,
    MAX_STATEMENT,
    described_types,
    statements,
)
from services.connector.rules.rule import RuleError, read_rule
from tests.unit.connector.examples import (
    Json,
    field,
    field_rule,
    metadata,
    reference,
    rule_json,
)

TWICE = metadata(
    "visit__v",
    reference("account__v", "account__v"),
    reference("second_account__v", "account__v"),
    reference("host__v", "person__sys"),
    reference("guest__v", "person__sys"),
    field("notes__v", "RichText"),
    children={"calls__vr": "call__v", "other_calls__vr": "call__v", "gifts__vr": "gift__v"},
)  # fmt: skip


def head(query_object: str, name: str = "name__v", **more: object) -> str:
    """The statement of a rule that reads one field of a query object."""
    part = field_rule("case__v.name__v", name, query_object, **more)
    (rule,) = read_rule(rule_json(part, primary="visit__v"))
    return plan(rule, TWICE).head


@pytest.mark.parametrize(
    ("query_object", "selected"),
    [
        pytest.param("host__vr", "host__vr.name__v", id="a relationship"),
        pytest.param("host__vr.country__vr", "host__vr.country__vr.name__v", id="two"),
        pytest.param(
            "account__v", "account__vr.name__v", id="the field like the object"
        ),
        pytest.param("gift__v", "(SELECT name__v FROM gifts__vr)", id="related records"),
        pytest.param("calls__vr", "(SELECT name__v FROM calls__vr)", id="by name"),
    ],
)  # fmt: skip
def test_a_query_object_is_reached_by_relationship_or_by_object(
    query_object: str, selected: str
) -> None:
    expected = f"SELECT id, global_id__sys, modified_date__v, {selected} FROM visit__v"
    assert head(query_object) == expected


@pytest.mark.parametrize(
    ("query_object", "text"),
    [
        ("person__sys", "refers to person__sys in several fields"),
        ("call__v", "refers to visit__v in several fields"),
        ("gift_card__v", "is not related to the primary query object visit__v"),
    ],
)
def test_a_query_object_that_is_not_reached_in_one_way_is_an_error(
    query_object: str, text: str
) -> None:
    with pytest.raises(RuleError, match=text):
        head(query_object)


@pytest.mark.parametrize(
    ("query_object", "name", "declared", "selected"),
    [
        ("visit__v", "notes__v", None, "RICHTEXT(notes__v)"),
        ("host__vr", "bio__v", "vobject_longtext__sys", "LONGTEXT(host__vr.bio__v)"),
        ("host__vr", "bio__v", "vobject_richtext__sys", "RICHTEXT(host__vr.bio__v)"),
        ("host__vr", "bio__v", "vobject_text__sys", "host__vr.bio__v"),
    ],
)
def test_long_texts_are_read_whole(
    query_object: str, name: str, declared: str | None, selected: str
) -> None:
    more = {"query_field_type": declared} if declared else {}
    assert f", {selected} FROM" in head(query_object, name, **more)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"connection": None}, "names no connection"),
        ({"Queryobjectrule": [{"name": "q__c"}]}, "set query_object"),
        (
            {"Fieldrule": [{"name": "f__c", "target_object": "Object.case__v"}]},
            "set target_object and target_object_field, or target_docfield",
        ),
    ],
)
def test_a_rule_that_lacks_what_it_needs_is_an_error(change: Json, text: str) -> None:
    with pytest.raises(RuleError, match=text):
        read_rule(rule_json() | change)


@pytest.mark.parametrize(
    ("value", "expected"), [(True, "true"), (False, "false"), (3, "3"), ("a", "a")]
)
def test_a_source_value_is_a_key_of_a_lookup_as_rows_write_it(
    value: object, expected: str
) -> None:
    assert source_key(value) == expected


@pytest.mark.parametrize("answer", [{}, {"object": {}}, {"object": {"fields": [{}]}}])
def test_metadata_of_another_shape_is_refused(answer: Json) -> None:
    with pytest.raises(ValueError, match="metadata"):
        ObjectMetadata.from_json(answer)


def test_document_metadata_with_a_nameless_field_is_refused() -> None:
    with pytest.raises(ValueError, match="no name"):
        ObjectMetadata.from_json({"properties": [{}]})


def test_descriptions_of_another_shape_describe_nothing() -> None:
    assert described_types({"subqueries": ["odd"], "fields": "odd"}) == {}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["k"] * (MAX_KEYS + 1), [MAX_KEYS, 1], id="too many"),
        pytest.param(
            ["k" * (MAX_STATEMENT // 2)] * 3, [1, 1, 1], id="too long together"
        ),
    ],
)
def test_keys_are_spread_over_statements_that_a_vault_takes(
    keys: list[str], expected: list[int]
) -> None:
    texts = list(statements("SELECT id FROM a__v", "id", keys))
    assert [text.count("k'") for text in texts] == expected
    assert all(len(text) <= MAX_STATEMENT for text in texts)
