"""One Medical Vault with two Vault CRMs: each transfers its inquiries, and gets back what became of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from shared.client import VaultClient
from shared.client.results import Row
from tests.servers import private_system
from tests.system.conditions import INTEGRATION, Connected, eventually, new_run
from tests.system.test_transfer import account, inquiry, one

COPY = "medical_crm_2__c"
TRANSFER = "Objectlifecyclestateuseraction.medical_inquiry__v.submitted_state__v.transfer_to_medical__v"


@dataclass(frozen=True)
class TwoCrms:
    """The Medical Vault, with each Vault CRM as seen by itself."""

    first: Connected
    second: Connected


@pytest.fixture
async def two() -> AsyncIterator[TwoCrms]:
    async with private_system(second_crm=True) as system, AsyncExitStack() as stack:
        await system.start()
        endpoints, sign_ins = system.endpoints(), system.sign_ins()

        async def client(vault: str, role: str) -> VaultClient:
            who = sign_ins[vault][role]
            made = VaultClient(
                endpoints[vault]["url"],
                who["username"],
                who["password"],
                client_id="tests",
            )
            return await stack.enter_async_context(made)

        async def connected(crm: str) -> Connected:
            return Connected(
                crm=await client(crm, "admin"),
                medical=await client("medical_vault", "admin"),
                rep=await client(crm, "business"),
                agent=await client("medical_vault", "business"),
                connector=await client(crm, "integration"),
                amqp_url=endpoints["rabbitmq"]["amqp_url"],
            )

        yield TwoCrms(await connected("crm_vault"), await connected("crm_vault_2"))


async def activate(client: VaultClient, integration: str) -> None:
    row = {**INTEGRATION, "integration_api_name__sys": integration}
    (result,) = await client.update(
        "integration__sys", [row], "integration_api_name__sys"
    )
    assert result.ok, result.errors


async def copied_integration(medical: VaultClient) -> str:
    row = await one(
        medical,
        "SELECT integration_api_name__sys FROM integration__sys WHERE copy_of__sys = 'medical_inquiry_details__v' "
        f"AND connection__sysr.api_name__sys = '{COPY}'",
    )
    return str(row["integration_api_name__sys"])


async def transferred(crm: Connected) -> Row:
    """An inquiry of this CRM, and its Case Request."""
    run = new_run()
    inquiry_id = await inquiry(crm, await account(crm, run))
    await crm.rep.run_action("medical_inquiry__v", inquiry_id, TRANSFER)

    async def done() -> bool:
        return (await crm.crm.record("medical_inquiry__v", inquiry_id))[
            "transfer_status__v"
        ] == ["success__v"]

    await eventually(f"the transfer from Vault {crm.crm.vault_id}", done)
    link = f"{crm.crm.vault_id}_{inquiry_id}"
    request = await one(
        crm.medical, f"SELECT id FROM case_request__v WHERE link__sys = '{link}'"
    )
    return {"inquiry": inquiry_id, "request": request["id"]}


async def exceptions(client: VaultClient) -> list[Row]:
    return (
        await client.query("SELECT error_message__sys FROM exception_message__sys")
    ).rows


async def test_case_requests_return_only_to_the_crm_that_they_came_from(
    two: TwoCrms,
) -> None:
    first, second = two.first, two.second
    states = (
        await first.medical.query("SELECT api_name__sys, state__v FROM connection__sys")
    ).rows
    assert {row["api_name__sys"]: row["state__v"] for row in states} == {
        "medical_crm__v": "active_state__sys",
        COPY: "active_state__sys",
    }
    copy = await copied_integration(first.medical)
    for client, integration in (
        (first.crm, "medical_inquiry_details__v"),
        (second.crm, "medical_inquiry_details__v"),
        (first.medical, "medical_inquiry_details__v"),
        (first.medical, copy),
    ):
        await activate(client, integration)
    mine, theirs = await transferred(first), await transferred(second)

    for request in (mine["request"], theirs["request"]):
        actions = await first.agent.actions("case_request__v", str(request))
        start = next(
            str(action["name"]) for action in actions if action["label"] == "Start Work"
        )
        await first.agent.run_action("case_request__v", str(request), start)

    for crm, inquiry_id in ((first, mine["inquiry"]), (second, theirs["inquiry"])):

        async def told(crm: Connected = crm, inquiry_id: object = inquiry_id) -> bool:
            return (await crm.crm.record("medical_inquiry__v", str(inquiry_id)))[
                "inquiry_status__v"
            ] == ["in_progress__v"]

        await eventually(f"news in Vault {crm.crm.vault_id}", told)
    for client in (first.crm, second.crm, first.medical):
        assert await exceptions(client) == [], (
            "nothing came to a Vault that it did not concern"
        )
