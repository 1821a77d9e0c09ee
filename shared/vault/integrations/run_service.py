"""Requests and shows runs, and stores connectors' reports on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.runtime.logging import get_logger
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault
from shared.vault.integrations import run_table as table
from shared.vault.integrations.integration_triggers import is_active
from shared.vault.integrations.run_model import SHORT_HOLD, Batch, Paging, Run
from shared.vault.integrations.run_requests import request_run
from shared.vault.jobs.job_table import wake_job
from shared.vault.storage.clock import ClockReading, read_clock

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection, Database

log = get_logger(__name__)

MAX_ERROR = 1500  # characters
MAX_ID = 2**31 - 1  # of the column, an integer of PostgreSQL
INTEGRATION = (
    "SELECT id FROM records.integration__sys WHERE integration_api_name__sys = $1"
)


class RunService:
    """Requests, shows and updates the runs of integrations, which are named by their API names.

    A run is stalled when no connector has reported on it for ``patience_minutes``.
    """

    def __init__(self, database: Database, patience_minutes: float) -> None:
        self._database = database
        self._patience = timedelta(minutes=patience_minutes)

    async def clock(self, caller: Caller) -> ClockReading:
        """Return the time, and the moment before which all changes are committed and can be read.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.COPY_RECORDS)
        reading = await read_clock(self._database)
        if reading.date_time - reading.complete_until > SHORT_HOLD:
            log.warning(
                "changes.held_back",
                since=reading.complete_until.isoformat(),
                process=reading.oldest_process,
            )
        return reading

    async def is_active(self, integration: str) -> bool:
        """Return whether an integration and its connection are active, so that messages for it are processed."""
        async with self._database.connection() as connection:
            return await is_active(connection, integration)

    async def request(self, caller: Caller, integration: str) -> int:
        """Queue a run of an active integration, and return its job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED.
        """
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
        self,
        caller: Caller,
        integration: str,
        *,
        limit: int,
        offset: int,
    ) -> Sequence[Run]:
        """Return runs of an integration, the latest first.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """
        authorize(caller, Grant.COPY_RECORDS)
        async with self._database.connection() as connection:
            record = await _record(connection, integration)
            return await table.list_runs(connection, record, limit, offset)

    async def latest(
        self,
        caller: Caller,
        integrations: Sequence[str],
    ) -> Mapping[str, Run]:
        """Return the latest run of each of these integrations, by record id; integrations without a run are omitted.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.COPY_RECORDS)
        async with self._database.connection() as connection:
            return await table.latest_of_each(connection, integrations)

    async def run(self, caller: Caller, integration: str, job_id: int) -> Run:
        """Return one run.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """
        authorize(caller, Grant.COPY_RECORDS)
        async with self._database.connection() as connection:
            return await self._run(connection, integration, job_id)

    async def begin_reading(
        self,
        caller: Caller,
        integration: str,
        job_id: int,
        source_time: datetime,
        complete_until: datetime | None,
        read_since: datetime | None,
    ) -> Run:
        """Store the source's clock before the reading; only the first report is stored.

        ``complete_until`` is the moment until which the source's changes are complete, ``read_since`` the one from
        which changes are read; None when unknown.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA, also when ``complete_until`` is after the clock.
        """
        if complete_until is not None and complete_until > source_time:
            message = "[complete_until] must not be after [source_time]"
            raise VaultFault(ErrorType.INVALID_DATA, message)

        async def work(connection: Connection) -> None:
            times = (source_time, complete_until, read_since)
            await table.set_source_time(connection, job_id, *times)

        return await self._update(caller, integration, job_id, work)

    async def store_paging(
        self,
        caller: Caller,
        integration: str,
        job_id: int,
        paging: Paging,
    ) -> Run:
        """Store the progress of a stage; the returned run has the position to continue from.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """

        async def work(connection: Connection) -> None:
            await table.store_paging(connection, job_id, paging)

        return await self._update(caller, integration, job_id, work)

    async def give_up(
        self,
        caller: Caller,
        integration: str,
        job_id: int,
        reason: str,
    ) -> Run:
        """End a run that cannot be read.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """

        async def work(connection: Connection) -> None:
            await connection.execute(table.SET_ERROR, job_id, reason[:MAX_ERROR])

        return await self._update(caller, integration, job_id, work)

    async def report(
        self,
        caller: Caller,
        integration: str,
        job_id: int,
        batch: Batch,
    ) -> Run:
        """Store the counts of a batch, once even if they are reported again.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA, also for counts that do not add up.
        """
        # Wrong counts are refused before the run is locked.
        batch.counts.check()

        async def work(connection: Connection) -> None:
            await table.report(connection, job_id, batch)

        return await self._update(caller, integration, job_id, work)

    async def _update(
        self,
        caller: Caller,
        integration: str,
        job_id: int,
        store: Callable[[Connection], Awaitable[None]],
    ) -> Run:
        """Store a report on an unfinished run, and return the run."""
        authorize(caller, Grant.COPY_RECORDS)

        async def work(connection: Connection) -> Run:
            known = 0 < job_id <= MAX_ID
            under_way = known and await table.lock_unfinished(connection, job_id)
            if under_way:
                await store(connection)
            # A run of another integration is refused here, and what has been stored for it is undone.
            run = await self._run(connection, integration, job_id)
            # Otherwise its parked job would look at the run some seconds later only.
            if under_way and (run.error is not None or run.stage_done):
                await wake_job(connection, job_id)
            return run

        return await self._database.unit_of_work(work)

    async def _run(self, connection: Connection, integration: str, job_id: int) -> Run:
        """Return a run.

        :raises VaultFault: INVALID_DATA when the integration has no run with this id.
        """
        run: Run | None = None
        # PostgreSQL takes no NUL character in a text.
        if 0 < job_id <= MAX_ID and "\x00" not in integration:
            run = await table.read_run_of_named(
                connection, integration, job_id, self._patience
            )
        if run is None:
            # The more general error first: there may be no such integration.
            await _record(connection, integration)
            message = f"The integration has no run [{job_id}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return run


async def _record(connection: Connection, integration: str) -> str:
    """Return the record id of an integration (API name).

    :raises VaultFault: INVALID_DATA for an unknown integration.
    """
    record: str | None = None
    # PostgreSQL takes no NUL character in a text.
    if "\x00" not in integration:
        record = await connection.fetchval(INTEGRATION, integration)
    if record is None:
        message = f"There is no integration [{integration[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return record
