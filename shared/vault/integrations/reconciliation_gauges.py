"""Sets the metrics of reconciliations in every process of a Vault when a reconciliation has ended in any of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.protocol.reconciliation_verdicts import FINDINGS
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import end, run_until_cancelled, wait_for
from shared.vault.storage.database import OUTAGES

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection, Database

RECONCILED = "reconciled"
"""The notification channel that says that a reconciliation has ended."""

NOTIFY = "SELECT pg_notify($1, '')"
# A reconciliation of a part of a connection says nothing of the rest.
WHOLE = (
    "r.integration_api_name__sys IS NULL AND r.integration_point_api_name__sys IS NULL"
)
NUMBERS = ", ".join(f"r.{verdict}__sys AS {verdict}" for verdict in FINDINGS)
LATEST = f"""
SELECT DISTINCT ON (c.id) c.api_name__sys AS connection, {NUMBERS},
    (SELECT extract(epoch FROM max(r.compared_date__sys)) FROM records.reconciliation__sys r
     WHERE r.connection__sys = c.id AND r.clean__sys AND {WHOLE}) AS clean
FROM records.reconciliation__sys r JOIN records.connection__sys c ON c.id = r.connection__sys WHERE {WHOLE}
ORDER BY c.id, r.id DESC
"""


async def announce_end(connection: Connection) -> None:
    """Tell all processes, when the transaction commits, that a reconciliation has ended."""
    await connection.execute(NOTIFY, RECONCILED)


class ReconciliationGauges:
    """Reads the latest results whenever a reconciliation has ended, and sets the metrics."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Make the task that ``start`` began read the results again."""
        self._ended.set()

    async def start(self) -> None:
        """Start reading results, until ``stop``."""
        reading = run_until_cancelled("reconciliation metrics", self._follow)
        self._task = asyncio.create_task(reading, name="reconciliation metrics")

    async def stop(self) -> None:
        """Stop reading."""
        await end(self._task)

    async def _follow(self) -> None:
        self._ended.set()
        while True:
            await self._ended.wait()
            self._ended.clear()
            await wait_for("postgresql", self._measure, retry_on=OUTAGES)

    async def _measure(self) -> None:
        async with self._database.connection() as connection:
            rows = await connection.fetch(LATEST)
        for row in rows:
            name = row["connection"]
            for verdict in FINDINGS:
                gauge = metrics.reconciliation_findings.labels(name, verdict.value)
                gauge.set(float(row[verdict.value] or 0))
            if row["clean"] is not None:
                metrics.reconciliation_clean.labels(name).set(float(row["clean"]))
