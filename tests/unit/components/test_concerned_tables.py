"""The tables that are locked against writes while components change."""

from __future__ import annotations

import pytest

from shared.vault.components.concerned_tables import concerned_tables
from shared.vault.components.evolution import steps
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from tests.unit.components.builders import run

CONTEXT = """
CREATE Picklist size__c (label('Size'), Picklistentry big__c (label('Big')), Picklistentry small__c (label('Small')));
CREATE Picklist other__c (label('Other'), Picklistentry one__c (label('One')));
CREATE Objectlifecycle life__c (label('Life'), starting_state('Objectlifecyclestate.new__c'),
  Objectlifecyclestate new__c (label('New')), Objectlifecyclestate old__c (label('Old')));
CREATE Queue out__c (label('Out'), type('outbound'));
CREATE Object thing__c (label('Thing'), prefix('V0T'), lifecycle('Objectlifecycle.life__c'), allow_types(true),
  Field size__c (label('Size'), type('Picklist'), picklist('Picklist.size__c')));
CREATE Objecttype thing__c.special__c (label('Special'));
CREATE Object part__c (label('Part'), prefix('V0P'),
  Field sizes__c (label('Sizes'), type('Picklist'), picklist('Picklist.size__c'), multi_value(true)),
  Field thing__c (label('Thing'), type('Object'), object('thing__c')));
CREATE Object user__sys (label('User'), prefix('V0U'));
CREATE Permissionset few__c (label('Few'));
CREATE Securityprofile few__c (label('Few'), permission_sets('few__c'));
CREATE Pagelayout page__c (label('Page'));
"""
THING, PART, USER = 'records."thing__c"', 'records."part__c"', 'records."user__sys"'


@pytest.fixture(scope="module")
def registry() -> Registry:
    return run(CONTEXT)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("ALTER Object thing__c (label('Other'));", [THING]),
        ("ALTER Object part__c (DROP Field sizes__c);", [PART]),
        ("CREATE Object new__c (label('New'), prefix('V0N'));", []),
        ("DROP Object part__c;", [PART]),
        ("ALTER Objecttype thing__c.special__c (label('Other'));", [THING]),
        ("DROP Objecttype thing__c.special__c;", [THING]),
        ("ALTER Picklist size__c (DROP Picklistentry small__c);", [PART, THING]),
        ("ALTER Picklist size__c (ADD Picklistentry huge__c (label('Huge')));", []),
        ("ALTER Picklist other__c (DROP Picklistentry one__c);", []),
        ("ALTER Objectlifecycle life__c (label('Other'));", [THING]),
        ("ALTER Securityprofile few__c (label('Other'));", [USER]),
        ("ALTER Permissionset few__c (label('Other'));", []),
        ("ALTER Queue out__c (active(false));", []),
        ("DROP Queue out__c;", ["platform.outbox"]),
        ("ALTER Pagelayout page__c (label('Other'));", []),
        ("RENAME Object thing__c TO matter__c;", [PART, THING]),
        ("RENAME Picklist size__c TO extent__c;", [PART, THING]),
    ],
)
def test_the_tables_of_a_change(
    registry: Registry, text: str, tables: list[str]
) -> None:
    (statement,) = parse(text)
    found: set[str] = set()
    for step in steps(statement, registry):
        found.update(concerned_tables(step))
    assert sorted(found) == tables
