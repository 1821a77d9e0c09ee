"""A run over many accounts: how many a second, whether the connector's memory stays flat, and with more connectors."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.data import BenchFailed, changed_accounts, many_accounts
from local.system import System
from shared.client import VaultClient

INTEGRATION = "medical_inquiry_details__v"
CONNECTORS = (1, 2, 4)
CHANGED = 20_000
LIMIT_SECONDS = 1800.0
SAMPLE_SECONDS = 0.5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


async def measured_run(system: System, crm: VaultClient, medical: VaultClient, count: int) -> dict[str, Any]:
    """Figures of a run over ``count`` accounts, and of runs over changed ones by one, two and four connectors."""
    await many_accounts(crm, medical, count)
    connector = system.process_ids()["connector"]
    seconds, written, memory = await _run(medical, connector)
    half = len(memory) // 2
    figures: dict[str, Any] = {
        "accounts": written,
        "accounts_per_second": round(written / seconds),
        "connector_mebibytes_at_most_in_the_first_half": round(max(memory[: half or 1]) / 2**20),
        "connector_mebibytes_at_most_in_the_second_half": round(max(memory[half:]) / 2**20),
    }
    rates: dict[str, float] = {}
    for number in CONNECTORS:
        await changed_accounts(crm, min(count, CHANGED))
        async with _connectors(system, number):
            seconds, written, _ = await _run(medical, connector)
        rates[str(number)] = round(written / seconds)
    figures["changed_accounts_per_second_by_connectors"] = rates
    return figures


async def _run(medical: VaultClient, connector: int) -> tuple[float, int, list[int]]:
    """Seconds, records written, and the connector's memory in bytes from the request of a run to its end."""
    started = time.perf_counter()
    job = await medical.request_run(INTEGRATION)
    memory: list[int] = []
    while time.perf_counter() - started < LIMIT_SECONDS:
        memory.append(_resident(connector))
        told: Mapping[str, Any] = await medical.run(INTEGRATION, job)
        if told["status"] not in ("QUEUED", "RUNNING"):
            if told["status"] != "SUCCESS":
                raise BenchFailed(f"the run ended with {told['status']}")
            return time.perf_counter() - started, int(told["counts"]["written"]), memory
        await asyncio.sleep(SAMPLE_SECONDS)
    message = f"the run did not end within {LIMIT_SECONDS:.0f} s"
    raise BenchFailed(message)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


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
