"""Requests reconciliations: now, or when the interval of their connection has passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault.connections.connection_rules import OBJECT, ConnectionTrigger
from shared.vault.errors import VaultFault
from shared.vault.integrations.reconciliation_model import JOB_TYPE, Scope
from shared.vault.jobs.job_table import NewJob, insert_job
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection

INTERVAL_FIELD = "reconciliation_interval__sys"
TITLE = f"SELECT name__v FROM records.{OBJECT} WHERE id = $1"
INTERVAL = f"""
SELECT {INTERVAL_FIELD} FROM records.{OBJECT}
WHERE id = $1 AND status__v = 'active__v' AND state__v = 'active_state__sys'
"""
CANCEL_SCHEDULED = """
UPDATE platform.job SET status = 'CANCELLED', run_end_date = now(), modified_date = now()
WHERE singleton_key = $1 AND status = 'SCHEDULED'
"""
PARAMETERS = "SELECT parameters FROM platform.job WHERE job_id = $1"


class ScheduledConnectionTrigger(ConnectionTrigger):
    """Applies the rules of connections, and schedules the reconciliations of a connection by its interval."""

    columns = (*ConnectionTrigger.columns, INTERVAL_FIELD, "status__v")

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Apply the rules of connections, and schedule connections whose interval, status or state has changed.

        :raises VaultFault: INSUFFICIENT_ACCESS when those rules refuse a change.
        """
        await super().after_update(connection, caller, updated)
        for stored, changes in updated:
            if not changes.keys().isdisjoint({INTERVAL_FIELD, "status__v", "state__v"}):
                await schedule_next(connection, caller, stored["id"])


async def request_reconciliation(
    connection: Connection,
    caller: Caller,
    scope: Scope,
    run_at: datetime | None = None,
) -> int:
    """Queue a reconciliation within a transaction, and return its job's id.

    Of the reconciliations of a connection, at most one waits and at most one runs. Without ``run_at`` (now), the new
    one replaces a scheduled one; when it begins, the next is scheduled again.

    :raises VaultFault: OPERATION_NOT_ALLOWED when a reconciliation with another scope is waiting.
    """
    if run_at is None:
        await connection.execute(CANCEL_SCHEDULED, _key(scope.connection))
    name = await connection.fetchval(TITLE, scope.connection)
    job = NewJob(
        job_type=JOB_TYPE,
        title=f"Reconciliation: {name}",
        parameters=scope.parameters(),
        user_id=caller.user_id,
        run_at=run_at,
        singleton_key=_key(scope.connection),
        delegate_user_id=caller.delegate_user_id,
    )
    job_id = await insert_job(connection, job)
    waiting = Scope.of(orjson.loads(await connection.fetchval(PARAMETERS, job_id)))
    if run_at is None and not waiting.includes(scope):
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED,
            "Another reconciliation of the connection waits for its turn; repeat the request when it has begun",
        )
    return job_id


async def schedule_next(
    connection: Connection, caller: Caller, connection_id: str
) -> None:
    """Schedule the next reconciliation of a connection (record id), if it is active and has an interval."""
    # The scheduled one first: a request would only bring it forward, never put it off.
    await connection.execute(CANCEL_SCHEDULED, _key(connection_id))
    minutes = await connection.fetchval(INTERVAL, connection_id)
    if minutes:
        run_at = await moment(connection) + timedelta(minutes=float(minutes))
        await request_reconciliation(connection, caller, Scope(connection_id), run_at)


def _key(connection_id: str) -> str:
    return f"{JOB_TYPE}:{connection_id}"
