"""What still keeps a connection from working, in the order of correction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp

from tests.system import module_system
from tests.system.conditions import Connected, new_run
from tests.system.connector_calls import ConnectorCaller
from tests.system.test_transfer import create

running, connected = module_system.running, module_system.connected
CONNECTION = "connection__sys"
INTEGRATION = "medical_inquiry_details__v"
OUTBOUND = "crm_to_medical_outbound_queue__v"
POINT = "account_inbound__v"
PROFILE = "integration_manager__c"


async def readiness(asker: ConnectorCaller, connection: str = "medical_crm__v") -> Any:
    answer = await asker.ask("GET", f"readiness/medical/{connection}")
    assert answer["responseStatus"] == "SUCCESS", answer
    return answer["data"]


def found(answer: Any) -> list[tuple[str, int, str]]:
    """Each finding by its step, Vault and name."""
    return [(f["step"], f["vault_id"], f["name"]) for f in answer["findings"]]


async def test_faults_at_either_end_are_listed_in_the_order_of_correction(
    connected: Connected, asker: ConnectorCaller
) -> None:
    medical, crm = connected.medical, connected.crm

    async def set_status(
        client: Any, kind: str, key: str, name: str, status: str
    ) -> None:
        (result,) = await client.update(kind, [{key: name, "status__v": status}], key)
        assert result.ok, result.errors

    ready = await readiness(asker)
    assert (ready["ready"], found(ready)) == (True, [])

    async def set_all(status: str) -> None:
        await set_status(
            crm, "integration__sys", "integration_api_name__sys", INTEGRATION, status
        )
        await set_status(
            medical,
            "integration_point__sys",
            "integration_point_api_name__sys",
            POINT,
            status,
        )

    await crm.set_delivery(OUTBOUND, enabled=False)
    await set_all("inactive__v")
    try:
        broken = await readiness(asker)
        assert broken["ready"] is False
        expected = [
            ("integrations", crm.vault_id, "medical_crm__v"),
            ("integrations", crm.vault_id, INTEGRATION),
            ("integration_points", medical.vault_id, POINT),
            ("queues", crm.vault_id, OUTBOUND),
        ]
        assert found(broken) == expected
        assert (
            broken["findings"][1]["message"]
            == "The integration is active in the other Vault and not here; activate it"
        )
    finally:
        await set_all("active__v")
        await crm.set_delivery(OUTBOUND, enabled=True)
    assert found(await readiness(asker)) == []


TARGET = """RECREATE Picklist {name} (label('Grade'), Picklistentry high__c (value('High')));
RECREATE Object {name} (label('Graded'), prefix('{prefix}'),
    Field link__sys (unique(true)),
    Field grade__c (label('Grade'), type('Picklist'), picklist('Picklist.{name}')));
RECREATE Integrationrule {name} (
    label('Graded'), connection('medical_crm__v'), integration_point('{name}'), primary_query_object('account__v'),
    Fieldrule name__c (
        target_object('Object.{name}'), target_object_field('Field.name__v'),
        query_object('account__v'), query_field('name__v')
    ),
    Fieldrule grade__c (
        target_object('Object.{name}'), target_object_field('Field.grade__c'),
        query_object('account__v'), query_field('specialty_1__v'),
        reference_lookup_type('picklist'), reference_lookup('{name}'), missing_lookup('warning')
    )
);"""
KEYED = """ALTER Integrationrule {name} (ADD Fieldrule key__c (
    target_object('Object.{name}'), target_object_field('Field.link__sys'),
    query_object('account__v'), query_field('global_id__sys')));"""


async def test_a_rule_that_cannot_work_is_a_warning_when_written_and_in_readiness(
    connected: Connected, asker: ConnectorCaller
) -> None:
    medical, name = connected.medical, f"graded_{new_run()}__c"
    written: Any = await medical.execute_mdl(TARGET.format(name=name, prefix="ZGR"))
    (*_, of_rule) = written["statement_execution"]
    assert "gives " + name + " a key" in of_rule["warnings"][0]["message"]
    point = {
        "integration_point_api_name__sys": name,
        "name__v": name,
        "integration__sysr.integration_api_name__sys": INTEGRATION,
        "direction__sys": "inbound__sys",
    }
    await create(medical, "integration_point__sys", point)
    lookup = {
        "connection__sysr.api_name__sys": "medical_crm__v",
        "reference_lookup_name__sys": name,
        "reference_lookup_type__sys": "picklist__sys",
        "source_key__sys": "cardiology__v",
        "target_key__sys": "High",
    }
    row = await create(medical, "reference_lookup__sys", lookup)

    async def about_rule() -> tuple[bool, list[Any]]:
        answer = await readiness(asker)
        assert {each["name"] for each in answer["findings"]} <= {name}
        return answer["ready"], answer["findings"]

    ready, (without_key, label) = await about_rule()
    assert (ready, without_key["prevents_transfer"]) == (False, True)
    places = ("field_rule", "reference_lookup", "source_key", "target_key")
    assert [label[place] for place in places] == ["grade__c", name, "cardiology__v", "High"]  # fmt: skip
    assert "give the name of the value, high__c" in label["message"]
    keyed: Any = await medical.execute_mdl(KEYED.format(name=name))
    assert keyed["script_execution"]["warnings"] == 0
    assert await about_rule() == (True, [label])
    right = {"id": row, "target_key__sys": "high__c"}
    (result,) = await medical.update("reference_lookup__sys", [right])
    assert result.ok, result.errors
    assert await about_rule() == (True, [])


async def test_an_unestablished_connection_is_the_first_thing_to_mend(
    connected: Connected, asker: ConnectorCaller
) -> None:
    name = f"later_{new_run()}__c"
    await create(
        connected.medical,
        CONNECTION,
        {
            "name__v": name,
            "api_name__sys": name,
            "object_type__v.api_name__v": "vault_to_vault__sys",
        },
    )
    answer = await readiness(asker, name)
    assert (answer["ready"], found(answer)) == (
        False,
        [
            ("connection", connected.medical.vault_id, name),
            ("remote_vault", connected.medical.vault_id, name),
        ],
    )
    missing = await readiness(asker, "nothing__c")
    assert found(missing) == [("connection", connected.medical.vault_id, "nothing__c")]


async def test_readiness_is_for_those_who_manage_integrations(
    connected: Connected, asker: ConnectorCaller
) -> None:
    path = "readiness/medical/medical_crm__v"
    refused = await asker.ask("GET", path, "business")
    assert refused["errors"][0]["type"] == "INSUFFICIENT_ACCESS"
    sets = f"RECREATE Permissionset {PROFILE} (label('Manager'), permissions('manage_integrations'));"
    profile = f"RECREATE Securityprofile {PROFILE} (label('Manager'), active(true), permission_sets('{PROFILE}'));"
    await connected.medical.execute_mdl(sets + profile)
    row = {
        "user_name__v": f"manager-{new_run()}@vault.example",
        "user_first_name__v": "Mana",
        "user_last_name__v": "Ger",
        "user_email__v": "manager@vault.example",
        "password__v": "a test's password",
        "security_profile__v": PROFILE,
    }
    headers = {"Authorization": asker.sessions["admin"]}
    async with aiohttp.ClientSession() as http:
        async with http.post(
            f"{asker.vault_url}/api/v25.1/objects/users", data=row, headers=headers
        ) as made:
            assert (await made.json())["responseStatus"] == "SUCCESS"
        form = {"username": row["user_name__v"], "password": row["password__v"]}
        async with http.post(
            f"{asker.vault_url}/api/v25.1/auth", data=form
        ) as signed_in:
            manager = replace(
                asker, sessions={"manager": (await signed_in.json())["sessionId"]}
            )
    assert (await manager.ask("GET", path, "manager"))["responseStatus"] == "SUCCESS"
    await connected.medical.execute_mdl(
        f"ALTER Permissionset {PROFILE} (active(false));"
    )
    assert (await manager.ask("GET", path, "manager"))["errors"][0][
        "type"
    ] == "INSUFFICIENT_ACCESS"
