"""Integration rules in MDL: attributes that have to agree, locks of delivered rules, activity of their parts."""

from __future__ import annotations

from typing import Any

import pytest

from shared.vault.components.component_errors import ComponentError
from shared.vault.components.description import configuration_json
from shared.vault.components.registry import Registry
from tests.unit.components.builders import run

CONTEXT = "CREATE Object a__c (label('A'), Field f__c (label('F'), type('String')));"
TARGET = "target_object('Object.a__c'), target_object_field('Field.f__c')"
SOURCE = "query_object('b__v'), query_field('x__v')"
LOOKUP = "reference_lookup('set__c'), reference_lookup_type('generic')"


def rule(
    part: str, head: str = "primary_query_object('b__v')", command: str = "CREATE"
) -> str:
    return f"{command} Integrationrule r__c (label('R'), connection('c__c'), {head}, {part});"


def field_rule(attributes: str) -> str:
    return f"Fieldrule f__v ({TARGET}, {attributes})"


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            f"{SOURCE}, query_field_select('TOLABEL(x__v) AS y__v')",
            "alias in query_field_select must be the query_f",
        ),
        (
            f"{SOURCE}, query_field_select('TOLABEL(x__v) y__v')",
            "alias in query_field_select must be the query_f",
        ),
        (f"{SOURCE}, query_field_select('x__v, id')", "must be a field or FUNCTION"),
        (
            f"{SOURCE}, query_field_type('document_text__sys')",
            "for the query_object documents",
        ),
        (f"{SOURCE}, query_field_type('text')", "must be one of vobject_boolean__sys"),
        (
            f"{SOURCE}, missing_lookup('warning')",
            "missing_lookup needs reference_lookup",
        ),
        (f"{SOURCE}, {LOOKUP}, missing_lookup('default')", "needs field_default"),
        (
            f"{SOURCE}, {LOOKUP}, missing_lookup('null')",
            "must be one of error, default, warning",
        ),
        (f"field_default('x'), {LOOKUP}", "reference_lookup needs query_field"),
        (
            f"{SOURCE}, field_default_type('text')",
            "field_default_type needs field_default",
        ),
        (
            "field_default('now'), field_default_type('code')",
            "must be one of source_id",
        ),
        (f"{SOURCE}, evaluate_field_length('maybe')", "must be one of error, truncate"),
    ],
)
def test_attributes_that_do_not_agree(attributes: str, said: str) -> None:
    with pytest.raises(ComponentError, match=said) as caught:
        run(CONTEXT + rule(field_rule(attributes)))
    assert "Fieldrule f__v" in caught.value.message


@pytest.mark.parametrize(
    "attributes",
    [
        f"{SOURCE}, query_field_select('TOLABEL(x__v) AS x__v'), query_field_type('vobject_picklist__sys')",
        "query_object('documents'), query_field('name__v'), query_field_type('document_text__sys')",
        f"{SOURCE}, {LOOKUP}, missing_lookup('default'), field_default('z'), field_default_type('text')",
        f"{SOURCE}, evaluate_field_length('truncate')",
        "field_default('source_id'), field_default_type('code')",
    ],
)
def test_attributes_that_agree(attributes: str) -> None:
    run(CONTEXT + rule(field_rule(attributes)))


@pytest.mark.parametrize("attribute", ["query_object('b__vr')", "query_object('b__v')"])
def test_relationships_need_a_primary_query_object(attribute: str) -> None:
    path = "query_field('x__v')" if "__vr" in attribute else "query_field('c__vr.x__v')"
    with pytest.raises(ComponentError, match="names a relationship"):
        run(CONTEXT + rule(field_rule(f"{attribute}, {path}"), "active(true)"))
    run(CONTEXT + rule(field_rule(f"{attribute}, {path}")))


@pytest.mark.parametrize(
    "clause",
    [
        "x__v = ",
        "x__v = 1) OR (id != null",
        "x__v = 1 ORDER BY id",
        "SELECT id FROM b__v",
    ],
)
def test_a_filter_is_one_condition(clause: str) -> None:
    with pytest.raises(ComponentError, match="Queryobjectrule q__v: filter_clause"):
        run(
            rule(
                f"Queryobjectrule q__v (query_object('b__v'), filter_clause('{clause}'))"
            )
        )


LOCKED = CONTEXT + rule(
    f"{field_rule(SOURCE)}, Fieldrule own__c ({TARGET}, field_default('x'))",
    "lock_activation(true), lock_defaults(true)",
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "ALTER Integrationrule r__c (active(false));",
            "forbids activating or inactivating",
        ),
        (
            "ALTER Integrationrule r__c (MODIFY Fieldrule f__v (active(false)));",
            "forbids activating or inactivating",
        ),
        (
            "ALTER Integrationrule r__c (MODIFY Fieldrule f__v (field_default('y')));",
            "forbids changing Fieldrule f",
        ),
        (
            "ALTER Integrationrule r__c (connection('other__c'));",
            "the rule's own attributes",
        ),
        ("ALTER Integrationrule r__c (DROP Fieldrule f__v);", "forbids"),
        (
            "ALTER Integrationrule r__c (lock_defaults(false));",
            "lock_defaults cannot be removed",
        ),
        ("DROP Integrationrule r__c;", "cannot be dropped"),
        (
            rule(
                f"Fieldrule own__c ({TARGET}, field_default('x'))", command="RECREATE"
            ),
            "cannot be removed",
        ),
    ],
)
def test_what_locks_forbid(change: str, said: str) -> None:
    with pytest.raises(ComponentError, match=said) as caught:
        run(change, run(LOCKED))
    assert caught.value.code.value == "OPERATION_NOT_ALLOWED"


@pytest.mark.parametrize(
    "change",
    [
        "label('Renamed')",
        "MODIFY Fieldrule own__c (field_default('y'))",
        "DROP Fieldrule own__c",
        f"ADD Fieldrule more__c ({TARGET}, field_default('x'))",
    ],
)
def test_what_locks_leave_open(change: str) -> None:
    run(f"ALTER Integrationrule r__c ({change});", run(LOCKED))


def test_parts_are_inactive_with_their_rule_and_active_again_with_it() -> None:
    registry = run(
        CONTEXT
        + rule(
            f"{field_rule(SOURCE)}, Fieldrule off__c ({TARGET}, active(false), {SOURCE})"
        )
    )

    def activity(registry: Registry) -> list[bool]:
        document: Any = configuration_json(
            registry.components["Integrationrule", "r__c"]
        )
        return [document["active"], *(part["active"] for part in document["Fieldrule"])]

    assert activity(registry) == [True, True, False]
    registry = run("ALTER Integrationrule r__c (active(false));", registry)
    assert activity(registry) == [False, False, False]
    registry = run("ALTER Integrationrule r__c (active(true));", registry)
    assert activity(registry) == [True, True, False]
    dropped = run("DROP Integrationrule r__c;", registry)
    assert not [
        key for key in dropped.components if "Rule" in key[0] or "rule" in key[0]
    ]
