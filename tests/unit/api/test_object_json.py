"""Object metadata: the members that clients read, built from the registry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.vault.access.caller import SYSTEM
from shared.vault.api.object_json import (
    field_document,
    object_document,
    object_summary,
    source,
)
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.configuration.component_table import ObjectDates, Stamp

PATH = "/api/v25.1"
MADE, CHANGED = (
    datetime(2026, 1, 31, 10, tzinfo=UTC),
    datetime(2026, 2, 28, 10, tzinfo=UTC),
)
DATES = ObjectDates(
    Stamp(1, MADE, 2, CHANGED), {"color__c": Stamp(2, CHANGED, 2, CHANGED)}
)
MDL = """
RECREATE Picklist color__v ( label('Color'), Picklistentry red__v ( label('Red') ) );
RECREATE Object country__v ( label('Country'), label_plural('Countries'), prefix('00C') );
RECREATE Object case__v ( label('Case'), prefix('0CS'), allow_types(true), in_menu(false), order(7),
  Field name__v ( system_managed_name(true), value_format('C-{0000}') ),
  Field country__v ( label('Country'), type('Object'), object('Object.country__v'), relationship_type('parent'),
    relationship_deletion('cascade'), relationship_inbound_name('cases__vr') ),
  Field color__c ( label('Color'), type('Picklist'), picklist('Picklist.color__v'), multi_value(true) ),
  Field amount__v ( label('Amount'), type('Number'), scale(2), min_value(0), required(true), order(40),
    list_column(true), facetable(true), no_copy(true), help_content('How much'), description('In all'),
    format_mask('0.00') ) );
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.build(
        statement.component
        for statement in parse(MDL)
        if statement.component is not None
    )


def fields(registry: Registry) -> dict[str, Any]:
    document: Any = object_document(
        registry.objects["case__v"], registry, PATH, DATES, SYSTEM
    )
    return {field["name"]: field for field in document["fields"]}


def test_object(registry: Registry) -> None:
    document: Any = object_document(
        registry.objects["case__v"], registry, PATH, DATES, SYSTEM
    )
    assert document["url"] == "/api/v25.1/metadata/vobjects/case__v"
    assert (document["label_plural"], document["prefix"], document["in_menu"]) == (
        "Cases",
        "0CS",
        False,
    )
    assert (document["allow_types"], document["default_obj_type"]) == (True, "base__v")
    assert [t["name"] for t in document["object_types"]] == ["base__v"]
    assert document["status"] == ["active__v"]
    assert document["relationships"] == [
        {
            "relationship_name": "country__vr",
            "relationship_label": "Country",
            "field": "country__v",
            "relationship_type": "parent",
            "relationship_deletion": "cascade",
            "object": {
                "url": "/api/v25.1/metadata/vobjects/country__v",
                "label": "Country",
                "name": "country__v",
                "label_plural": "Countries",
                "prefix": "00C",
            },
        }
    ]


def test_the_other_side_of_a_relationship(registry: Registry) -> None:
    document: Any = object_document(
        registry.objects["country__v"], registry, PATH, DATES, SYSTEM
    )
    (relationship,) = document["relationships"]
    assert relationship["relationship_name"] == "cases__vr"
    assert relationship["relationship_type"] == "child"
    assert relationship["object"]["name"] == "case__v"


def test_fields(registry: Registry) -> None:
    by_name = fields(registry)
    assert by_name["country__v"]["object"]["name"] == "country__v"
    assert by_name["country__v"]["relationship_outbound_name"] == "country__vr"
    assert by_name["country__v"]["relationship_inbound_name"] == "cases__vr"
    assert (by_name["color__c"]["picklist"], by_name["color__c"]["multi_value"]) == (
        "color__v",
        True,
    )
    assert by_name["color__c"]["source"] == "custom"
    assert (by_name["amount__v"]["scale"], by_name["amount__v"]["min_value"]) == (2, 0)
    assert by_name["amount__v"]["required"]
    assert by_name["name__v"]["system_managed_name"]
    assert by_name["name__v"]["value_format"] == "C-{0000}"
    assert not by_name["id"]["editable"]
    assert "max_length" not in by_name["amount__v"]


def test_flags_of_fields_are_always_there(registry: Registry) -> None:
    by_name = fields(registry)
    # Vault API reference, Retrieve Object Field Metadata.
    flags = ("encrypted", "system_managed_name", "sequential_naming", "list_column")
    for field in by_name.values():
        assert {type(field[flag]) for flag in (*flags, "facetable", "unique")} == {bool}
        texts = ("description", "help_content", "format_mask", "value_format")
        assert all(field[text] is None or field[text] for text in texts)
    assert by_name["name__v"]["sequential_naming"] is True
    assert by_name["amount__v"]["system_managed_name"] is False


def test_texts_of_objects_are_always_there(registry: Registry) -> None:
    document: Any = object_document(
        registry.objects["case__v"], registry, PATH, DATES, SYSTEM
    )
    assert (document["help_content"], document["user_role_setup_object"]) == (
        None,
        None,
    )


def test_one_field_is_the_same_as_in_the_list(registry: Registry) -> None:
    listed = fields(registry)["amount__v"]
    assert (
        field_document(
            registry.objects["case__v"], "amount__v", registry, PATH, DATES, SYSTEM
        )
        == listed
    )


def test_summary(registry: Registry) -> None:
    summary = object_summary(registry.objects["country__v"], 3, registry, PATH)
    assert (summary["order"], summary["configuration_state"]) == (3, "STEADY_STATE")
    assert object_summary(registry.objects["case__v"], 1, registry, PATH)["order"] == 7


def test_who_made_what_and_when(registry: Registry) -> None:
    document: Any = object_document(
        registry.objects["case__v"], registry, PATH, DATES, SYSTEM
    )
    made = {"created_by": 1, "created_date": "2026-01-31T10:00:00.000Z"}
    changed = {"modified_by": 2, "modified_date": "2026-02-28T10:00:00.000Z"}
    assert document.items() >= (made | changed).items()
    by_name = fields(registry)
    added = {"created_by": 2, "created_date": changed["modified_date"], **changed}
    assert by_name["color__c"].items() >= added.items()
    # What the platform brings came with the object.
    assert (
        by_name["id"].items()
        >= (made | {"modified_by": 1, "modified_date": made["created_date"]}).items()
    )


def test_what_mdl_says_of_order_and_kept_attributes(registry: Registry) -> None:
    document: Any = object_document(
        registry.objects["case__v"], registry, PATH, DATES, SYSTEM
    )
    by_name = fields(registry)
    assert document["order"] == 7
    assert [by_name[name]["order"] for name in ("id", "amount__v")] == [0, 40]
    amount = by_name["amount__v"]
    assert (
        amount["list_column"],
        amount["facetable"],
        amount["no_copy"],
        amount["encrypted"],
    ) == (
        True,
        True,
        True,
        False,
    )
    assert (amount["help_content"], amount["description"], amount["format_mask"]) == (
        "How much",
        "In all",
        "0.00",
    )
    assert "checkbox" not in amount and "subtype" not in amount


def test_the_source_is_read_from_the_suffix() -> None:
    assert [source(n) for n in ("a__v", "a__c", "a__sys", "id")] == [
        "standard",
        "custom",
        "system",
        "standard",
    ]
