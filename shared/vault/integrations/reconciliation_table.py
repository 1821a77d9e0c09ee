"""Stores reconciliations and connectors' reports on them; a slice that is reported twice counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from shared.protocol.reconciliation_verdicts import Verdict
from shared.protocol.whole_numbers import whole_number
from shared.spark.envelope import MAX_ITEMS
from shared.vault.integrations.reconciliation_model import (
    JOB_TYPE,
    Candidates,
    Phase,
    Reconciliation,
    Scope,
    SliceReport,
)
from shared.vault.jobs.job_model import JobStatus

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.storage.database import Connection

BEGIN = "INSERT INTO platform.reconciliation (job_id) VALUES ($1)"
RECONCILIATIONS = f"""
SELECT j.job_id, j.status, j.parameters, j.created_date, j.run_end_date, c.api_name__sys AS connection,
    c.remote_vault_id__sys AS remote_vault, r.source_time, r.phase, r.slice, r.position, r.error, r.result,
    r.progress_date < now() - $1::interval AS stalled
FROM platform.job j LEFT JOIN platform.reconciliation r USING (job_id)
LEFT JOIN records.connection__sys c ON c.id = j.parameters ->> 'connection'
WHERE j.job_type = '{JOB_TYPE}'
"""
ONE = f"{RECONCILIATIONS} AND j.job_id = $2"
PAGE = f"""
{RECONCILIATIONS} AND ($2::text IS NULL OR c.api_name__sys = $2) ORDER BY j.job_id DESC LIMIT $3 OFFSET $4
"""
UNDER_WAY = """
SELECT r.job_id FROM platform.reconciliation r JOIN platform.job j USING (job_id)
WHERE job_id = $1 AND j.status = 'RUNNING' FOR UPDATE OF r
"""
SET_SOURCE_TIME = """
UPDATE platform.reconciliation SET source_time = coalesce(source_time, $2), progress_date = now() WHERE job_id = $1
"""
SET_ERROR = "UPDATE platform.reconciliation SET error = $2, progress_date = now() WHERE job_id = $1"
SET_RESULT = "UPDATE platform.reconciliation SET result = $2 WHERE job_id = $1"
# A slice that was delivered twice is the next one for the first of its reports only.
NEXT_SLICE = """
UPDATE platform.reconciliation SET slice = $2, position = $3, progress_date = now()
WHERE job_id = $1 AND slice = $2 - 1 RETURNING job_id
"""
SET_PHASE = (
    "UPDATE platform.reconciliation SET phase = $2, position = '' WHERE job_id = $1"
)
COUNT = """
INSERT INTO platform.reconciliation_count AS c (job_id, integration_point, equal) VALUES ($1, $2, $3)
ON CONFLICT (job_id, integration_point) DO UPDATE SET equal = c.equal + excluded.equal
"""
STORE = """
INSERT INTO platform.reconciliation_item (job_id, integration_point, object, item, verdict, details, looked)
SELECT $1, $2, $3, i.item, i.verdict, string_to_array(i.details, E'\\n'), $7
FROM unnest($4::text[], $5::text[], $6::text[]) AS i(item, verdict, details)
ON CONFLICT (job_id, integration_point, object, item) DO UPDATE
SET verdict = excluded.verdict, details = excluded.details, looked = excluded.looked
"""
LEFT = """
SELECT integration_point, object, item FROM platform.reconciliation_item
WHERE job_id = $1 AND NOT looked ORDER BY integration_point, object, item LIMIT $2
"""
# A point's record is found by its API name: those of a connection's copies have names of their own.
EXPLAIN = """
UPDATE platform.reconciliation_item r SET verdict = 'explained'
WHERE r.job_id = $1 AND r.verdict IN ('missing', 'different', 'failing') AND EXISTS (
    SELECT FROM records.exception_item__sys i
    JOIN records.exception_message__sys m ON m.id = i.exception_message__sys
    JOIN records.integration_point__sys p ON p.id = m.integration_point__sys
    WHERE i.item__sys = r.item AND p.integration_point_api_name__sys = r.integration_point
    AND (i.error_status__sys IN ('open__sys', 'retrying__sys', 'ignored__sys')
        OR m.error_status__sys = 'ignored__sys'))
"""
COUNTS = """
SELECT integration_point, 'equal' AS verdict, equal AS number FROM platform.reconciliation_count WHERE job_id = $1
UNION ALL
SELECT integration_point, verdict, count(*) FROM platform.reconciliation_item WHERE job_id = $1 GROUP BY 1, 2
"""
FIELDS = """
SELECT detail, count(*) AS number FROM platform.reconciliation_item, unnest(details) AS detail
WHERE job_id = $1 AND verdict = 'different' GROUP BY 1 ORDER BY 1
"""
FINDINGS = """
SELECT integration_point, object, item, verdict, details FROM platform.reconciliation_item
WHERE job_id = $1 AND verdict IN ('missing', 'different', 'failing', 'extra', 'not_allowed')
ORDER BY integration_point, object, item LIMIT $2
"""
CLEAR = "DELETE FROM platform.reconciliation_item WHERE job_id = $1"
# Names only: an answer that names thousands of fields would help nobody.
MAX_FIELDS = 200


async def begin(connection: Connection, job_id: int) -> None:
    """Store a reconciliation that begins now."""
    await connection.execute(BEGIN, job_id)


async def read(
    connection: Connection, job_id: int, patience: timedelta
) -> Reconciliation | None:
    """Return one reconciliation, or None; it is ``stalled`` after ``patience`` without a report."""
    row = await connection.fetchrow(ONE, patience, job_id)
    if row is None:
        return None
    return await _reconciliation(connection, row)


async def listed(
    connection: Connection, name: str | None, limit: int, offset: int
) -> list[Reconciliation]:
    """Return a page of the reconciliations of a connection (API name), or of all, the latest first."""
    rows = await connection.fetch(PAGE, None, name, limit, offset)
    return [await _reconciliation(connection, row) for row in rows]


async def lock_unfinished(connection: Connection, job_id: int) -> bool:
    """Lock a reconciliation, so that it cannot end in this transaction; return whether it has not ended."""
    return await connection.fetchval(UNDER_WAY, job_id) is not None


async def set_source_time(
    connection: Connection, job_id: int, source_time: datetime
) -> None:
    """Store the source's clock, unless it is stored already."""
    await connection.execute(SET_SOURCE_TIME, job_id, source_time)


async def set_error(connection: Connection, job_id: int, reason: str) -> None:
    """Store why a reconciliation ends before everything is compared."""
    await connection.execute(SET_ERROR, job_id, reason)


async def store(
    connection: Connection, job_id: int, phase: Phase, report: SliceReport
) -> bool:
    """Store the report of the next slice; return False when that slice was reported before."""
    following = await connection.fetchval(
        NEXT_SLICE, job_id, report.number, report.position
    )
    if following is None:
        return False
    point = report.integration_point
    if point:
        await connection.execute(COUNT, job_id, point, report.equal)
    if report.items:
        await connection.execute(
            STORE,
            job_id,
            point,
            report.object,
            [each.item for each in report.items],
            [each.verdict.value for each in report.items],
            ["\n".join(each.details) for each in report.items],
            phase is Phase.LOOK_AGAIN,
        )
    return True


async def set_phase(connection: Connection, job_id: int, phase: Phase) -> None:
    """Start a phase from its first record."""
    await connection.execute(SET_PHASE, job_id, phase.value)


async def next_candidates(connection: Connection, job_id: int) -> Candidates | None:
    """Return the items to compare again next, all of one integration point and object; None when none are left."""
    rows = await connection.fetch(LEFT, job_id, MAX_ITEMS)
    if not rows:
        return None
    point, name = rows[0]["integration_point"], rows[0]["object"]
    items = [
        row["item"]
        for row in rows
        if (row["integration_point"], row["object"]) == (point, name)
    ]
    return Candidates(point, name, tuple(items))


async def conclude(connection: Connection, job_id: int) -> None:
    """Find the user exceptions that explain findings, and store the counts, which stay when the items are removed."""
    await connection.execute(EXPLAIN, job_id)
    by_point = await _counts(connection, job_id)
    counts = {
        point: {verdict.value: number for verdict, number in numbers.items()}
        for point, numbers in by_point.items()
    }
    fields = await _fields(connection, job_id)
    result = orjson.dumps({"counts": counts, "fields": fields}).decode()
    await connection.execute(SET_RESULT, job_id, result)


async def findings(connection: Connection, job_id: int, limit: int) -> Sequence[Record]:
    """Return the findings of a reconciliation, at most ``limit``."""
    rows: Sequence[Record] = await connection.fetch(FINDINGS, job_id, limit)
    return rows


async def clear(connection: Connection, job_id: int) -> None:
    """Remove the items of a reconciliation once they are stored as records."""
    await connection.execute(CLEAR, job_id)


async def _counts(connection: Connection, job_id: int) -> dict[str, dict[Verdict, int]]:
    """Return the counts so far, by integration point and verdict."""
    counts: dict[str, dict[Verdict, int]] = {}
    for row in await connection.fetch(COUNTS, job_id):
        of_point = counts.setdefault(row["integration_point"], {})
        verdict = Verdict(row["verdict"])
        # Those that were equal at the second look only are items as well.
        of_point[verdict] = of_point.get(verdict, 0) + row["number"]
    return counts


async def _fields(connection: Connection, job_id: int) -> dict[str, int]:
    """Return the number of records that differ in each target field."""
    rows = await connection.fetch(FIELDS, job_id)
    return {row["detail"]: row["number"] for row in rows[:MAX_FIELDS]}


async def _reconciliation(connection: Connection, row: Record) -> Reconciliation:
    phase = Phase(row["phase"] or Phase.COMPARE)
    job_id = row["job_id"]
    candidates = None
    if row["result"] is not None:
        result: Mapping[str, Mapping[str, object]] = orjson.loads(row["result"])
        counts = _read_counts(result["counts"])
        fields = {name: int(str(number)) for name, number in result["fields"].items()}
    else:
        counts, fields = await _counts(connection, job_id), {}
        if phase is Phase.LOOK_AGAIN:
            candidates = await next_candidates(connection, job_id)
    return Reconciliation(
        job_id=job_id,
        status=JobStatus(row["status"]),
        scope=Scope.of(orjson.loads(row["parameters"])),
        connection=row["connection"] or "",
        source_vault=whole_number(row["remote_vault"] or ""),
        created_date=row["created_date"],
        run_end_date=row["run_end_date"],
        source_time=row["source_time"],
        phase=phase,
        slice=row["slice"] or 0,
        position=row["position"] or "",
        error=row["error"],
        stalled=bool(row["stalled"]),
        counts=counts,
        fields=fields,
        candidates=candidates,
    )


def _read_counts(
    stored: Mapping[str, object],
) -> dict[str, dict[Verdict, int]]:
    counts: dict[str, dict[Verdict, int]] = {}
    for point, numbers in stored.items():
        if isinstance(numbers, Mapping):
            counts[point] = {
                Verdict(name): int(number) for name, number in numbers.items()
            }
    return counts
