"""The offered beginnings of scripts are valid MDL, for every command and type."""

from __future__ import annotations

import pytest

from shared.vault.admin.mdl_completion import (
    COMMANDS,
    NEW_NAME,
    completion_of,
    statement_text,
)
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.components.statement import Command
from shared.vault.components.types import COMPONENT_TYPES

SHADE = Component(
    "Picklist",
    "shade__c",
    {"label": ("Shade",)},
    (Component("Picklistentry", "dark__c", {"label": ("Dark",)}),),
)
REGISTRY = Registry.build([SHADE])


def begun(command: str, kind: str, name: str = "", part: str = "") -> str:
    form = {"of_command": command, "of_type": kind, "of_name": name, "of_part": part}
    return statement_text(REGISTRY, completion_of(form))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_begun_is_mdl_about_the_type(command: Command) -> None:
    for name, kind in COMPONENT_TYPES.items():
        for part in ("", *kind.attributes, *kind.subtypes):
            (statement,) = parse(begun(command, name, part=part))
            assert (statement.command, statement.key) == (command, (name, NEW_NAME))


@pytest.mark.parametrize(
    ("command", "part", "text"),
    [
        ("RECREATE", "", "Picklistentry dark__c"),
        ("ALTER", "label", "label('Shade')"),
        ("ALTER", "Picklistentry", f"ADD Picklistentry {NEW_NAME}"),
        ("DROP", "", "DROP Picklist shade__c;"),
        ("nonsense", "", "ALTER Picklist shade__c"),
    ],
)
def test_what_is_there_is_written_out(command: str, part: str, text: str) -> None:
    assert text in begun(command, "Picklist", "shade__c", part)


def test_a_type_that_is_not_there_begins_nothing() -> None:
    assert begun("CREATE", "Nothing") == ""
