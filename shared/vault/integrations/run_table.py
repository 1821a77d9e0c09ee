"""Stores runs and the counts of their batches; every call may be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from shared.vault.integrations.run_model import JOB_TYPE, Batch, Counts, Paging, Run
from shared.vault.jobs.job_model import JobStatus

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.storage.database import Connection

# The window continues an earlier run when it begins where the source's changes were complete at that run.
BEGINNING = datetime.min.replace(tzinfo=UTC)  # of a run that reads everything
BEGIN = f"""
INSERT INTO platform.integration_run (job_id, found_time, changed_since, continues)
VALUES ($1, $2, $3, EXISTS (
    SELECT FROM platform.integration_run r JOIN platform.job j USING (job_id)
    WHERE j.job_type = '{JOB_TYPE}' AND j.parameters ->> 'integration' = $4 AND j.status = 'SUCCESS'
        AND r.complete_until = $2))
"""
COLUMNS = """j.job_id, j.status, j.created_by, j.created_date, j.run_start_date, j.run_end_date, r.found_time,
    r.changed_since, r.read_since, r.continues, r.source_time, r.complete_until, r.stage, r.position, r.batches,
    r.paged, r.more_stages, r.error, r.progress_date < now() - $1::interval AS stalled,
    (SELECT json_agg(point) FROM (
        SELECT integration_point, count(*) AS batches, sum(read) AS read, sum(mapped) AS mapped,
            sum(skipped) AS skipped, sum(written) AS written, sum(failed) AS failed,
            sum(unchanged) AS unchanged
        FROM platform.integration_run_batch b WHERE b.job_id = j.job_id
        GROUP BY integration_point ORDER BY min(batch)) point) AS points"""
_RUNS = f"""
SELECT {COLUMNS}
FROM platform.job j LEFT JOIN platform.integration_run r USING (job_id)
WHERE j.job_type = '{JOB_TYPE}' AND j.parameters ->> 'integration' =
"""
RUNS = f"{_RUNS} $2"
ONE_RUN = f"{RUNS} AND j.job_id = $3"
RUN_OF_NAMED = f"""
{_RUNS} (SELECT id FROM records.integration__sys WHERE integration_api_name__sys = $2) AND j.job_id = $3
"""
PAGE_OF_RUNS = f"{RUNS} ORDER BY j.job_id DESC LIMIT $3 OFFSET $4"
LATEST_OF_EACH = f"""
SELECT DISTINCT ON (integration) * FROM (
    SELECT j.parameters ->> 'integration' AS integration, {COLUMNS}
    FROM platform.job j LEFT JOIN platform.integration_run r USING (job_id)
    WHERE j.job_type = '{JOB_TYPE}' AND j.parameters ->> 'integration' = ANY($2::text[])
) runs ORDER BY integration, job_id DESC
"""
UNDER_WAY = """
SELECT r.job_id FROM platform.integration_run r JOIN platform.job j USING (job_id)
WHERE job_id = $1 AND j.status = 'RUNNING' FOR UPDATE OF r
"""
SET_SOURCE_TIME = """
UPDATE platform.integration_run
SET source_time = coalesce(source_time, $2), progress_date = now(),
    read_since = CASE WHEN source_time IS NULL THEN $4 ELSE read_since END,
    complete_until = CASE WHEN source_time IS NULL THEN $3 ELSE complete_until END
WHERE job_id = $1
"""
SET_ERROR = "UPDATE platform.integration_run SET error = $2, progress_date = now() WHERE job_id = $1"
# A connector that reads a stage a second time reports what is stored already: a report counts only
# when it is ahead.
STORE_PAGING = """
UPDATE platform.integration_run SET batches = $3, position = $4, paged = $5, more_stages = $6, progress_date = now()
WHERE job_id = $1 AND stage = $2 AND NOT paged AND CASE WHEN $5 THEN batches = $3 ELSE batches < $3 END
"""
# A batch that was delivered twice counts once, as the delivery in which more failed: the other
# one may have found its records written already.
REPORT = """
WITH progressed AS (UPDATE platform.integration_run SET progress_date = now() WHERE job_id = $1)
INSERT INTO platform.integration_run_batch AS b
    (job_id, batch, integration_point, read, mapped, skipped, written, failed, unchanged)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (job_id, batch) DO UPDATE SET read = excluded.read, mapped = excluded.mapped, skipped = excluded.skipped,
    written = excluded.written, failed = excluded.failed, unchanged = excluded.unchanged
WHERE excluded.failed > b.failed
"""
NEXT_STAGE = """
UPDATE platform.integration_run SET stage = stage + 1, position = '', paged = false, progress_date = now()
WHERE job_id = $1 RETURNING stage
"""


async def begin(
    connection: Connection,
    integration: str,
    job_id: int,
    found: datetime | None,
) -> None:
    """Store a run of an integration (record id) that begins now, from the time ``found``; None reads everything."""
    since = BEGINNING if found is None else found
    await connection.execute(BEGIN, job_id, found, since, integration)


async def set_source_time(
    connection: Connection,
    job_id: int,
    source_time: datetime,
    complete_until: datetime | None,
    read_since: datetime | None,
) -> None:
    """Store the source's clock, until when its changes were complete, and the window's beginning, unless stored."""
    times = (source_time, complete_until, read_since)
    await connection.execute(SET_SOURCE_TIME, job_id, *times)


async def read_run(
    connection: Connection,
    integration: str,
    job_id: int,
    patience: timedelta,
) -> Run | None:
    """Return a run of an integration (record id); ``stalled`` after ``patience`` without a report."""
    row = await connection.fetchrow(ONE_RUN, patience, integration, job_id)
    return None if row is None else _run(row)


async def read_run_of_named(
    connection: Connection,
    integration: str,
    job_id: int,
    patience: timedelta,
) -> Run | None:
    """Return a run of an integration (API name) as ``read_run`` does; None also when there is no such integration."""
    row = await connection.fetchrow(RUN_OF_NAMED, patience, integration, job_id)
    return None if row is None else _run(row)


async def list_runs(
    connection: Connection,
    integration: str,
    limit: int,
    offset: int,
) -> Sequence[Run]:
    """Return a page of the runs of an integration (record id), the latest first."""
    # A list shows no run as stalled.
    patience = None
    rows = await connection.fetch(
        PAGE_OF_RUNS,
        patience,
        integration,
        limit,
        offset,
    )
    return [_run(row) for row in rows]


async def latest_of_each(
    connection: Connection,
    integrations: Sequence[str],
) -> Mapping[str, Run]:
    """Return the latest run of each of these integrations (record ids) that has one."""
    rows = await connection.fetch(LATEST_OF_EACH, None, list(integrations))
    return {row["integration"]: _run(row) for row in rows}


async def lock_unfinished(connection: Connection, job_id: int) -> bool:
    """Lock a run, so that it cannot end during this transaction; return whether it has not ended."""
    found = await connection.fetchval(UNDER_WAY, job_id)
    return found is not None


async def store_paging(connection: Connection, job_id: int, paging: Paging) -> None:
    """Store the progress of reading a stage, unless a later report is stored."""
    await connection.execute(
        STORE_PAGING,
        job_id,
        paging.stage,
        paging.batches,
        paging.position,
        paging.ended,
        paging.more_stages,
    )


async def report(connection: Connection, job_id: int, batch: Batch) -> None:
    """Store the counts of a batch, unless they are stored already."""
    counts = batch.counts
    await connection.execute(
        REPORT,
        job_id,
        batch.number,
        batch.integration_point,
        counts.read,
        counts.mapped,
        counts.skipped,
        counts.written,
        counts.failed,
        counts.unchanged,
    )


async def next_stage(connection: Connection, job_id: int) -> int:
    """Start the next stage, and return its number."""
    stage: int = await connection.fetchval(NEXT_STAGE, job_id)
    return stage


def _run(row: Record) -> Run:
    # The database returns no rows of a subquery, but their JSON.
    points = orjson.loads(row["points"] or "[]")
    return Run(
        job_id=row["job_id"],
        status=JobStatus(row["status"]),
        created_by=row["created_by"],
        created_date=row["created_date"],
        run_start_date=row["run_start_date"],
        run_end_date=row["run_end_date"],
        found_time=row["found_time"],
        changed_since=row["changed_since"],
        read_since=row["read_since"],
        continues=bool(row["continues"]),
        source_time=row["source_time"],
        complete_until=row["complete_until"],
        stage=row["stage"] or 0,
        position=row["position"] or "",
        batches=row["batches"] or 0,
        reported=sum(point["batches"] for point in points),
        paged=bool(row["paged"]),
        more_stages=bool(row["more_stages"]),
        error=row["error"],
        stalled=bool(row["stalled"]),
        by_point={point["integration_point"]: _counts(point) for point in points},
    )


def _counts(point: Mapping[str, int]) -> Counts:
    return Counts(
        read=point["read"],
        mapped=point["mapped"],
        skipped=point["skipped"],
        written=point["written"],
        failed=point["failed"],
        unchanged=point["unchanged"],
    )
