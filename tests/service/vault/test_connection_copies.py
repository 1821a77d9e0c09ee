"""Copies of a connection have integrations, points, lookups, rules and queue connections of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.service.vault import module_vault
from tests.service.vault.served import Answer, Api

vault, api, admin = module_vault.vault, module_vault.api, module_vault.admin
integration = module_vault.integration
ORIGINAL = "medical_crm__v"
QUEUES = ("medical_crm_outbound_queue__v", "medical_crm_inbound_queue__v")
OF_CONNECTION = "connection__sysr.api_name__sys"
OF_INTEGRATION = f"integration__sysr.{OF_CONNECTION}"
POINTLESS = f"RECREATE Integrationrule pointless__c (label('Pointless'), connection('{ORIGINAL}'));"

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Belongings:
    """The records that belong to a connection."""

    integrations: Rows
    points: Rows
    lookups: Rows

    def numbers(self) -> tuple[int, int, int]:
        return len(self.integrations), len(self.points), len(self.lookups)


async def rows(admin: Api, text: str) -> Rows:
    found: Rows = (await admin.query(text)).data
    return found


async def belongings(admin: Api, connection: str) -> Belongings:
    return Belongings(
        await rows(
            admin,
            "SELECT integration_api_name__sys, copy_of__sys, status__v, last_successful_run_time__sys "
            f"FROM integration__sys WHERE {OF_CONNECTION} = '{connection}'",
        ),
        await rows(
            admin,
            "SELECT integration_point_api_name__sys, copy_of__sys FROM integration_point__sys "
            f"WHERE {OF_INTEGRATION} = '{connection}'",
        ),
        await rows(
            admin,
            f"SELECT lookup_key__sys FROM reference_lookup__sys WHERE {OF_CONNECTION} = '{connection}'",
        ),
    )


async def rules(admin: Api, connection: str) -> dict[str, dict[str, Any]]:
    """The rules of a connection by name."""
    listed = (await admin.get("/configuration/Integrationrule")).data
    return {rule["name"]: rule for rule in listed if rule["connection"] == connection}


async def duplicate(api: Api, name: str, original: str = ORIGINAL) -> Answer:
    fields = {"name": "A Copy", "api_name": name, "remote_vault_id": "20203"}
    path = f"/services/connections/{original}/actions/duplicate"
    return await api.post(path, data=fields)


async def execute(admin: Api, mdl: str) -> None:
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text


@pytest.fixture(scope="module")
async def copy(admin: Api) -> dict[str, Any]:
    """A copy of the standard connection, which has a rule without a point, too."""
    await execute(admin, POINTLESS)
    made = await duplicate(admin, "kept_copy__c")
    assert made.status == "SUCCESS", made.text
    answer = await admin.get(f"/vobjects/connection__sys/{made.data['id']}")
    record: dict[str, Any] = answer.data
    return record


async def test_a_copy_of_the_connection_has_everything_of_its_own(
    admin: Api, copy: dict[str, Any]
) -> None:
    assert (copy["state__v"], copy["remote_vault_id__sys"]) == (
        ["pending_state__sys"],
        "20203",
    )
    assert (copy["system_managed__sys"], copy["remote_vault_name__sys"]) == (
        False,
        None,
    )
    theirs = await belongings(admin, ORIGINAL)
    own = await belongings(admin, copy["api_name__sys"])
    assert own.numbers() == theirs.numbers()
    assert len(own.integrations) == 8
    assert {row["copy_of__sys"] for row in own.integrations} == {
        row["integration_api_name__sys"] for row in theirs.integrations
    }
    assert {row["copy_of__sys"] for row in own.points} == {
        row["integration_point_api_name__sys"] for row in theirs.points
    }
    assert {tuple(row["status__v"]) for row in own.integrations} == {("inactive__v",)}
    times = {row["last_successful_run_time__sys"] for row in own.integrations}
    assert times == {None}
    keys = [row["lookup_key__sys"] for row in own.lookups]
    assert all(key.startswith(f"{copy['api_name__sys']}:") for key in keys)


async def test_rules_of_a_copy_name_its_own_points(
    admin: Api, copy: dict[str, Any]
) -> None:
    points = (await belongings(admin, copy["api_name__sys"])).points
    originals = {
        row["integration_point_api_name__sys"]: row["copy_of__sys"] for row in points
    }
    theirs = await rules(admin, ORIGINAL)
    own = (await rules(admin, copy["api_name__sys"])).values()
    assert {rule["copy_of"] for rule in own} == set(theirs)
    for rule in own:
        original, point = theirs[rule["copy_of"]], rule.get("integration_point")
        expected = originals[point] if point else point
        assert original.get("integration_point") == expected
        assert len(rule["Fieldrule"]) == len(original["Fieldrule"])
    pointless = [rule for rule in own if rule["copy_of"] == "pointless__c"]
    assert [rule.get("integration_point") for rule in pointless] == [
        theirs["pointless__c"].get("integration_point")
    ]


async def test_the_queues_of_a_connection_name_its_copy(
    admin: Api, copy: dict[str, Any]
) -> None:
    for queue in QUEUES:
        mdl = (await admin.get(f"/api/mdl/components/Queue.{queue}")).text
        assert f"connection_name('{copy['api_name__sys']}')" in mdl


async def test_what_no_copy_is_made_of(
    admin: Api, integration: Api, copy: dict[str, Any]
) -> None:
    for answer, error in (
        (await duplicate(integration, "other__c"), "INSUFFICIENT_ACCESS"),
        (await duplicate(admin, "other__c", "nothing__v"), "INVALID_DATA"),
        (await duplicate(admin, "without_ending"), "INVALID_DATA"),
    ):
        assert answer.error == error
    taken = await duplicate(admin, copy["api_name__sys"])
    assert taken.status == "FAILURE"


async def test_a_copy_goes_and_the_original_stays(admin: Api) -> None:
    name = "passing_copy__c"
    theirs, their_rules = (
        await belongings(admin, ORIGINAL),
        await rules(admin, ORIGINAL),
    )
    assert (await duplicate(admin, name)).status == "SUCCESS"
    for queue in QUEUES:
        await execute(admin, f"ALTER Queue {queue} ( DROP Queueconnection {name} );")
    own_rules = await rules(admin, name)
    await execute(admin, "".join(f"DROP Integrationrule {rule};" for rule in own_rules))
    for object_name, by in (
        ("reference_lookup__sys", OF_CONNECTION),
        ("integration_point__sys", OF_INTEGRATION),
        ("integration__sys", OF_CONNECTION),
        ("connection__sys", "api_name__sys"),
    ):
        own = await rows(admin, f"SELECT id FROM {object_name} WHERE {by} = '{name}'")
        deleted = await admin.delete(f"/vobjects/{object_name}", json=own)
        assert {row["responseStatus"] for row in deleted.data} == {"SUCCESS"}
    assert await belongings(admin, ORIGINAL) == theirs
    assert await rules(admin, ORIGINAL) == their_rules
