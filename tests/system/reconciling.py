"""Requests reconciliations of a Vault, and waits for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from shared.client import VaultClient
from tests.system.conditions import POLL_SECONDS, Connected, eventually

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

    def among(self, records: Collection[str] | None) -> set[tuple[str, str, str, str]]:
        """Findings of these source records; all with None."""
        return {
            finding
            for finding in self.findings
            if records is None or finding[2] in records
        }


async def everything_transferred(
    connected: Connected, integration: str = INTEGRATION
) -> None:
    """Run the integration over all accounts, also those from before it was active."""
    row = {
        "integration_api_name__sys": integration,
        "last_successful_run_time__sys": None,
    }
    key = "integration_api_name__sys"
    await connected.medical.update("integration__sys", [row], key)
    job = await connected.medical.request_run(integration)

    async def over() -> bool:
        run = await connected.medical.run(integration, job)
        return run["status"] not in ("QUEUED", "RUNNING")

    await eventually("the end of the run", over)


async def reconciled(
    client: VaultClient,
    meanwhile: Meanwhile | None = None,
    *,
    window_minutes: int = 0,
    connection: str = CONNECTION,
) -> Found:
    """Compare a connection, without a window unless the test passes one; ``meanwhile`` starts after the first slice."""
    asked = {"connection": connection, "window_minutes": str(window_minutes)}
    job = await client.request_reconciliation(asked)
    if meanwhile is not None:

        async def begun() -> bool:
            state = await client.reconciliation(job)
            return int(str(state["slice"])) > 0

        # Seldom questions would miss the time until the last slice.
        await eventually("the first slice", begun, POLL_SECONDS)
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


async def assert_clean(
    client: VaultClient,
    records: Collection[str] | None = None,
    connection: str = CONNECTION,
) -> Found:
    """Compare a connection until nothing differs: messages that are on a queue at the begin arrive later.

    A remaining difference fails the test; with ``records`` (source records) only one of those, since a shared system
    has records of other tests.
    """
    found = await reconciled(client, connection=connection)
    for _ in range(ATTEMPTS):
        if not found.among(records):
            break
        found = await reconciled(client, connection=connection)
    assert found.among(records) == set(), found
    return found
