"""Inputs of forms: each type of field has one, and unchanged values are not stored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.vault.access.caller import (
    BUSINESS_USER,
    SYSTEM_ADMIN,
    Caller,
    SecurityProfile,
)
from shared.vault.admin.inputs import (
    InputKind,
    changed,
    editable,
    entered,
    kind_of,
    text_of,
)
from shared.vault.components.platform import LINK
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import Field, FieldType, VaultObject

REGISTRY = Registry.build(())


def field(type: FieldType, name: str = "a__c", **more: Any) -> Field:
    return Field(name, "Label", type, **more)


def context(profile: SecurityProfile) -> Any:
    return SimpleNamespace(caller=Caller(2, "somebody@vault.example", profile))


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        (FieldType.ID, InputKind.TEXT),
        (FieldType.STRING, InputKind.TEXT),
        (FieldType.LONG_TEXT, InputKind.TEXT_AREA),
        (FieldType.RICH_TEXT, InputKind.TEXT_AREA),
        (FieldType.NUMBER, InputKind.NUMBER),
        (FieldType.BOOLEAN, InputKind.SELECT),
        (FieldType.DATE, InputKind.DATE),
        (FieldType.DATE_TIME, InputKind.DATE_TIME),
        (FieldType.PICKLIST, InputKind.SELECT),
        (FieldType.OBJECT, InputKind.TEXT),
        (FieldType.ATTACHMENT, InputKind.TEXT),
    ],
)
def test_the_input_of_a_type(type: FieldType, kind: InputKind) -> None:
    assert kind_of(type) is kind


@pytest.mark.parametrize(
    ("type", "value", "text"),
    [
        (FieldType.STRING, None, ""),
        (FieldType.STRING, "a", "a"),
        (FieldType.BOOLEAN, True, "true"),
        (FieldType.NUMBER, "1.50", "1.50"),
        (FieldType.DATE_TIME, "2026-01-31T10:00:00.000Z", "2026-01-31T10:00:00.000"),
        (FieldType.PICKLIST, ["a__c", "b__c"], "a__c,b__c"),
    ],
)
def test_a_value_in_an_input(type: FieldType, value: object, text: str) -> None:
    assert text_of(field(type), value) == text


@pytest.mark.parametrize(
    "left_out",
    [
        field(FieldType.STRING, active=False),
        field(FieldType.STRING, editable=False),
        field(FieldType.STRING, system=True),
        field(FieldType.ATTACHMENT),
        field(FieldType.STRING, "name__v", system_managed_name=True),
    ],
)
def test_what_a_user_cannot_set_has_no_input(left_out: Field) -> None:
    own = field(FieldType.STRING, "own__c")
    target = VaultObject(
        "o__c", "O", "Os", "00O", fields={each.name: each for each in (left_out, own)}
    )
    assert editable(context(SYSTEM_ADMIN), target) == [own]


@pytest.mark.parametrize(
    ("profile", "fills_in"), [(SYSTEM_ADMIN, 1), (BUSINESS_USER, 0)]
)
def test_a_link_is_filled_in_by_administrators(
    profile: SecurityProfile, fills_in: int
) -> None:
    target = VaultObject("o__c", "O", "Os", "00O", fields={LINK.name: LINK})
    assert editable(context(profile), target) == [LINK] * fills_in


def test_lines_of_a_text_area_end_as_they_did() -> None:
    fields = [field(FieldType.LONG_TEXT)]
    form = {"a__c": "one\r\ntwo", "other": "x"}
    assert entered(fields, form, REGISTRY) == {"a__c": "one\ntwo"}


def test_a_field_that_the_form_does_not_have_is_not_changed() -> None:
    assert entered([field(FieldType.STRING)], {}, REGISTRY) == {}


def test_only_what_differs_is_stored() -> None:
    fields = [
        field(FieldType.STRING, "same__c"),
        field(FieldType.STRING, "new__c"),
        field(FieldType.STRING, "emptied__c"),
        field(FieldType.BOOLEAN, "switch__c"),
    ]
    row = {"same__c": "a", "new__c": "c", "emptied__c": "", "switch__c": "true"}
    record = {"same__c": "a", "new__c": "b", "emptied__c": "x", "switch__c": True}
    assert changed(fields, row, record) == {"new__c": "c", "emptied__c": ""}


def test_values_of_a_picklist_have_no_order() -> None:
    fields = [field(FieldType.PICKLIST, multi_value=True)]
    assert changed(fields, {"a__c": ["x", "y"]}, {"a__c": ["y", "x"]}) == {}
    assert changed(fields, {"a__c": ["x"]}, {"a__c": ["y", "x"]}) == {"a__c": ["x"]}


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ({"a__c": "Ada", "a__c.id": "V1", "a__c.text": "Ada"}, "V1"),
        # Another name was typed where no script has taken the id away.
        ({"a__c": "Bo", "a__c.id": "V1", "a__c.text": "Ada"}, "Bo"),
        ({"a__c": "Ada", "a__c.id": "", "a__c.text": ""}, "Ada"),
        ({"a__c": "", "a__c.id": "V1", "a__c.text": "Ada"}, ""),
        ({"a__c": "V1"}, "V1"),
    ],
)
def test_of_offered_records_the_one_that_was_chosen_is_sent(
    form: dict[str, str], value: str
) -> None:
    fields = [field(FieldType.OBJECT, object="b__c")]
    assert entered(fields, form, REGISTRY) == {"a__c": value}
