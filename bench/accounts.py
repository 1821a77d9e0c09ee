"""Measures a run over many accounts: its rate, the connector's memory, and the rate with more connectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.data import changed_accounts, many_accounts
from bench.runs import timed_run
from local.system import System
from shared.client import VaultClient

INTEGRATION = "medical_inquiry_details__v"
CONNECTORS = (1, 2, 4)
CHANGED = 20_000


async def measured_run(
    system: System, crm: VaultClient, medical: VaultClient, count: int
) -> dict[str, Any]:
    """Return figures of a run over ``count`` accounts, and of runs over changed ones by 1, 2 and 4 connectors."""
    await many_accounts(crm, medical, count)
    connector = system.process_ids()["connector"]
    seconds, written, memory = await timed_run(medical, INTEGRATION, connector)
    # Two halves: memory that grows with the number of accounts shows as a difference.
    half = len(memory) // 2
    first = max(memory[: half or 1])
    second = max(memory[half:])
    figures: dict[str, Any] = {
        "accounts": written,
        "accounts_per_second": round(written / seconds),
        "connector_mebibytes_at_most_in_the_first_half": round(first / 2**20),
        "connector_mebibytes_at_most_in_the_second_half": round(second / 2**20),
    }
    rates: dict[str, float] = {}
    for number in CONNECTORS:
        await changed_accounts(crm, min(count, CHANGED))
        async with _connectors(system, number):
            seconds, written, _ = await timed_run(medical, INTEGRATION, connector)
        rates[str(number)] = round(written / seconds)
    figures["changed_accounts_per_second_by_connectors"] = rates
    return figures


@asynccontextmanager
async def _connectors(system: System, number: int) -> AsyncIterator[None]:
    """Run ``number`` connectors during the block, including the one of the system."""
    more = system.further_connectors(number - 1)
    try:
        for service in more:
            service.spawn()
        waits = [service.wait_ready() for service in more]
        await asyncio.gather(*waits)
        yield
    finally:
        stops = [service.stop() for service in more]
        await asyncio.gather(*stops)
