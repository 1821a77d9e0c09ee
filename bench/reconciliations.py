"""Times a reconciliation of all that was transferred, which has to be clean, and samples the connector's memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bench.data import BenchFailed
from bench.processor_time import processor_seconds
from bench.runs import LIMIT_SECONDS, SAMPLE_SECONDS, resident
from local.system import System
from shared.client import VaultClient
from shared.protocol.reconciliation_verdicts import FINDINGS

SCOPE = {"connection": "medical_crm__v", "window_minutes": "0"}
TURNS = 3
_UNFINISHED = ("SCHEDULED", "QUEUED", "RUNNING")


async def measured_reconciliation(
    system: System, crm: VaultClient, medical: VaultClient
) -> dict[str, Any]:
    """Return figures of a reconciliation in each Vault.

    :raises BenchFailed: a Vault has other values than the rules give, or a reconciliation did not end in time.
    """
    processes = system.process_ids()
    connector = processes["connector"]
    before = processor_seconds(processes)
    seconds, compared, memory = await _timed(medical, connector)
    after = processor_seconds(processes)
    _, returned, _ = await _timed(crm, connector)
    return {
        "reconciled_records": compared,
        "reconciliation_seconds": round(seconds, 1),
        "reconciliation_processor_seconds": {
            name: round(after[name] - before[name], 1) for name in processes
        },
        "reconciled_per_second": round(compared / seconds),
        "reconciliation_connector_mebibytes_at_most": round(max(memory) / 2**20),
        "reconciled_outcomes": returned,
    }


async def measured_slowdown(
    medical: VaultClient, transfer: Callable[[], Awaitable[float]]
) -> dict[str, Any]:
    """Return seconds of transfers without and during a reconciliation, in turns; ``transfer`` makes one and times it.

    :raises BenchFailed: a reconciliation has ended before the transfers beside it, which then say nothing.
    """
    alone: list[float] = []
    during: list[float] = []
    for _ in range(TURNS):
        alone.append(await transfer())
        job = await medical.request_reconciliation(SCOPE)
        await _until(medical, job, lambda state: int(state["slice"]) > 0)
        during.append(await transfer())
        state = await medical.reconciliation(job)
        if state["status"] not in _UNFINISHED:
            message = "the reconciliation was over before the transfers beside it"
            raise BenchFailed(message)
        await _until(medical, job, lambda state: state["status"] not in _UNFINISHED)
    return {
        "transfer_seconds_alone": round(sum(alone), 2),
        "transfer_seconds_beside_a_reconciliation": round(sum(during), 2),
    }


async def _until(
    vault: VaultClient, job: int, holds: Callable[[Mapping[str, Any]], bool]
) -> None:
    started = time.perf_counter()
    while not holds(await vault.reconciliation(job)):
        if time.perf_counter() - started > LIMIT_SECONDS:
            raise BenchFailed(f"reconciliation {job} did not come on")
        await asyncio.sleep(SAMPLE_SECONDS)


async def _timed(vault: VaultClient, connector: int) -> tuple[float, int, list[int]]:
    """Return seconds, records compared, and samples of the connector's memory in bytes.

    :raises BenchFailed: as ``measured_reconciliation``.
    """
    started = time.perf_counter()
    job = await vault.request_reconciliation(SCOPE)
    memory: list[int] = []
    while time.perf_counter() - started < LIMIT_SECONDS:
        memory.append(resident(connector))
        state: Mapping[str, Any] = await vault.reconciliation(job)
        if state["status"] not in _UNFINISHED:
            seconds = time.perf_counter() - started
            counts = state["counts"]
            if state["phase"] != "done" or any(counts[kind] for kind in FINDINGS):
                raise BenchFailed(f"the Vaults differ: {state}")
            return seconds, int(counts["expected"]), memory
        await asyncio.sleep(SAMPLE_SECONDS)
    message = f"the reconciliation did not end within {LIMIT_SECONDS:.0f} s"
    raise BenchFailed(message)
