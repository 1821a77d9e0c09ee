"""Data stored under a component's old name moves to its new name, statement by statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from shared.vault.components.evolution import Renaming
from shared.vault.components.registry import object_type_id
from shared.vault.configuration.stored_data import follow
from tests.unit.components.builders import run

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

REGISTRY = run(
    """
CREATE Picklist color__c (label('Color'), Picklistentry red__c (value('Red')));
CREATE Objectlifecycle life__c (label('Life'), starting_state('begun__c'),
    Objectlifecyclestate begun__c (label('Begun')));
CREATE Object product__c (label('Product'), prefix('V0P'), lifecycle('Objectlifecycle.life__c'),
    Field color__c (label('Color'), type('Picklist'), picklist('Picklist.color__c')),
    Field colors__c (label('Colors'), type('Picklist'), picklist('Picklist.color__c'), multi_value(true)));
CREATE Object other__c (label('Other'), prefix('V0Q'));
"""
)


MANY_VALUES = (
    'UPDATE records."product__c" SET "colors__c" = array_replace("colors__c", $1, $2)'
    ' WHERE "colors__c" && ARRAY[$1]'
)


class Recorder:
    """A connection that records statements instead of executing them."""

    def __init__(self) -> None:
        self.executed: list[tuple[object, ...]] = []

    async def execute(self, *arguments: object) -> None:
        self.executed.append(arguments)


async def executed(renaming: Renaming) -> list[tuple[Any, ...]]:
    recorder = Recorder()
    await follow(cast("Connection", recorder), REGISTRY, renaming)
    return recorder.executed


@pytest.mark.parametrize(
    ("renaming", "expected"),
    [
        (
            Renaming("Objectlifecycle", "life__c", "lives__c"),
            [
                (
                    'UPDATE records."product__c" SET lifecycle__v = $2 WHERE lifecycle__v = $1',
                    "life__c",
                    "lives__c",
                )
            ],
        ),
        (
            Renaming(
                "Objectlifecycle",
                "life__c",
                "new__c",
                "Objectlifecyclestate",
                "begun__c",
            ),
            [
                (
                    'UPDATE records."product__c" SET state__v = $2 WHERE state__v = $1',
                    "begun__c",
                    "new__c",
                )
            ],
        ),
        (
            Renaming("Picklist", "color__c", "rouge__c", "Picklistentry", "red__c"),
            [
                (
                    'UPDATE records."product__c" SET "color__c" = $2 WHERE "color__c" = $1',
                    "red__c",
                    "rouge__c",
                ),
                (
                    MANY_VALUES,
                    "red__c",
                    "rouge__c",
                ),
            ],
        ),
        (
            Renaming("Objecttype", "product__c.drug__c", "product__c.device__c"),
            [
                (
                    'UPDATE records."product__c" SET object_type__v = $2 WHERE object_type__v = $1',
                    object_type_id("product__c", "drug__c"),
                    object_type_id("product__c", "device__c"),
                )
            ],
        ),
    ],
)
async def test_records_hold_the_new_name(
    renaming: Renaming, expected: list[tuple[Any, ...]]
) -> None:
    assert await executed(renaming) == expected


async def test_an_object_takes_its_rows_of_the_platform_with_it() -> None:
    statements = await executed(Renaming("Object", "other__c", "another__c"))
    updates = [entry for entry in statements if entry[1:]]
    assert updates[:4] == [
        (
            f"UPDATE platform.{table} SET object = $2 WHERE object = $1",
            "other__c",
            "another__c",
        )
        for table in ("deletion", "record_role", "attachment", "lineage_call")
    ]
    assert any("RENAME TO" in entry[0] for entry in statements)


async def test_tables_are_renamed_before_their_rows_are_written() -> None:
    statements = await executed(Renaming("Object", "product__c", "item__c"))
    with_values = [bool(entry[1:]) for entry in statements]
    assert with_values == sorted(with_values)
    assert any("item__c" in entry[0] for entry in statements)


async def test_users_and_groups_follow_a_security_profile() -> None:
    renaming = Renaming("Securityprofile", "agent__c", "advisor__c")
    users, groups = await executed(renaming)
    assert users[0].startswith('UPDATE records."user__sys" SET security_profile__sys')
    assert "platform.user_group" in groups[0]
    assert users[1:] == groups[1:] == ("agent__c", "advisor__c")


@pytest.mark.parametrize(
    "renaming",
    [
        Renaming("Queue", "queue__c", "other__c"),
        Renaming("Object", "none__c", "other__c", "Field", "color__c"),
        Renaming("Object", "product__c", "other__c", "Field", "none__c"),
        Renaming("Picklist", "color__c", "other__c"),
    ],
)
async def test_what_no_row_holds_moves_nothing(renaming: Renaming) -> None:
    assert await executed(renaming) == []
