"""Components and their types are described as the API returns them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.vault.components.description import configuration_json, type_metadata, type_summary
from shared.vault.components.errors import ComponentError
from shared.vault.components.mdl import parse
from shared.vault.components.types import COMPONENT_TYPES


def test_configuration_of_a_picklist() -> None:
    (statement,) = parse("CREATE Picklist c__c (label('C'), Picklistentry r__c (label('Red'), order(1)));")
    assert statement.component is not None
    assert configuration_json(statement.component) == {
        "name": "c__c",
        "label": "C",
        "active": True,
        "description": None,
        "Picklistentry": [{"name": "r__c", "label": "Red", "active": True, "order": 1}],
        "used_in": [],
    }


def test_configuration_of_nested_and_open_types() -> None:
    (statement,) = parse(
        "CREATE Objectlifecycle l__c (label('L'), starting_state('s__c'), Objectlifecyclestate s__c (label('S'),"
        " Objectlifecyclestateuseraction u__c (label('U'), action('x'), prompts('a__c', 'b__c')),"
        " Objectlifecyclestateentryaction e__c (action('y'), queue('q__c'), codes(1, 2))));"
    )
    assert statement.component is not None
    document: dict[str, Any] = configuration_json(statement.component)
    (state,) = document["Objectlifecyclestate"]
    (user_action,) = state["Objectlifecyclestateuseraction"]
    (entry_action,) = state["Objectlifecyclestateentryaction"]
    assert user_action["prompts"] == ["a__c", "b__c"]
    assert (entry_action["queue"], entry_action["codes"]) == ("q__c", [1, 2])


@pytest.mark.parametrize("name", COMPONENT_TYPES)
def test_metadata_of_every_type(name: str) -> None:
    metadata: dict[str, Any] = type_metadata(name)
    assert metadata["class"] == "metadata"
    assert {"name", "type", "requiredness", "max_length", "editable", "multi_value"} <= set(metadata["attributes"][0])
    assert "attributes" not in type_summary(name)


def test_metadata_lists_what_an_enumeration_allows() -> None:
    metadata: dict[str, Any] = type_metadata("Queue")
    attributes = {a["name"]: a for a in metadata["attributes"]}
    assert attributes["type"]["enums"] == [{"name": "inbound"}, {"name": "outbound"}, {"name": "job"}]
    assert attributes["label"]["max_length"] == 60


def test_unknown_type() -> None:
    with pytest.raises(ComponentError):
        type_metadata("Pagelayout")
