"""Requests and shows reconciliations, stores connectors' reports on them, and transfers findings again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault
from shared.vault.integrations import reconciliation_table as table
from shared.vault.integrations.reconciliation_messages import announce_slice
from shared.vault.integrations.reconciliation_model import (
    Phase,
    Reconciliation,
    Scope,
    SliceReport,
)
from shared.vault.integrations.reconciliation_requests import request_reconciliation
from shared.vault.jobs.job_table import wake_job

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

MAX_ERROR = 1500  # characters
MAX_ID = 2**31 - 1  # of the column, an integer of PostgreSQL
# What is named has to be of the connection; a connection may be named by what it has.
NAMED = """
SELECT c.id, c.status__v = 'active__v' AND c.state__v = 'active_state__sys' AS active
FROM records.connection__sys c
LEFT JOIN records.integration__sys i ON i.connection__sys = c.id
LEFT JOIN records.integration_point__sys p ON p.integration__sys = i.id
WHERE ($1::text IS NULL OR c.api_name__sys = $1) AND ($2::text IS NULL OR i.integration_api_name__sys = $2)
AND ($3::text IS NULL OR p.integration_point_api_name__sys = $3)
LIMIT 1
"""


class ReconciliationService:
    """Requests, shows and updates reconciliations, each identified by its job's id.

    A reconciliation is stalled when no connector has reported on it for ``patience_minutes``.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        patience_minutes: float,
    ) -> None:
        self._database = database
        self._components = components
        self._patience = timedelta(minutes=patience_minutes)

    async def request(
        self,
        caller: Caller,
        connection: str | None,
        integration: str | None,
        integration_point: str | None,
        *,
        window_minutes: int,
    ) -> int:
        """Queue a reconciliation of a scope (API names), and return its job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS; PARAMETER_REQUIRED when nothing is named; INVALID_DATA when there is no
            such part; OPERATION_NOT_ALLOWED when the connection is not active, or a reconciliation of it with another
            scope is waiting.
        """
        authorize(caller, Grant.REQUEST_RUNS)
        if not (connection or integration or integration_point):
            message = "Missing required parameter [connection]"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)

        async def work(transaction: Connection) -> int:
            names = (connection, integration, integration_point)
            row = await transaction.fetchrow(NAMED, *names)
            if row is None:
                message = "There is no connection, integration or integration point of these names"
                raise VaultFault(ErrorType.INVALID_DATA, message)
            if not row["active"]:
                message = "The connection is not active"
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
            scope = Scope(row["id"], integration, integration_point, window_minutes)
            return await request_reconciliation(transaction, caller, scope)

        return await self._database.unit_of_work(work)

    async def listed(
        self,
        caller: Caller,
        connection: str | None,
        *,
        limit: int,
        offset: int,
    ) -> Sequence[Reconciliation]:
        """Return reconciliations of a connection (API name) or of all, the latest first.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.COPY_RECORDS)
        async with self._database.connection() as transaction:
            return await table.listed(transaction, connection, limit, offset)

    async def one(self, caller: Caller, job_id: int) -> Reconciliation:
        """Return one reconciliation.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is none with this id.
        """
        authorize(caller, Grant.COPY_RECORDS)
        async with self._database.connection() as transaction:
            return await self._read(transaction, job_id)

    async def begin_comparing(
        self, caller: Caller, job_id: int, source_time: datetime
    ) -> Reconciliation:
        """Store the source's clock before anything is compared; only the first report is stored.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """

        async def work(transaction: Connection, _stored: Reconciliation) -> None:
            await table.set_source_time(transaction, job_id, source_time)

        return await self._update(caller, job_id, work)

    async def give_up(self, caller: Caller, job_id: int, reason: str) -> Reconciliation:
        """End a reconciliation that cannot be carried out.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """

        async def work(transaction: Connection, _stored: Reconciliation) -> None:
            await table.set_error(transaction, job_id, reason[:MAX_ERROR])
            await wake_job(transaction, job_id)

        return await self._update(caller, job_id, work)

    async def report(
        self, caller: Caller, job_id: int, report: SliceReport
    ) -> Reconciliation:
        """Store the report of a slice, once even if it is repeated, and send the message of the next slice.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """

        async def work(transaction: Connection, stored: Reconciliation) -> None:
            if stored.phase is Phase.DONE or stored.error is not None:
                return
            if not await table.store(transaction, job_id, stored.phase, report):
                return
            phase = await _following(transaction, stored, report)
            if phase is not stored.phase:
                await table.set_phase(transaction, job_id, phase)
            if phase is Phase.DONE:
                await wake_job(transaction, job_id)
                return
            registry = self._components.registry
            await announce_slice(transaction, registry, stored)

        return await self._update(caller, job_id, work)

    async def _update(
        self,
        caller: Caller,
        job_id: int,
        store: Callable[[Connection, Reconciliation], Awaitable[None]],
    ) -> Reconciliation:
        """Store a report on an unfinished reconciliation, and return the reconciliation."""
        authorize(caller, Grant.COPY_RECORDS)

        async def work(transaction: Connection) -> Reconciliation:
            await self._read(transaction, job_id)
            # Locked before it is read: of two reports of one slice, the second sees that it is stored.
            if await table.lock_unfinished(transaction, job_id):
                stored = await self._read(transaction, job_id)
                await store(transaction, stored)
            return await self._read(transaction, job_id)

        return await self._database.unit_of_work(work)

    async def _read(self, transaction: Connection, job_id: int) -> Reconciliation:
        found: Reconciliation | None = None
        if 0 < job_id <= MAX_ID:
            found = await table.read(transaction, job_id, self._patience)
        if found is None:
            message = f"There is no reconciliation [{job_id}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return found


async def _following(
    transaction: Connection, stored: Reconciliation, report: SliceReport
) -> Phase:
    """Return the phase after a report: when all slices are compared, LOOK_AGAIN while items are left, then DONE."""
    if stored.phase is Phase.COMPARE and not report.ended:
        return Phase.COMPARE
    waiting = await table.next_candidates(transaction, stored.job_id)
    return Phase.DONE if waiting is None else Phase.LOOK_AGAIN
