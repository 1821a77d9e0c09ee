"""Components as Vaults export them are executed, read back, and referred to."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_tree import Component, Embedded
from shared.vault.components.mdl import parse
from shared.vault.components.mdl_writing import render
from shared.vault.components.ordering import in_order
from shared.vault.components.registry import Registry
from shared.vault.components.schema_changes import plan
from shared.vault.model.component_model import FieldType
from tests.unit.components.builders import run

FILE = Path(__file__).with_name("real_shapes.mdl")
REQUEST = "sample_request__c"


@cache
def registry() -> Registry:
    return run(FILE.read_text(encoding="utf-8"))


def test_a_script_with_a_byte_order_mark_and_carriage_returns_is_the_same() -> None:
    text = FILE.read_text(encoding="utf-8")
    again = run("\ufeff" + text.replace("\n", "\r\n"))
    assert again.objects == registry().objects
    assert set(again.components) == set(registry().components)


@pytest.mark.parametrize("key", [".".join(key) for key in registry().components])
def test_every_component_executes_to_itself(key: str) -> None:
    component = registry().components[tuple(key.split(".", 1))]  # type: ignore[index]
    text = render(component)
    assert [statement.component for statement in parse(text)] == [component]
    again = run(text, registry())
    assert again.components[component.key] == component
    assert render(again.components[component.key]) == text
    assert Component.from_json(component.to_json()) == component


def test_fields_of_an_exported_object() -> None:
    request = registry().objects[REQUEST]
    assert request.lifecycle == "sample_request_lifecycle__c"
    assert len(request.prefix) == 3
    fields = request.fields
    assert (
        fields["created_by__v"].type is FieldType.NUMBER
    )  # what the Vault sets stays as it sets it
    assert fields["state__v"].type is FieldType.STRING
    assert (fields["name__v"].value_format, fields["name__v"].unique) == (
        "SR-{000000}",
        True,
    )
    assert fields["link__sys"].max_length == 255
    assert (
        fields["cost__c"].type,
        fields["cost__c"].scale,
        fields["cost__c"].min_value,
    ) == (FieldType.NUMBER, 2, 0.5)
    assert fields["carrier__c"].type is FieldType.STRING
    assert (
        fields["recipient__c"].object,
        fields["recipient__c"].relationship_type,
    ) == (
        "sample_recipient__c",
        "parent",
    )
    assert not {"days_open__c", "form__c", "recipient_name__c", "stage__sys"} & set(
        fields
    )
    assert plan(None, request).statements


def test_what_records_do_not_hold_is_kept_with_the_object() -> None:
    component = registry().components["Object", REQUEST]
    kept = component.child("Field", "days_open__c")
    assert kept is not None
    assert isinstance(kept.first("formula"), Embedded)


@pytest.mark.parametrize(
    ("key", "part", "attribute", "beginning"),
    [
        (
            ("Messageprocessor", "com.example.processors.SampleMessageProcessor"),
            None,
            "source_code",
            "package com.example",
        ),
        (
            ("Actiontrigger", "sample_large_request__c"),
            ("Actionblock", "sample_block__c"),
            "code",
            "IF\n",
        ),
    ],
)
def test_code_is_what_stands_between_the_tags(
    key: tuple[str, str],
    part: tuple[str, str] | None,
    attribute: str,
    beginning: str,
) -> None:
    component = registry().components[key]
    holder = component.child(*part) if part else component
    assert holder is not None
    code = holder.first(attribute)
    assert isinstance(code, Embedded)
    assert code.content.startswith(beginning)
    assert "</" not in code.content


def test_states_of_an_exported_lifecycle() -> None:
    lifecycle = registry().lifecycles["sample_request_lifecycle__c"]
    assert lifecycle.starting_state == "opened_state__c"
    opened, shipped = (
        lifecycle.states["opened_state__c"],
        lifecycle.states["shipped_state__c"],
    )
    assert (opened.state_type, shipped.state_type) == (
        "initial_state__sys",
        "complete_state__sys",
    )
    assert (opened.record_status, shipped.record_status) == ("active__v", "inactive__v")
    # Of all that rules may say, the start of a workflow is done here; the rest is kept.
    started = [(each.action, each.workflow) for each in opened.user_actions]
    assert started == [("start_workflow", "sample_shipment__c")]
    assert (shipped.entry_actions, shipped.entry_criteria) == ((), ())


def test_values_of_an_exported_picklist() -> None:
    entries = registry().picklists["sample_urgency__c"].entries
    assert [(e.name, e.label, e.active) for e in entries.values()] == [
        ("high__c", "High", True),
        ("low__c", "Low, or 'none'", False),
        ("undefined__c", "Undefined", True),
    ]


def test_an_exported_action_belongs_to_its_object() -> None:
    (action,) = registry().objects[REQUEST].actions
    assert (action.name, action.action) == (
        "print_label__c",
        "Recordaction.com.example.actions.PrintLabelAction",
    )


@pytest.mark.parametrize(
    ("used", "user"),
    [
        (("Object", REQUEST), ("Tab", "samples__c")),  # a bare name
        (
            ("Object", REQUEST),
            ("Pagelayout", "sample_request_detail_page_layout__c"),
        ),  # within XML
        (
            ("Object", REQUEST),
            ("Objectvalidation", f"{REQUEST}.address_needed__c"),
        ),  # by its own name
        (
            ("Object", REQUEST),
            ("Permissionset", "sample_permissions__c"),
        ),  # from a sub-component
        (("Object", "sample_recipient__c"), ("Object", REQUEST)),
        (
            ("Objectworkflow", "sample_shipment__c"),
            ("Objectlifecycle", "sample_request_lifecycle__c"),
        ),
        (
            ("Objectlifecycle", "sample_request_lifecycle__c"),
            ("Objectworkflow", "sample_shipment__c"),
        ),
        (
            ("Messageprocessor", "com.example.processors.SampleMessageProcessor"),
            ("Queue", "sample_inbound__c"),
        ),
        (
            ("Permissionset", "sample_permissions__c"),
            ("Securityprofile", "sample_profile__c"),
        ),
        (("Pagelayout", "sample_request_detail_page_layout__c"), None),
    ],
)
def test_what_is_used_cannot_be_dropped(
    used: tuple[str, str], user: tuple[str, str] | None
) -> None:
    users = registry().used_in[used]
    assert user is None or user in users
    with pytest.raises(ComponentError, match="is in use by") as caught:
        run(f"DROP {used[0]} {used[1]};", registry())
    assert caught.value.code is Code.IN_USE


def test_what_a_kept_component_names_need_not_exist() -> None:
    assert ("Docfield", "country__c") not in registry().components
    assert ("Doctype", "sample_form__c") in registry().components


def test_they_can_be_put_in_an_order_in_which_they_are_executed() -> None:
    again = Registry.build()
    for component in in_order(reversed(list(registry().components.values()))):
        again = again.with_component(component)
    assert again.objects == registry().objects


def test_a_renamed_object_is_renamed_wherever_it_is_named() -> None:
    renamed = run(f"RENAME Object {REQUEST} TO parcel__c;", registry())
    text = "".join(map(render, renamed.components.values()))
    assert REQUEST not in text
    assert renamed.objects["parcel__c"].prefix == registry().objects[REQUEST].prefix
    assert ("Objectaction", "parcel__c.print_label__c") in renamed.components
    back = run(f"RENAME Object parcel__c TO {REQUEST};", renamed)
    assert dict(back.components) == dict(registry().components)
