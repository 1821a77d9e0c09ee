"""Runs as the API shows them: request one, look at them, and what a connector tells of its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault
from shared.vault.integrations import run_table as table
from shared.vault.integrations.integration_triggers import is_active
from shared.vault.integrations.run_model import Batch, Paging, Run
from shared.vault.integrations.run_requests import request_run
from shared.vault.jobs.job_table import wake_job
from shared.vault.storage.database import tell

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection, Database

MAX_ERROR = 1500
MAX_ID = 2**31 - 1
INTEGRATION = (
    "SELECT id FROM records.integration__sys WHERE integration_api_name__sys = $1"
)


class RunService:
    """The runs of a Vault's integrations, by the integration's API name."""

    def __init__(self, database: Database, patience_minutes: float) -> None:
        """``patience_minutes`` is how long a run may go unheard of."""
        self._database = database
        self._patience = timedelta(minutes=patience_minutes)

    async def clock(self, caller: Caller) -> datetime:
        """The moment for a caller who will ask what changed since; no later change is dated before it."""
        authorize(caller, Grant.COPY_RECORDS)
        return await self._database.unit_of_work(tell)

    async def request(self, caller: Caller, integration: str) -> int:
        """Have an active integration run now; the job's id. Raises VaultFault."""
        authorize(caller, Grant.REQUEST_RUNS)

        async def work(connection: Connection) -> int:
            record = await _record(connection, integration)
            if not await is_active(connection, integration):
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    "The integration or its connection is not active",
                )
            return await request_run(connection, caller, record)

        return await self._database.unit_of_work(work)

    async def runs(
        self, caller: Caller, integration: str, *, limit: int, offset: int
    ) -> Sequence[Run]:
        """Runs of an integration, the latest first; raises VaultFault."""
        authorize(caller, Grant.COPY_RECORDS)
        async with self._database.connection() as connection:
            return await table.list_runs(
                connection, await _record(connection, integration), limit, offset
            )

    async def run(self, caller: Caller, integration: str, job_id: int) -> Run:
        """One run; raises VaultFault."""
        authorize(caller, Grant.COPY_RECORDS)
        async with self._database.connection() as connection:
            return await self._run(connection, integration, job_id)

    async def begin_reading(
        self, caller: Caller, integration: str, job_id: int, source_time: datetime
    ) -> Run:
        """Note the source's clock as it was before anything was read: the first who tells it decides."""

        async def work(connection: Connection) -> None:
            await connection.execute(table.SET_SOURCE_TIME, job_id, source_time)

        return await self._tell(caller, integration, job_id, work)

    async def read_on(
        self, caller: Caller, integration: str, job_id: int, paging: Paging
    ) -> Run:
        """Note how far the reading has come; the run says from where to go on, and whether it does."""

        async def work(connection: Connection) -> None:
            await table.read_on(connection, job_id, paging)

        return await self._tell(caller, integration, job_id, work)

    async def give_up(
        self, caller: Caller, integration: str, job_id: int, reason: str
    ) -> Run:
        """End a run that cannot be read."""

        async def work(connection: Connection) -> None:
            await connection.execute(table.SET_ERROR, job_id, reason[:MAX_ERROR])

        return await self._tell(caller, integration, job_id, work)

    async def report(
        self, caller: Caller, integration: str, job_id: int, batch: Batch
    ) -> Run:
        """Count a batch in, once however often it is reported; nothing is noted of a run that has ended."""
        batch.counts.check()

        async def work(connection: Connection) -> None:
            await table.report(connection, job_id, batch)

        return await self._tell(caller, integration, job_id, work)

    async def _tell(
        self,
        caller: Caller,
        integration: str,
        job_id: int,
        note: Callable[[Connection], Awaitable[None]],
    ) -> Run:
        authorize(caller, Grant.COPY_RECORDS)

        async def work(connection: Connection) -> Run:
            run = await self._run(connection, integration, job_id)
            if await table.under_way(connection, run.job_id):
                await note(connection)
                run = await self._run(connection, integration, job_id)
                if run.error is not None or run.stage_done:
                    await wake_job(connection, job_id)
            return run

        return await self._database.unit_of_work(work)

    async def _run(self, connection: Connection, integration: str, job_id: int) -> Run:
        record = await _record(connection, integration)
        run = (
            await table.read_run(connection, record, job_id, self._patience)
            if 0 < job_id <= MAX_ID
            else None
        )
        if run is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"The integration has no run [{job_id}]"
            )
        return run


async def _record(connection: Connection, integration: str) -> str:
    record: str | None = None
    if "\x00" not in integration:
        record = await connection.fetchval(INTEGRATION, integration)
    if record is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no integration [{integration[:100]}]"
        )
    return record
