"""Measures inquiries through the real system, and through a plain pipeline in the same run."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench import plain
from bench.accounts import measured_run
from bench.calls import measured_calls
from bench.data import CALL_ROWS, TRANSFER, BenchFailed, submitted_inquiries
from bench.metadata import measured_sync
from bench.processor_time import processor_seconds
from bench.profiler import profiled
from bench.reconciliations import measured_reconciliation, measured_slowdown
from local.system import System
from shared.client import VaultClient

INTEGRATION = "medical_inquiry_details__v"
LIMIT_SECONDS = 300.0
SINGLES = 100
PACED = 1_000
RATE = 100  # user actions a second
PRODUCTS = 20_000
BESIDE = 1_000
PYTHON = ("medical_vault", "crm_vault", "connector")


async def run(
    system: System, count: int, accounts: int, profile: Path | None = None
) -> dict[str, Any]:
    """Start ``system``, measure on it, remove it, and return all figures."""
    # One user makes all calls here, and would be delayed beyond the usual limit.
    os.environ["VAULT_BURST_LIMIT"] = "1000000"
    try:
        await system.start()
        figures = {
            **await measure(system, count, profile),
            **await measured_calls(system),
        }
        endpoints = system.endpoints()
        async with (
            connected(endpoints["crm_vault"]) as crm,
            connected(endpoints["medical_vault"]) as medical,
        ):
            figures |= await measured_sync(
                system, crm, medical, min(accounts, PRODUCTS)
            )
            figures |= await measured_run(system, crm, medical, accounts)

            async def transfer() -> float:
                made = await submitted_inquiries(crm, medical, BESIDE, _run())
                return await transferred(crm, made)

            figures |= await measured_slowdown(medical, transfer)
            # The last of all: what was measured has to have come about, too.
            return {**figures, **await measured_reconciliation(system, crm, medical)}
    finally:
        await system.reset()


async def measure(system: System, count: int, profile: Path | None) -> dict[str, Any]:
    """Return the system's throughput and delay, and the plain pipeline's throughput."""
    endpoints, sign_ins, processes = (
        system.endpoints(),
        system.sign_ins(),
        system.process_ids(),
    )
    async with AsyncExitStack() as stack:
        crm = await stack.enter_async_context(connected(endpoints["crm_vault"]))
        medical = await stack.enter_async_context(connected(endpoints["medical_vault"]))
        # Like the connector, the plain pipeline writes to Vault CRM as the connection's user.
        integration_user = sign_ins["crm_vault"]["integration"]
        crm_writer = await stack.enter_async_context(
            connected({**endpoints["crm_vault"], **integration_user})
        )
        for client in (crm, medical):
            row = {"integration_api_name__sys": INTEGRATION, "status__v": "active__v"}
            await client.update("integration__sys", [row], "integration_api_name__sys")
        # Caches and compiled rules exist from here on, as in a system that has run for a while.
        first = await submitted_inquiries(crm, medical, CALL_ROWS, _run())
        await transferred(crm, first)
        singles = await submitted_inquiries(crm, medical, SINGLES, _run())
        latencies = [await single(crm, inquiry) for inquiry in singles]
        inquiries = await submitted_inquiries(crm, medical, count, _run())
        before = processor_seconds(processes)
        python = {name: pid for name, pid in processes.items() if name in PYTHON}
        async with profiled(python, profile) if profile else nullcontext():
            seconds = await transferred(crm, inquiries)
        after = processor_seconds(processes)
        inquiries = await submitted_inquiries(crm, medical, count, _run())
        started = time.perf_counter()
        await plain.transfer(crm_writer, medical, inquiries)
        plain_seconds = time.perf_counter() - started
        paced = await submitted_inquiries(crm, medical, PACED, _run())
        delays = await paced_delays(crm, paced)
    return {
        "inquiries": count,
        "transfer_seconds": round(seconds, 2),
        "transfer_per_second": round(count / seconds),
        "plain_per_second": round(count / plain_seconds),
        "ratio_to_plain": round(plain_seconds / seconds, 2),
        "processor_seconds": {
            name: round(after[name] - before[name], 1) for name in processes
        },
        **_delays("idle", latencies),
        **_delays(f"{RATE}_a_second", delays),
    }


def _delays(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the 99th percentile of delays, in milliseconds."""
    milliseconds = sorted(1000 * each for each in seconds)
    return {
        f"{name}_median_ms": round(statistics.median(milliseconds), 1),
        f"{name}_p99_ms": round(milliseconds[int(len(milliseconds) * 0.99) - 1], 1),
    }


def connected(endpoint: Mapping[str, Any]) -> VaultClient:
    return VaultClient(
        endpoint["url"],
        endpoint["username"],
        endpoint["password"],
        client_id="bench",
        timeout=120,
    )


def _run() -> str:
    # Part of unique identifiers: each measurement creates accounts of its own.
    return uuid4().hex[:8]


async def transferred(crm: VaultClient, inquiries: list[str]) -> float:
    """Transfer the inquiries and return seconds from the first bulk action to the last Transfer Status."""
    before = await _succeeded(crm)
    started = time.perf_counter()
    results = await crm.run_bulk_action("medical_inquiry__v", inquiries, TRANSFER)
    if not all(result.ok for result in results):
        message = "a transfer was refused"
        raise BenchFailed(message)
    # The last inquiry of each message is asked for: counting all of them over and over would be work of its own.
    for inquiry in [*inquiries[CALL_ROWS - 1 :: CALL_ROWS], inquiries[-1]]:
        await _arrival(crm, inquiry, started, 0.05)
    while await _succeeded(crm) - before < len(inquiries):
        if time.perf_counter() - started > LIMIT_SECONDS:
            message = f"not all inquiries were transferred within {LIMIT_SECONDS:.0f} s"
            raise BenchFailed(message)
        await asyncio.sleep(0.05)
    return time.perf_counter() - started


async def _arrival(
    crm: VaultClient, inquiry: str, started: float, pause: float
) -> None:
    """Wait until the inquiry is at Success, asking again after each ``pause`` (seconds)."""
    while True:
        row = await crm.record("medical_inquiry__v", inquiry)
        if row["transfer_status__v"] == ["success__v"]:
            return
        if time.perf_counter() - started > LIMIT_SECONDS:
            message = "an inquiry was not transferred"
            raise BenchFailed(message)
        await asyncio.sleep(pause)


async def _succeeded(crm: VaultClient) -> int:
    """Return the number of inquiries at Success, from the total of a page of one row."""
    text = "SELECT id FROM medical_inquiry__v WHERE transfer_status__v = 'success__v' PAGESIZE 1"
    async for page in crm.query_pages(text):
        return page.total
    return 0


async def single(crm: VaultClient, inquiry: str) -> float:
    """Transfer one inquiry on an idle system and return seconds from the user action to its Success."""
    started = time.perf_counter()
    await crm.run_action("medical_inquiry__v", inquiry, TRANSFER)
    # Looking costs the Vault that the transfer needs: none arrives sooner.
    await asyncio.sleep(0.015)
    await _arrival(crm, inquiry, started, 0.003)
    return time.perf_counter() - started


async def paced_delays(crm: VaultClient, inquiries: Sequence[str]) -> list[float]:
    """Begin ``RATE`` user actions a second, whatever has become of earlier ones; return seconds until each Success.

    The moment of a Success is the record's modified date, so that nobody looks for it meanwhile.
    """
    began: dict[str, float] = {}

    async def act(number: int, inquiry: str) -> None:
        due = started + number / RATE
        await asyncio.sleep(max(0.0, due - time.time()))
        began[inquiry] = time.time()
        await crm.run_action("medical_inquiry__v", inquiry, TRANSFER)

    started = time.time()
    async with asyncio.TaskGroup() as group:
        for number, inquiry in enumerate(inquiries):
            group.create_task(act(number, inquiry))
    await _arrival(crm, inquiries[-1], time.perf_counter(), 0.05)
    delays: list[float] = []
    for start in range(0, len(inquiries), CALL_ROWS):
        part = inquiries[start : start + CALL_ROWS]
        for inquiry, ended in (await _successes(crm, part)).items():
            delays.append(ended.timestamp() - began[inquiry])
    if len(delays) < len(inquiries):
        message = "not all inquiries were transferred"
        raise BenchFailed(message)
    return delays


async def _successes(crm: VaultClient, inquiries: Sequence[str]) -> dict[str, datetime]:
    """Return the modified dates of those of these inquiries that are at Success."""
    listed = ",".join(f"'{inquiry}'" for inquiry in inquiries)
    answer = await crm.query(
        "SELECT id, modified_date__v FROM medical_inquiry__v "
        f"WHERE id CONTAINS ({listed}) AND transfer_status__v = 'success__v'"
    )
    return {
        str(row["id"]): datetime.fromisoformat(str(row["modified_date__v"]))
        for row in answer.rows
    }
