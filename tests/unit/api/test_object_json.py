"""Object metadata: the members that clients read, built from the registry."""

from __future__ import annotations

from typing import Any

import pytest

from shared.vault.api.object_json import field_document, object_document, object_summary, source
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry

PATH = "/api/v25.1"
MDL = """
RECREATE Picklist color__v ( label('Color'), Picklistentry red__v ( label('Red') ) );
RECREATE Object country__v ( label('Country'), label_plural('Countries'), prefix('00C') );
RECREATE Object case__v ( label('Case'), prefix('0CS'), allow_types(true), in_menu(false),
  Field name__v ( system_managed_name(true), value_format('C-{0000}') ),
  Field country__v ( label('Country'), type('Object'), object('Object.country__v'), relationship_type('parent'),
    relationship_deletion('cascade'), relationship_inbound_name('cases__vr') ),
  Field color__c ( label('Color'), type('Picklist'), picklist('Picklist.color__v'), multi_value(true) ),
  Field amount__v ( label('Amount'), type('Number'), scale(2), min_value(0), required(true) ) );
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.build(statement.component for statement in parse(MDL) if statement.component is not None)


def fields(registry: Registry) -> dict[str, Any]:
    document: Any = object_document(registry.objects["case__v"], registry, PATH)
    return {field["name"]: field for field in document["fields"]}


def test_object(registry: Registry) -> None:
    document: Any = object_document(registry.objects["case__v"], registry, PATH)
    assert document["url"] == "/api/v25.1/metadata/vobjects/case__v"
    assert (document["label_plural"], document["prefix"], document["in_menu"]) == ("Cases", "0CS", False)
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
    document: Any = object_document(registry.objects["country__v"], registry, PATH)
    (relationship,) = document["relationships"]
    assert relationship["relationship_name"] == "cases__vr"
    assert relationship["relationship_type"] == "child"
    assert relationship["object"]["name"] == "case__v"


def test_fields(registry: Registry) -> None:
    by_name = fields(registry)
    assert by_name["country__v"]["object"]["name"] == "country__v"
    assert by_name["country__v"]["relationship_outbound_name"] == "country__vr"
    assert by_name["country__v"]["relationship_inbound_name"] == "cases__vr"
    assert (by_name["color__c"]["picklist"], by_name["color__c"]["multi_value"]) == ("color__v", True)
    assert by_name["color__c"]["source"] == "custom"
    assert (by_name["amount__v"]["scale"], by_name["amount__v"]["min_value"]) == (2, 0)
    assert by_name["amount__v"]["required"]
    assert by_name["name__v"]["system_managed_name"]
    assert by_name["name__v"]["value_format"] == "C-{0000}"
    assert not by_name["id"]["editable"]
    assert "max_length" not in by_name["amount__v"]


def test_one_field_is_the_same_as_in_the_list(registry: Registry) -> None:
    listed = fields(registry)["amount__v"]
    field = registry.objects["case__v"].fields["amount__v"]
    assert field_document(field, listed["order"], registry, PATH) == listed


def test_summary(registry: Registry) -> None:
    summary = object_summary(registry.objects["country__v"], 3, PATH)
    assert (summary["order"], summary["configuration_state"]) == (3, "STEADY_STATE")


def test_source_is_told_by_the_suffix() -> None:
    assert [source(n) for n in ("a__v", "a__c", "a__sys", "id")] == ["standard", "custom", "system", "standard"]
