"""Times a reconciliation of all that was transferred, which has to be clean, and samples the connector's memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from bench.data import BenchFailed
from bench.runs import LIMIT_SECONDS, SAMPLE_SECONDS, resident
from local.system import System
from shared.client import VaultClient
from shared.protocol.reconciliation_verdicts import FINDINGS

SCOPE = {"connection": "medical_crm__v", "window_minutes": "0"}
_UNFINISHED = ("SCHEDULED", "QUEUED", "RUNNING")


async def measured_reconciliation(
    system: System, crm: VaultClient, medical: VaultClient
) -> dict[str, Any]:
    """Return figures of a reconciliation in each Vault.

    :raises BenchFailed: a Vault has anything else than the rules give it, or a reconciliation did not end in time.
    """
    connector = system.process_ids()["connector"]
    seconds, compared, memory = await _timed(medical, connector)
    _, returned, _ = await _timed(crm, connector)
    return {
        "reconciled_records": compared,
        "reconciliation_seconds": round(seconds, 1),
        "reconciled_per_second": round(compared / seconds),
        "reconciliation_connector_mebibytes_at_most": round(max(memory) / 2**20),
        "reconciled_outcomes": returned,
    }


async def _timed(vault: VaultClient, connector: int) -> tuple[float, int, list[int]]:
    """Return seconds, records compared, and samples of the connector's memory in bytes.

    :raises BenchFailed: as above.
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
