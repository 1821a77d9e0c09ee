"""Times a run of an integration, and samples the connector's memory meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.data import BenchFailed
from shared.client import VaultClient

LIMIT_SECONDS = 1800.0
SAMPLE_SECONDS = 0.5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


async def timed_run(
    medical: VaultClient, integration: str, connector: int
) -> tuple[float, int, list[int]]:
    """Return seconds, records written, and samples of the connector's memory in bytes, from request to end of a run.

    The seconds are from the run's own dates: this function sees the end of a run up to half a second late.

    :raises BenchFailed: the run had failures, or did not end in time.
    """
    started = time.perf_counter()
    job = await medical.request_run(integration)
    memory: list[int] = []
    while time.perf_counter() - started < LIMIT_SECONDS:
        memory.append(resident(connector))
        report: Mapping[str, Any] = await medical.run(integration, job)
        status = report["status"]
        if status not in ("QUEUED", "RUNNING"):
            if status != "SUCCESS":
                raise BenchFailed(f"the run ended with {status}")
            began, ended = (
                datetime.fromisoformat(str(report[name]))
                for name in ("created_date", "run_end_date")
            )
            seconds = (ended - began).total_seconds()
            return seconds, int(report["counts"]["written"]), memory
        await asyncio.sleep(SAMPLE_SECONDS)
    message = f"the run did not end within {LIMIT_SECONDS:.0f} s"
    raise BenchFailed(message)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
