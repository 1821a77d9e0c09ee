"""Kills a process in the middle of 250 transfers: every inquiry gets one Case Request, every queue empties."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bench.data import TRANSFER, submitted_inquiries
from local.system import System
from shared.client import VaultClient
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.reconciling import (
    assert_clean,
    everything_transferred,
    reconciled,
)

running, connected = module_system.running, module_system.connected
INQUIRIES = 250
CALL = 10
QUEUES = {
    "crm": ("crm_to_medical_outbound_queue__v", "medical_to_crm_inbound__v"),
    "medical": ("medical_crm_outbound_queue__v", "medical_crm_inbound_queue__v"),
}


async def transfer_all(
    crm: VaultClient, inquiries: list[str], kill_after: int, killing: asyncio.Event
) -> None:
    """Transfer in many small calls, setting ``killing`` part of the way; repeat an interrupted call."""
    for start in range(0, len(inquiries), CALL):
        if start >= kill_after:
            killing.set()
        await transfer(crm, inquiries[start : start + CALL])


async def transfer(crm: VaultClient, ids: list[str]) -> None:
    async def attempt() -> bool:
        # Whether a call that was cut off had been carried out is not known: ask, and transfer what is left.
        rows = await crm.query(
            f"SELECT id FROM medical_inquiry__v WHERE id CONTAINS ({quoted(ids)}) AND transfer_status__v = null"
        )
        left = [str(row["id"]) for row in rows.rows]
        if left:
            results = await crm.run_bulk_action("medical_inquiry__v", left, TRANSFER)
            assert all(result.ok for result in results)
        return True

    await eventually("the user action", attempt)


def quoted(ids: list[str]) -> str:
    return ", ".join(f"'{identifier}'" for identifier in ids)


@pytest.mark.parametrize(
    "victim", ["connector", "medical_vault", "crm_vault", "rabbitmq", "postgres"]
)
async def test_a_crash_loses_and_doubles_nothing(
    running: System, connected: Connected, victim: str
) -> None:
    crm, medical = connected.crm, connected.medical
    inquiries = await submitted_inquiries(crm, medical, INQUIRIES, new_run())
    exceptions = await exceptions_in(connected)
    killing = asyncio.Event()

    async def crash() -> None:
        await killing.wait()
        await running.kill(victim)
        await running.restart(victim)

    await asyncio.gather(transfer_all(crm, inquiries, INQUIRIES // 3, killing), crash())

    async def all_succeeded() -> bool:
        rows = await crm.query(
            f"SELECT id FROM medical_inquiry__v WHERE id CONTAINS ({quoted(inquiries)})"
            " AND transfer_status__v = 'success__v'"
        )
        return len(rows.rows) == INQUIRIES

    await eventually("every Transfer Status being Success", all_succeeded)
    links = {f"{crm.vault_id}_{identifier}" for identifier in inquiries}
    text = f"SELECT link__sys FROM case_request__v WHERE link__sys CONTAINS ({quoted(sorted(links))})"
    requests = await medical.query(text)
    counts = Counter(str(row["link__sys"]) for row in requests.rows)
    assert set(counts) == links
    assert set(counts.values()) == {1}
    await assert_queues_empty(connected)
    assert await exceptions_in(connected) == exceptions, (
        "a crash is waited for, it is nobody's exception"
    )
    await everything_transferred(connected)
    await assert_clean(crm)
    found = await assert_clean(medical)

    # What compares goes on after a crash as well, and counts each record once.
    async def crash_again() -> None:
        await running.kill(victim)
        await running.restart(victim)

    again = await reconciled(medical, crash_again)
    assert (again.counts, again.findings) == (found.counts, set())


async def exceptions_in(connected: Connected) -> list[int]:
    text = "SELECT id FROM exception_message__sys"
    return [
        len((await vault.query(text)).rows)
        for vault in (connected.crm, connected.medical)
    ]


async def assert_queues_empty(connected: Connected) -> None:
    async def empty() -> bool:
        depths = [
            (await connected.crm.queue(name))["messages_in_queue"]
            for name in QUEUES["crm"]
        ]
        depths += [
            (await connected.medical.queue(name))["messages_in_queue"]
            for name in QUEUES["medical"]
        ]
        return depths == [0, 0, 0, 0]

    await eventually("all queues being empty", empty)
