"""A run over many accounts: how many a second, whether the connector's memory stays flat, and with more connectors."""

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
    """Figures of a run over ``count`` accounts, and of runs over changed ones by one, two and four connectors."""
    await many_accounts(crm, medical, count)
    connector = system.process_ids()["connector"]
    seconds, written, memory = await timed_run(medical, INTEGRATION, connector)
    half = len(memory) // 2
    figures: dict[str, Any] = {
        "accounts": written,
        "accounts_per_second": round(written / seconds),
        "connector_mebibytes_at_most_in_the_first_half": round(
            max(memory[: half or 1]) / 2**20
        ),
        "connector_mebibytes_at_most_in_the_second_half": round(
            max(memory[half:]) / 2**20
        ),
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
    """So many connectors, that of the system included."""
    more = system.further_connectors(number - 1)
    try:
        for service in more:
            service.spawn()
        await asyncio.gather(*(service.wait_ready() for service in more))
        yield
    finally:
        await asyncio.gather(*(service.stop() for service in more))
