"""Whatever a Vault does to its clients on purpose, a connector gets through it, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from bench.data import TRANSFER, submitted_inquiries
from local.system import System
from local.system_parts import SANDBOX
from medcrm.fault_calls import switch_off, switch_on, switches
from shared.client import VaultClient
from shared.vault.rehearsal.fault import CallFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from tests.servers import private_system
from tests.service.test_medcrm_config import run
from tests.system.conditions import Connected, connected_to, eventually, new_run
from tests.system.test_crashes import assert_queues_empty, exceptions_in, quoted

CONNECTOR = "medical-crm-connector"
INQUIRIES = 6
CALLS = {"calls": "2", "client_id": CONNECTOR}
MESSAGES = {"calls": "2", "queue": "*"}
# Faults that only show beside another one: pages have to be many, and a session over.
BESIDE = {
    "expired_next_page": {"fault": "fewer_rows", "share": "100"},
    "password_change_required": {"fault": "invalid_session", "calls": "2"},
}


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[System]:
    async with private_system(domain_type=SANDBOX) as system:
        await system.start()
        yield system


@pytest.fixture(scope="module")
async def connected(running: System) -> AsyncIterator[Connected]:
    async with connected_to(running) as clients:
        yield clients


def fields_of(name: str) -> Mapping[str, str]:
    fault = FAULTS[name]
    amount = CALLS if isinstance(fault, CallFault) else MESSAGES
    return {"fault": name, **amount, **({"seconds": "0.5"} if fault.seconds else {})}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_connector_gets_through(connected: Connected, fault: str) -> None:
    crm, medical = connected.crm, connected.medical
    vaults = (crm, medical)
    inquiries = await submitted_inquiries(crm, medical, INQUIRIES, new_run())
    before = await exceptions_in(connected)
    for vault in vaults:
        await switch_on(vault, fields_of(fault))
        if fault in BESIDE:
            await switch_on(vault, {**BESIDE[fault], "client_id": CONNECTOR})
    results = await crm.run_bulk_action("medical_inquiry__v", inquiries, TRANSFER)
    assert all(result.ok for result in results)
    await succeeded(crm, inquiries)
    assert await exceptions_in(connected) == before
    struck = [each for vault in vaults for each in await switches(vault)]
    assert fault in {each["fault"] for each in struck if each["struck"]}
    for vault in vaults:
        await switch_off(vault, None)
    await assert_queues_empty(connected)


async def test_a_night_of_maintenance(running: System, connected: Connected) -> None:
    crm, medical = connected.crm, connected.medical
    inquiries = await submitted_inquiries(crm, medical, 40, new_run())
    account = running.sign_ins()["crm_vault"]["admin"]
    options = ("--client-id", CONNECTOR, "--stage-seconds", "2", "--patience", "60")
    night = asyncio.create_task(
        run(
            "rehearse",
            "maintenance-night",
            "--url",
            running.endpoints()["crm_vault"]["url"],
            "--username",
            account["username"],
            *options,
            password=account["password"],
        )
    )
    waiting = list(inquiries)
    while waiting and not night.done():
        one = waiting.pop()
        await crm.run_bulk_action("medical_inquiry__v", [one], TRANSFER)
        await succeeded(crm, [one])
    await crm.run_bulk_action("medical_inquiry__v", waiting, TRANSFER)
    played = await night
    assert "All queues of the Vault are empty: holds" in played.output
    assert "No inquiry is left at Transfer Status Pending: holds" in played.output
    assert "2. Calls that were under way end in nothing" in played.output
    assert "status_503_html: the next 15 calls" in played.output
    assert played.exit_code == 0
    assert await switches(crm) == []
    await succeeded(crm, inquiries)


async def succeeded(crm: VaultClient, inquiries: list[str]) -> None:
    text = (
        "SELECT id FROM medical_inquiry__v WHERE transfer_status__v = 'success__v'"
        f" AND id CONTAINS ({quoted(inquiries)})"
    )

    async def all_succeeded() -> bool:
        return len((await crm.query(text)).rows) == len(inquiries)

    await eventually("every Transfer Status being Success", all_succeeded)
