"""Readiness of a connection: its faults, in the order of correction."""

from __future__ import annotations

import pytest

from services.connector.asking.access import MANAGE_INTEGRATIONS
from services.connector.asking.answers import Answers
from services.connector.readiness import readiness_routes
from services.connector.readiness.ends import findings
from shared.client.errors import VaultRefused
from shared.protocol.readiness_steps import ReadinessStep
from tests.unit.connector.asgi import application, call
from tests.unit.connector.memory_client import MemoryClient
from tests.unit.connector.standard_vaults import (
    CONNECTION,
    CRM_ID,
    MEDICAL_ID,
    Pair,
    add_delivered_countries,
    id_of,
    pair,
)
from tests.unit.connector.test_asking import SESSION, signed_in

QUEUE = "medical_crm_outbound_queue__v"
Found = list[tuple[ReadinessStep, int, str]]


@pytest.fixture
def vaults() -> Pair:
    return delivered()


def delivered(medical: str = "") -> Pair:
    """Vaults with all that they are delivered with, and further MDL in the Medical Vault."""
    made = pair(medical)
    add_delivered_countries(made.medical)
    return made


async def _consumed() -> str | None:
    return None


async def found(
    vaults: Pair,
    name: str = CONNECTION,
    consumed: str | None = None,
) -> Found:
    async def consumers() -> str | None:
        return consumed

    listed = await findings(vaults.vaults, vaults.medical_end, name, consumers)
    return [(each.step, each.vault_id, each.name) for each in listed]


def connection(vault: MemoryClient, **fields: object) -> None:
    """Change the connection of a Vault."""
    (row,) = vault.rows("connection__sys", "id")
    vault.change("connection__sys", str(row["id"]), **fields)


async def test_the_standard_connection_is_ready(vaults: Pair) -> None:
    assert await found(vaults) == []


@pytest.mark.parametrize("end", ["medical", "crm"])
@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"state__v": "pending_state__sys"}, ReadinessStep.CONNECTION),
        ({"state__v": "inactive_state__sys"}, ReadinessStep.CONNECTION),
        ({"remote_vault_id__sys": None}, ReadinessStep.REMOTE_VAULT),
        (
            {
                "domain_type__sys": "production__sys",
                "remote_domain_type__sys": "sandbox__sys",
            },
            ReadinessStep.REMOTE_VAULT,
        ),
    ],
)
async def test_a_connection_that_cannot_be_used_is_found_at_either_end(
    vaults: Pair, end: str, fields: dict[str, object], step: ReadinessStep
) -> None:
    vault: MemoryClient = getattr(vaults, end)
    connection(vault, **fields)
    assert await found(vaults) == [(step, vault.vault_id, CONNECTION)]


async def test_a_connection_that_does_not_exist_is_found(vaults: Pair) -> None:
    assert await found(vaults, "odd__c") == [
        (ReadinessStep.CONNECTION, MEDICAL_ID, "odd__c")
    ]


async def test_a_remote_vault_that_is_not_the_connectors_is_found(
    vaults: Pair,
) -> None:
    del vaults.vaults.by_id[CRM_ID]
    assert await found(vaults) == [(ReadinessStep.REMOTE_VAULT, MEDICAL_ID, CONNECTION)]


async def test_an_integration_that_is_active_at_one_end_only_is_found(
    vaults: Pair,
) -> None:
    name = "clm__v"
    record = id_of(vaults.crm, "integration__sys", integration_api_name__sys=name)
    vaults.crm.change("integration__sys", record, status__v="inactive__v")
    assert await found(vaults) == [(ReadinessStep.INTEGRATIONS, CRM_ID, name)]


async def test_a_connection_without_an_active_integration_is_found(
    vaults: Pair,
) -> None:
    for vault in (vaults.medical, vaults.crm):
        for row in vault.rows("integration__sys", "id"):
            vault.change("integration__sys", str(row["id"]), status__v="inactive__v")
    assert await found(vaults) == [
        (ReadinessStep.INTEGRATIONS, MEDICAL_ID, CONNECTION),
        (ReadinessStep.INTEGRATIONS, CRM_ID, CONNECTION),
    ]


async def test_an_inactive_point_of_an_active_integration_is_found(
    vaults: Pair,
) -> None:
    name = "account_inbound__v"
    record = id_of(
        vaults.medical, "integration_point__sys", integration_point_api_name__sys=name
    )
    vaults.medical.change("integration_point__sys", record, status__v="inactive__v")
    assert await found(vaults) == [(ReadinessStep.POINTS, MEDICAL_ID, name)]


async def test_rules_that_cannot_be_carried_out_are_found() -> None:
    broken = """ALTER Integrationrule medical_inquiries__v (
        MODIFY Fieldrule request_email__v (query_field('no_such__c')));"""
    assert await found(delivered(broken)) == [
        (ReadinessStep.RULES, MEDICAL_ID, "medical_inquiries__v")
    ]


async def test_rules_that_cannot_be_read_are_found(vaults: Pair) -> None:
    rules = await vaults.medical.configuration("Integrationrule")
    vaults.medical.components["Integrationrule"] = [
        {**rule, "Fieldrule": [{"name": "odd__c", "active": True}]}
        if rule["name"] == "medical_inquiries__v"
        else rule
        for rule in rules
    ]
    assert (ReadinessStep.RULES, MEDICAL_ID, "medical_inquiries__v") in await found(
        vaults
    )


async def test_objects_that_the_other_vaults_user_may_not_read_are_found(
    vaults: Pair,
) -> None:
    refused = VaultRefused("INSUFFICIENT_ACCESS", "no")
    vaults.crm.fail_calls("query survey__v", refused)
    assert await found(vaults) == [(ReadinessStep.USER_RIGHTS, CRM_ID, "survey__v")]


async def test_a_session_that_the_other_vault_does_not_get_is_found(
    vaults: Pair,
) -> None:
    vaults.crm.fail_calls("sign_in", VaultRefused("INSUFFICIENT_ACCESS", "no"))
    assert (ReadinessStep.USER_RIGHTS, CRM_ID, CONNECTION) in await found(vaults)


@pytest.mark.parametrize(
    "row",
    [
        {"status": "inactive"},
        {"delivery": "disabled"},
        {"connections": [{"name": CONNECTION, "error": {"message": "no"}}]},
    ],
)
async def test_a_queue_that_does_not_deliver_is_found(
    vaults: Pair, row: dict[str, object]
) -> None:
    vaults.medical.queue_rows[QUEUE] = row
    assert await found(vaults) == [(ReadinessStep.QUEUES, MEDICAL_ID, QUEUE)]


async def test_a_queue_that_is_not_there_is_found(vaults: Pair) -> None:
    vaults.medical.fail_calls("queue", VaultRefused("INVALID_DATA", "none"))
    steps = [(step, vault_id) for step, vault_id, _ in await found(vaults)]
    assert steps[0] == (ReadinessStep.QUEUES, MEDICAL_ID)


async def test_a_connection_without_queues_is_found(vaults: Pair) -> None:
    vaults.medical.components["Queue"] = []
    vaults.crm.components["Queue"] = []
    assert await found(vaults) == [
        (ReadinessStep.QUEUES, MEDICAL_ID, CONNECTION),
        (ReadinessStep.QUEUES, CRM_ID, CONNECTION),
    ]


async def test_messages_that_are_not_consumed_are_found(vaults: Pair) -> None:
    listed = await found(vaults, consumed="not subscribed to x__v")
    assert listed == [(ReadinessStep.CONSUMERS, MEDICAL_ID, "connector")]


async def test_open_exceptions_are_found(vaults: Pair) -> None:
    vaults.medical.add("exception_message__sys", error_status__sys="open__sys")
    expected = (ReadinessStep.EXCEPTIONS, MEDICAL_ID, "exception_message__sys")
    assert await found(vaults) == [expected]


async def test_of_an_external_connection_only_this_end_is_asked(vaults: Pair) -> None:
    connection(vaults.medical, object_type__v="external__sys")
    vaults.medical.receivers[CONNECTION] = "https://shop.example/messages"
    assert await found(vaults) == []
    assert vaults.crm.asked == []


async def test_an_address_that_is_no_longer_allowed_is_found(vaults: Pair) -> None:
    connection(vaults.medical, object_type__v="external__sys")
    refused = VaultRefused("OPERATION_NOT_ALLOWED", "its address is not allowed")
    vaults.medical.fail_calls("sign_messages", refused)
    expected = (ReadinessStep.CONNECTION, MEDICAL_ID, CONNECTION)
    assert await found(vaults) == [expected]


@pytest.mark.parametrize(
    ("exceptions", "queue", "ready"),
    [(0, {}, True), (1, {}, True), (0, {"delivery": "disabled"}, False)],
)
async def test_a_connection_with_open_exceptions_only_is_ready(
    vaults: Pair, exceptions: int, queue: dict[str, object], ready: bool
) -> None:
    signed_in(vaults.medical, MANAGE_INTEGRATIONS)
    for _ in range(exceptions):
        vaults.medical.add("exception_message__sys", error_status__sys="open__sys")
    vaults.medical.queue_rows[QUEUE] = queue
    answers = Answers(lambda: vaults.vaults)
    app = application(readiness_routes.router(answers, _consumed))
    path = f"/readiness/medical/{CONNECTION}"
    data = (await call(app, "GET", path, headers=SESSION)).json["data"]
    assert (data["connection"], data["ready"]) == (CONNECTION, ready)
    assert len(data["findings"]) == exceptions + (not ready)
