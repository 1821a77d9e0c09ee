"""Reconciliations asked of a Vault, and awaited."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from shared.client import VaultClient
from tests.system.conditions import Connected, eventually

CLEAN = ("missing", "different", "failing", "extra", "not_allowed")
CONNECTION = "medical_crm__v"
ATTEMPTS = 5
INTEGRATION = "medical_inquiry_details__v"
Meanwhile = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Found:
    """A reconciliation that has ended: the Vault's answer, and its findings by kind, object and record."""

    answer: dict[str, Any]
    findings: set[tuple[str, str, str, str]]

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.answer["counts"]
        return counts


async def everything_transferred(connected: Connected) -> None:
    """Run the integration over all accounts, also those from before it was active."""
    row = {
        "integration_api_name__sys": INTEGRATION,
        "last_successful_run_time__sys": None,
    }
    key = "integration_api_name__sys"
    await connected.medical.update("integration__sys", [row], key)
    job = await connected.medical.request_run(INTEGRATION)

    async def over() -> bool:
        run = await connected.medical.run(INTEGRATION, job)
        return run["status"] not in ("QUEUED", "RUNNING")

    await eventually("the end of the run", over)


async def reconciled(
    client: VaultClient,
    meanwhile: Meanwhile | None = None,
    *,
    window_minutes: int = 0,
) -> Found:
    """Compare a connection, without a window unless the test names one; ``meanwhile`` begins after the first slice."""
    asked = {"connection": CONNECTION, "window_minutes": str(window_minutes)}
    job = await client.request_reconciliation(asked)
    if meanwhile is not None:

        async def begun() -> bool:
            state = await client.reconciliation(job)
            return int(str(state["slice"])) > 0

        await eventually("the first slice", begun)
        await meanwhile()

    async def ended() -> bool:
        state = await client.reconciliation(job)
        return state["status"] not in ("QUEUED", "SCHEDULED", "RUNNING")

    await eventually("the end of the reconciliation", ended)
    answer: dict[str, Any] = dict(await client.reconciliation(job))
    assert "error" not in answer, answer["error"]
    counts = answer["counts"]
    parts = ("equal", "missing", "different", "failing", "under_way", "explained")
    assert counts["expected"] == sum(counts[part] for part in parts), counts
    rows = csv.DictReader(io.StringIO(await client.findings(job)))
    findings = {
        (
            row["kind__sys"].removesuffix("__sys"),
            row["integration_point__sys"],
            row["source_record__sys"],
            row["details__sys"],
        )
        for row in rows
    }
    assert len(findings) == sum(counts[kind] for kind in CLEAN), answer
    return Found(answer, findings)


async def assert_clean(client: VaultClient) -> Found:
    """Compare a connection until nothing differs: what is on a queue when it begins arrives by and by.

    What stays different fails the test.
    """
    found = await reconciled(client)
    for _ in range(ATTEMPTS):
        if not found.findings:
            break
        found = await reconciled(client)
    assert found.findings == set()
    return found
