"""Reconciliations: every kind of difference, planted in the database, is found, and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from local.system import System
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.reconciling import (
    CONNECTION,
    assert_clean,
    everything_transferred,
    reconciled,
)
from tests.system.test_case_requests import agent_does
from tests.system.test_transfer import account, inquiry, transferred

running, connected = module_system.running, module_system.connected
ACCOUNTS, INQUIRIES = "account_inbound__v", "medical_inquiry_details_inbound__v"
BACK = "inquiry_inbound__v"
COUNTRY = "SELECT id FROM records.country__v WHERE country_code__v = 'CH'"


class Planting:
    """Both Vaults' databases, in which differences are planted without messages."""

    def __init__(
        self,
        crm: asyncpg.Connection[asyncpg.Record],
        medical: asyncpg.Connection[asyncpg.Record],
    ) -> None:
        self._crm, self._medical = crm, medical

    async def crm(self, statement: str, item: str) -> None:
        assert await self._crm.execute(statement, item) != "UPDATE 0"

    async def medical(self, statement: str, item: str) -> None:
        done = await self._medical.execute(statement, f"20202_{item}")
        assert done not in ("UPDATE 0", "DELETE 0")


@pytest.fixture(scope="module")
async def planting(running: System) -> AsyncIterator[Planting]:
    crm = await asyncpg.connect(running.database_dsn("crm_vault"), timeout=30)
    medical = await asyncpg.connect(running.database_dsn("medical_vault"), timeout=30)
    yield Planting(crm, medical)
    await crm.close()
    await medical.close()


async def console(running: System) -> tuple[int | None, dict[str, int]]:
    """Exit status and counts of the console's reconciliation of the Medical Vault."""
    admin = running.endpoints()["medical_vault"]
    arguments = ("--connection", CONNECTION, "--window", "0", "--json")
    account = ("--url", admin["url"], "--username", admin["username"])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "medcrm",
        "reconcile",
        *arguments,
        *account,
        env={**os.environ, "MEDCRM_PASSWORD": admin["password"]},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode, json.loads(output)["counts"]


async def test_every_kind_is_found_and_transferred_again(
    running: System, connected: Connected, planting: Planting
) -> None:
    run = new_run()
    accounts = [await account(connected, f"{run}{number}") for number in range(5)]
    inquiries = [await inquiry(connected, accounts[-1]) for _ in range(4)]
    for item in inquiries:
        request = await transferred(connected, item)
        await agent_does(connected, str(request["id"]), "new_state__v.start_work__v")
    await everything_transferred(connected)
    await assert_clean(connected.medical)
    await assert_clean(connected.crm)
    lost, changed, gone, forbidden, _asking = accounts
    source_data = "case_contact_source_data__v"
    link = "WHERE link__sys = $1"
    await planting.medical(f"DELETE FROM records.{source_data} {link}", lost)
    await planting.medical(
        f"UPDATE records.person__sys SET last_name__sys = 'X' {link}", changed
    )
    await planting.crm("DELETE FROM records.account__v WHERE id = $1", gone)
    await planting.crm(
        f"UPDATE records.account__v SET primary_country__v = ({COUNTRY}) WHERE id = $1",
        forbidden,
    )
    unmade, marked, unseen, ended_here = inquiries
    await planting.medical(f"DELETE FROM records.case_request__v {link}", unmade)
    status = "UPDATE records.medical_inquiry__v SET"
    await planting.crm(
        f"{status} transfer_status__v = 'failed__v' WHERE id = $1", marked
    )
    await planting.crm(f"{status} response__v = 'X' WHERE id = $1", unseen)
    await planting.medical(
        f"UPDATE records.case_request__v SET question__v = 'X' {link}", unseen
    )
    # Since the transfer it is the agents'.
    edited = {"link__sys": f"20202_{unseen}", "email__v": "agent@example.com"}
    await connected.medical.update("case_request__v", [edited], "link__sys")
    await planting.crm(
        "DELETE FROM records.medical_inquiry__v WHERE id = $1", ended_here
    )
    found = await reconciled(connected.medical)
    assert found.findings == {
        ("missing", ACCOUNTS, lost, source_data),
        ("different", ACCOUNTS, changed, "person__sys.last_name__sys"),
        ("extra", ACCOUNTS, gone, f"{source_data}, person__sys"),
        ("not_allowed", ACCOUNTS, forbidden, f"{source_data}, person__sys"),
        ("missing", INQUIRIES, unmade, "case_request__v"),
        (
            "different",
            INQUIRIES,
            marked,
            "medical_inquiry__v.transfer_status__v",
        ),
        ("extra", INQUIRIES, ended_here, "case__v, case_request__v"),
        ("different", INQUIRIES, unseen, "case_request__v.question__v"),
    }
    assert found.answer["different_fields"] == {
        "person__sys.last_name__sys": 1,
        "case_request__v.question__v": 1,
        "medical_inquiry__v.transfer_status__v": 1,
    }
    assert await console(running) == (1, found.counts)
    back = await reconciled(connected.crm)
    assert {(kind, point, details) for kind, point, _, details in back.findings} == {
        ("different", BACK, "medical_inquiry__v.response__v"),
        ("missing", BACK, ""),
    }
    assert await connected.medical.transfer_again(found.answer["job_id"]) == 5
    assert await connected.crm.transfer_again(back.answer["job_id"]) == 2

    async def mended() -> bool:
        left = await reconciled(connected.medical)
        return {kind for kind, *_ in left.findings} == {"extra", "not_allowed"}

    await eventually("findings that are transferred again", mended)
