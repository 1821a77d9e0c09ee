"""Requests runs: now, or when the integration's interval has passed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.integrations.run_model import JOB_TYPE
from shared.vault.jobs.job_table import NewJob, insert_job
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection

TITLE = "SELECT name__v FROM records.integration__sys WHERE id = $1"
INTERVAL = "SELECT run_interval__sys FROM records.integration__sys WHERE id = $1 AND status__v = 'active__v'"
CANCEL_SCHEDULED = """
UPDATE platform.job SET status = 'CANCELLED', run_end_date = now(), modified_date = now()
WHERE singleton_key = $1 AND status = 'SCHEDULED'
"""


async def request_run(
    connection: Connection,
    caller: Caller,
    integration: str,
    run_at: datetime | None = None,
) -> int:
    """Queue a run of an integration (record id) within a transaction, and return its job's id.

    At most one run of an integration waits and at most one runs; a waiting one is brought forward to ``run_at``.
    """
    name = await connection.fetchval(TITLE, integration)
    job = NewJob(
        job_type=JOB_TYPE,
        title=f"Integration run: {name}",
        parameters={"integration": integration},
        user_id=caller.user_id,
        run_at=run_at,
        singleton_key=_key(integration),
        delegate_user_id=caller.delegate_user_id,
    )
    return await insert_job(connection, job)


async def schedule_next(
    connection: Connection,
    caller: Caller,
    integration: str,
) -> None:
    """Schedule the next run of an integration (record id); none when it is inactive or has no interval."""
    # The scheduled run first: a request would only bring it forward, never put it off.
    await connection.execute(CANCEL_SCHEDULED, _key(integration))
    minutes = await connection.fetchval(INTERVAL, integration)
    if minutes:
        run_at = await moment(connection) + timedelta(minutes=minutes)
        await request_run(connection, caller, integration, run_at)


def _key(integration: str) -> str:
    return f"{JOB_TYPE}:{integration}"
