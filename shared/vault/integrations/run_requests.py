"""Requesting a run: now, or when the integration's interval has passed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.integrations.run_model import JOB_TYPE
from shared.vault.jobs.job_table import NewJob, insert_job
from shared.vault.storage.database import moment

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection

TITLE = "SELECT name__v FROM records.integration__sys WHERE id = $1"
INTERVAL = "SELECT run_interval__sys FROM records.integration__sys WHERE id = $1 AND status__v = 'active__v'"
FORGET_SCHEDULED = """
UPDATE platform.job SET status = 'CANCELLED', run_end_date = now(), modified_date = now()
WHERE singleton_key = $1 AND status = 'SCHEDULED'
"""


async def request_run(
    connection: Connection,
    caller: Caller,
    integration: str,
    run_at: datetime | None = None,
) -> int:
    """Have an integration (record id) run, in the transaction of the wish; the job's id.

    At most one run of an integration waits and at most one is under way. One that waits is brought forward.
    """
    title = f"Integration run: {await connection.fetchval(TITLE, integration)}"
    parameters = {"integration": integration}
    return await insert_job(
        connection,
        NewJob(JOB_TYPE, title, parameters, caller.user_id, run_at, _key(integration)),
    )


async def schedule_next(
    connection: Connection, caller: Caller, integration: str
) -> None:
    """Have it run when its interval has passed, in place of what was scheduled before; not at all without one."""
    await connection.execute(FORGET_SCHEDULED, _key(integration))
    minutes = await connection.fetchval(INTERVAL, integration)
    if minutes:
        run_at = await moment(connection) + timedelta(minutes=minutes)
        await request_run(connection, caller, integration, run_at)


def _key(integration: str) -> str:
    return f"{JOB_TYPE}:{integration}"
