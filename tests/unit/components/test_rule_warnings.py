"""Warnings about integration rules that a Vault can give by itself when a rule is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.vault.components.rule_warnings import rule_warnings
from tests.unit.components.builders import run
from tests.unit.connector.standard_vaults import CRM, MEDICAL, registry

CONTEXT = """CREATE Picklist p__c (label('P'),
    Picklistentry a__c (value('A')), Picklistentry old__c (value('Old'), active(false)));
CREATE Object o__c (label('O'),
    Field link__sys (unique(true)),
    Field f__c (label('F'), type('String')),
    Field p__c (label('P'), type('Picklist'), picklist('Picklist.p__c')),
    Field set__c (label('Set'), type('String'), editable(false)));"""


def part(field: str, attributes: str) -> str:
    target = f"target_object('Object.o__c'), target_object_field('Field.{field}')"
    return f"{target}, {attributes}"


def read(field: str, of: str = "b__v") -> str:
    return f"query_object('{of}'), query_field('{field}')"


KEY = part("link__sys", read("global_id__sys"))
KEEP = ", empty_source('keep')"
PRIMARY = "primary_query_object('b__v'), "


def warnings(*parts: str, head: str = PRIMARY, point: str = "o__c") -> list[str]:
    rules = ", ".join(
        f"Fieldrule f{number}__c ({each})" for number, each in enumerate(parts)
    )
    mdl = f"""CREATE Integrationrule r__c (label('R'), connection('c__c'), {head}
        integration_point('{point}'), {rules});"""
    known = run(CONTEXT + mdl)
    return rule_warnings(known.components["Integrationrule", "r__c"], known)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((KEY,), []),
        ((part("f__c", read("x__v")),), ["no field rule gives o__c a key"]),
        # What users may not edit is the connection's to write.
        ((KEY, part("set__c", read("x__v"))), []),
        ((KEY, part("created_date__v", read("x__v"))), ["created_date__v: the Vault"]),
        ((part("global_id__sys", read("link__sys")),), []),
        ((KEY, part("p__c", "field_default('a__c')")), []),
        ((KEY, part("p__c", "field_default('A')")), ["p__c has no active value A"]),
        ((KEY, part("p__c", "field_default('old__c')")), ["no active value old__c"]),
        (
            (KEY, part("f__c", read("x__v")), part("f__c", read("y__v"))),
            ["f2__c: Fieldrule f1__c fills the same field"],
        ),
        ((KEY, part("f__c", read("x__v")), part("f__c", read("y__v") + KEEP)), []),
        (
            (KEY, part("f__c", read("x__v")), part("f__c", "field_default('d')")),
            ["f2__c: it has a default, so that the value of Fieldrule f1__c is never"],
        ),
        (
            (KEY, part("f__c", "field_default('d')"), part("f__c", read("x__v") + KEEP)),
            [],
        ),
        ((KEY, part("f__c", read("x__v")), part("f__c", read("y__v") + ", active(false)")), []),
    ],
)  # fmt: skip
def test_what_can_hardly_be_meant(parts: tuple[str, ...], expected: list[str]) -> None:
    found = warnings(*parts)
    assert len(found) == len(expected), found
    for text, words in zip(found, expected, strict=True):
        assert words in text
        assert text.startswith("Integrationrule.r__c: ")


def test_query_objects_without_a_primary_one_may_share_a_target() -> None:
    both = (part("f__c", read("x__v")), part("f__c", read("x__v", of="d__v")))
    assert warnings(KEY, *both, head="") == []


def test_points_that_are_delivered_may_have_keys_of_their_own() -> None:
    assert warnings(part("f__c", read("x__v")), point="point__v") == []


@pytest.mark.parametrize("standard", [MEDICAL, CRM])
def test_the_delivered_rules_have_no_warning(standard: Path) -> None:
    known = registry(standard)
    rules = [each for (kind, _), each in known.components.items() if kind == "Integrationrule"]  # fmt: skip
    assert rules
    assert [text for rule in rules for text in rule_warnings(rule, known)] == []
