"""The form of a Field Rule: each attribute stands in one group, and what is folded away is not overlooked."""

from __future__ import annotations

from dataclasses import replace

from shared.vault.admin.attributes import attribute_inputs
from shared.vault.admin.rule_form_groups import RARE, groups_of
from shared.vault.components.component_tree import Component
from shared.vault.components.rule_changes import RULE
from shared.vault.components.types import COMPONENT_TYPES

PARTS = COMPONENT_TYPES[RULE].subtypes
INPUTS = attribute_inputs(
    PARTS["Fieldrule"], Component("Fieldrule", ""), frozenset(), {}
)


def test_each_attribute_stands_in_one_group() -> None:
    groups = groups_of("Fieldrule", INPUTS)
    shown = [each.name for group in groups for each in group.inputs]
    assert sorted(shown) == sorted(PARTS["Fieldrule"].attributes)
    assert max(len(group.inputs) for group in groups) <= 5


def test_what_is_rarely_needed_is_unfolded_where_it_says_something() -> None:
    rare = groups_of("Fieldrule", INPUTS)[-1]
    assert (rare.title, rare.used) == (RARE, False)
    select = next(each for each in rare.inputs if each.name == "query_field_select")
    for said in (replace(select, value="x"), replace(select, error="x")):
        changed = [said if each is select else each for each in INPUTS]
        assert groups_of("Fieldrule", changed)[-1].used


def test_few_attributes_need_no_groups() -> None:
    kind = PARTS["Queryobjectrule"]
    inputs = attribute_inputs(kind, Component(kind.name, ""), frozenset(), {})
    (group,) = groups_of("Queryobjectrule", inputs)
    assert (list(group.inputs), group.title) == (inputs, "")
