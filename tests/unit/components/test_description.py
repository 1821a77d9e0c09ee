"""Components and their types are described as the API returns them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.vault.components.component_errors import ComponentError
from shared.vault.components.description import (
    configuration_json,
    object_type_json,
    type_metadata,
    type_summary,
)
from shared.vault.components.mdl import parse
from shared.vault.components.types import COMPONENT_TYPES
from tests.unit.components.builders import run


def test_configuration_of_a_picklist() -> None:
    (statement,) = parse(
        "CREATE Picklist c__c (label('C'), Picklistentry r__c (label('Red'), order(1)));"
    )
    assert statement.component is not None
    document = configuration_json(
        statement.component, [("Object", "b__c"), ("Object", "a__c")]
    )
    assert document["Picklistentry"] == [
        {
            "name": "r__c",
            "label": "Red",
            "active": True,
            "value": None,
            "order": 1,
            "controlling_entries": [],
        }
    ]
    assert {
        name: document[name]
        for name in ("name", "label", "active", "description", "used_in")
    } == {
        "name": "c__c",
        "label": "C",
        "active": True,
        "description": None,
        "used_in": ["Object.a__c", "Object.b__c"],
    }


def test_configuration_of_a_kept_type_has_everything_that_was_written() -> None:
    (statement,) = parse(
        "CREATE Tab t__c (label('T'), order(3), filter({<a/>}), parent(), many('x', 'y'),"
        " Subtab s__c (object('o__c')), Othertab u__c ());"
    )
    assert statement.component is not None
    assert configuration_json(statement.component) == {
        "name": "t__c",
        "label": "T",
        "active": True,
        "order": 3,
        "filter": "<a/>",
        "parent": None,
        "many": ["x", "y"],
        "Subtab": [{"name": "s__c", "label": None, "active": True, "object": "o__c"}],
        "Othertab": [{"name": "u__c", "label": None, "active": True}],
        "used_in": [],
    }


@pytest.mark.parametrize("written", ["Permissionset.{0}", "{0}"])
def test_a_profile_names_sets_whose_permissions_are_one_list(written: str) -> None:
    named = ", ".join(f"'{written.format(name)}'" for name in ("reads__c", "runs__c"))
    registry = run(
        "CREATE Permissionset reads__c (label('R'),"
        " Objectpermission shelf__c (object('Object.bell__c'), read(true), edit(true)),"
        " Objectpermission all_objects__sys (read(true)));"
        "CREATE Permissionset runs__c (label('S'), permissions('use_loader', 'read_audit'));"
        f"CREATE Securityprofile who__c (label('W'), permission_sets({named}));",
        run("CREATE Object bell__c (label('B'), prefix('ZBL'));"),
    )
    profile = configuration_json(registry.components["Securityprofile", "who__c"])
    assert profile["permission_sets"] == ["reads__c", "runs__c"]

    def listed(name: str) -> object:
        component = registry.components["Permissionset", name]
        return configuration_json(component)["permission"]

    assert listed("reads__c") == [
        {
            "object": name,
            "permission_group": "object",
            "permission_subgroup": "object_actions",
            "permission_list": allowed,
        }
        for name, allowed in (
            ("bell__c", ["edit", "read"]),
            ("all_objects__sys", ["read"]),
        )
    ]
    assert listed("runs__c") == [
        {
            "object": None,
            "permission_group": "vault",
            "permission_subgroup": "vault_actions",
            "permission_list": ["read_audit", "use_loader"],
        }
    ]


def test_an_object_type_lists_its_fields_or_all_of_them() -> None:
    registry = run(
        "CREATE Object o__c (label('O'), allow_types(true));"
        "CREATE Objecttype o__c.t__c (label('T'), Typefield name__v (required(true)));"
    )
    listed = {
        name: object_type_json(t, registry.objects["o__c"])
        for (_, name), t in registry.object_types.items()
    }
    assert listed["t__c"]["type_fields"] == [
        {"name": "name__v", "required": True, "source": "standard"}
    ]
    assert {"name": "global_id__sys", "required": True, "source": "system"} in listed[
        "base__v"
    ]["type_fields"]  # type: ignore[operator]
    assert (listed["base__v"]["name"], listed["base__v"]["object"]) == (
        "base__v",
        "o__c",
    )


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
    assert metadata["class"] == ("code" if COMPONENT_TYPES[name].code else "metadata")
    assert {
        "name",
        "type",
        "requiredness",
        "max_length",
        "editable",
        "multi_value",
    } <= set(metadata["attributes"][0])
    assert "attributes" not in type_summary(name)


def test_metadata_lists_what_an_enumeration_allows() -> None:
    metadata: dict[str, Any] = type_metadata("Queue")
    attributes = {a["name"]: a for a in metadata["attributes"]}
    assert attributes["type"]["enums"] == [
        {"name": "inbound"},
        {"name": "outbound"},
        {"name": "job"},
    ]
    assert attributes["label"]["max_length"] == 60


def test_unknown_type() -> None:
    with pytest.raises(ComponentError):
        type_metadata("Nothing")


def test_configuration_is_encoded_as_it_is() -> None:
    script = "CREATE Picklist c__c (label('C'), Picklistentry r__c (label('Red')));"
    (statement,) = parse(script)
    assert statement.component is not None
    document = configuration_json(statement.component)
    assert orjson.loads(orjson.dumps(document)) == document
