"""A run of an integration, timed, with the connector's memory while it lasts."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
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
    """Seconds, records written, and the connector's memory in bytes from the request of a run to its end.

    :raises BenchFailed: the run had failures, or did not end in time.
    """
    started = time.perf_counter()
    job = await medical.request_run(integration)
    memory: list[int] = []
    while time.perf_counter() - started < LIMIT_SECONDS:
        memory.append(_resident(connector))
        told: Mapping[str, Any] = await medical.run(integration, job)
        if told["status"] not in ("QUEUED", "RUNNING"):
            if told["status"] != "SUCCESS":
                raise BenchFailed(f"the run ended with {told['status']}")
            return time.perf_counter() - started, int(told["counts"]["written"]), memory
        await asyncio.sleep(SAMPLE_SECONDS)
    message = f"the run did not end within {LIMIT_SECONDS:.0f} s"
    raise BenchFailed(message)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
