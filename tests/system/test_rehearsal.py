"""A connector recovers from every fault switch of a Vault, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from bench.data import TRANSFER, submitted_inquiries
from local.system import System
from local.system_parts import SANDBOX
from medcrm.expectations import EXPECTATIONS
from medcrm.fault_calls import switch_off, switch_on, switches
from medcrm.rehearsals import REHEARSALS
from shared.client import VaultClient
from shared.vault.rehearsal.fault import CallFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from tests.service.test_medcrm_config import Result, run
from tests.started_systems import started_system
from tests.system.conditions import Connected, connected_to, eventually, new_run
from tests.system.reconciling import assert_clean, everything_transferred
from tests.system.test_case_requests import agent_does
from tests.system.test_crashes import assert_queues_empty, exceptions_in, quoted
from tests.system.test_transfer import transferred

CONNECTOR = "medical-crm-connector"
INQUIRIES = 6
CALLS = {"calls": "2", "client_id": CONNECTOR}
MESSAGES = {"calls": "2", "queue": "*"}
# Slow and lost answers last as long as a client waits, which needs not be long to be met.
SHORT = ("--stage-seconds", "2", "--patience", "120", "--fault-seconds", "1")
BRIEFLY = ("--client-id", "nobody", "--stage-seconds", "0", "--patience", "0")
# Faults that only show beside another one: pages have to be many, and a session over.
BESIDE = {
    "expired_next_page": {"fault": "fewer_rows", "share": "100"},
    "password_change_required": {"fault": "invalid_session", "calls": "2"},
}


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[System]:
    async with started_system(domain_type=SANDBOX) as system:
        yield system


@pytest.fixture(scope="module")
async def connected(running: System) -> AsyncIterator[Connected]:
    async with connected_to(running) as clients:
        # From here on a reconciliation is clean.
        await everything_transferred(clients)
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

    async def struck() -> bool:
        # What strikes a report of the delivery may come after the Success of what was delivered.
        found = [each for vault in vaults for each in await switches(vault)]
        return fault in {each["fault"] for each in found if each["struck"]}

    await eventually(f"the fault {fault}", struck)
    for vault in vaults:
        await switch_off(vault, None)
    await assert_queues_empty(connected)


@pytest.mark.parametrize("name", REHEARSALS)
async def test_a_connector_gets_through_a_rehearsal(
    running: System, connected: Connected, name: str
) -> None:
    crm, medical = connected.crm, connected.medical
    inquiries = await submitted_inquiries(crm, medical, 20, new_run())
    options = ("--client-id", CONNECTOR, *SHORT)
    playing = asyncio.create_task(rehearse(running, name, *options))
    waiting = list(inquiries)
    while waiting and not playing.done():
        await answered(connected, waiting.pop())
    played = await playing
    for stage in REHEARSALS[name].stages:
        assert f". {stage.title}\n" in played.output
    for expectation in EXPECTATIONS:
        assert f"{expectation.title}: holds\n" in played.output
    assert played.exit_code == 0
    assert await switches(crm) == []
    for item in waiting:
        await answered(connected, item)
    found = await assert_clean(crm)
    assert found.counts["equal"] >= len(inquiries)
    found = await assert_clean(medical)
    assert found.counts["equal"] >= 2 * len(inquiries)


async def test_what_differs_in_the_end_is_said(
    running: System, connected: Connected
) -> None:
    crm = connected.crm
    (item,) = await submitted_inquiries(crm, connected.medical, 1, new_run())
    await answered(connected, item)
    await assert_clean(crm)
    await assert_queues_empty(connected)
    held = await rehearse(running, "month-end-limits", *BRIEFLY)
    assert held.exit_code == 0, held.output
    database = await asyncpg.connect(running.database_dsn("crm_vault"), timeout=30)
    statement = "UPDATE records.medical_inquiry__v SET response__v = $2 WHERE id = $1"
    await database.execute(statement, item, "Not what the agent wrote")
    failed = await rehearse(running, "month-end-limits", *BRIEFLY)
    await database.execute(statement, item, None)
    await database.close()
    assert failed.exit_code == 1, failed.output
    assert "DOES NOT HOLD: medical_crm__v has 1 findings; see job" in failed.output
    assert "different: medical_inquiry__v.response__v in 1\n" in failed.output
    await assert_clean(crm)


async def rehearse(running: System, name: str, *options: str) -> Result:
    """Play a ready-made rehearsal in Vault CRM."""
    account = running.sign_ins()["crm_vault"]["admin"]
    url = running.endpoints()["crm_vault"]["url"]
    vault = ("--url", url, "--username", account["username"])
    password = account["password"]
    return await run("rehearse", name, *vault, *options, password=password)


async def answered(connected: Connected, item: str) -> None:
    """Transfer an inquiry, and have an agent start on it, which is returned to Vault CRM."""
    request = await transferred(connected, item)
    await agent_does(connected, str(request["id"]), "new_state__v.start_work__v")


async def succeeded(crm: VaultClient, inquiries: list[str]) -> None:
    text = (
        "SELECT id FROM medical_inquiry__v WHERE transfer_status__v = 'success__v'"
        f" AND id CONTAINS ({quoted(inquiries)})"
    )

    async def all_succeeded() -> bool:
        return len((await crm.query(text)).rows) == len(inquiries)

    await eventually("every Transfer Status being Success", all_succeeded)
