"""Contains the SQL on jobs and their tasks; other processes may run the statements at the same time."""

from __future__ import annotations

COLUMNS = (
    "job_id, job_type, title, status, parameters, created_by, created_date, modified_by, modified_date,"
    " run_at, run_start_date, run_end_date, results, delegate_user_id"
)
# A job of the same key that waits for its first run is returned instead of a new one, and
# brought forward. The index of this conflict target leaves out jobs that are or were running.
INSERT = """
INSERT INTO platform.job AS j (job_type, title, status, parameters, created_by, modified_by, run_at, singleton_key,
    delegate_user_id)
VALUES ($1, $2, CASE WHEN $5::timestamptz > now() THEN 'SCHEDULED' ELSE 'QUEUED' END, $3, $4, $4,
    coalesce($5, now()), $6, $7)
ON CONFLICT (singleton_key) WHERE status IN ('SCHEDULED', 'QUEUED') AND run_start_date IS NULL DO UPDATE
SET run_at = least(j.run_at, excluded.run_at), modified_date = now(),
    status = CASE WHEN least(j.run_at, excluded.run_at) > now() THEN 'SCHEDULED' ELSE 'QUEUED' END
RETURNING j.job_id
"""
# The oldest due job, or one whose lease has ended. SKIP LOCKED: another process claims that one
# now. Two jobs of one key may pass the NOT EXISTS at once; the unique index on running keys then
# refuses one of them.
CLAIM = """
WITH due AS (
    SELECT job_id FROM platform.job j
    WHERE status IN ('SCHEDULED', 'QUEUED', 'RUNNING') AND job_type = ANY($3::text[])
    AND CASE WHEN status = 'RUNNING' THEN leased_until < now() ELSE run_at <= now() END
    AND NOT EXISTS (SELECT FROM platform.job r WHERE r.singleton_key = j.singleton_key AND r.status = 'RUNNING'
        AND r.job_id <> j.job_id)
    ORDER BY run_at, job_id LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE platform.job j SET status = 'RUNNING', lease = $1, leased_until = now() + $2::interval,
    attempts = attempts + 1, run_start_date = coalesce(run_start_date, now()), modified_date = now()
FROM due WHERE j.job_id = due.job_id
RETURNING j.*
"""
RENEW = """
UPDATE platform.job SET leased_until = now() + $2::interval
WHERE lease = ANY($1::uuid[]) AND status = 'RUNNING' RETURNING lease, cancel_requested
"""
# A job whose process has ended so many times is taken to be the cause.
GIVE_UP = """
UPDATE platform.job SET status = CASE WHEN cancel_requested THEN 'CANCELLED' ELSE 'ERRORS_ENCOUNTERED' END,
    lease = NULL, leased_until = NULL, run_end_date = now(), modified_date = now(),
    results = jsonb_build_object('error', jsonb_build_object('type', 'UNEXPECTED_ERROR', 'message',
        'The process that ran the job ended ' || attempts || ' times before the job did'))
WHERE status = 'RUNNING' AND leased_until < now() AND (attempts >= $1 OR cancel_requested)
RETURNING job_id
"""
FINISH = """
UPDATE platform.job SET status = $3, results = $4, lease = NULL, leased_until = NULL, run_end_date = now(),
    modified_date = now()
WHERE job_id = $1 AND lease = $2 AND status = 'RUNNING' RETURNING job_id
"""
RELEASE = """
UPDATE platform.job SET status = 'QUEUED', lease = NULL, leased_until = NULL, modified_date = now(),
    run_at = now() + $3::interval, attempts = attempts - CASE WHEN $4 THEN 0 ELSE 1 END
WHERE job_id = $1 AND lease = $2 AND status = 'RUNNING' RETURNING job_id
"""
# A parked job has no lease, but a time until which it counts as leased: CLAIM takes it after that, and
# WAKE moves that time to now. Parking is no failure: the attempts are counted from 0 again.
PARK = """
UPDATE platform.job SET lease = NULL, leased_until = now() + $3::interval, attempts = 0, modified_date = now()
WHERE job_id = $1 AND lease = $2 AND status = 'RUNNING' RETURNING job_id
"""
WAKE = "UPDATE platform.job SET leased_until = now() WHERE job_id = $1 AND status = 'RUNNING' AND lease IS NULL"
START_NOW = """
UPDATE platform.job SET status = 'QUEUED', run_at = now(), modified_by = $2, modified_date = now()
WHERE job_id = $1 AND status IN ('SCHEDULED', 'QUEUED') RETURNING job_id
"""
CANCEL = """
UPDATE platform.job SET cancel_requested = true, modified_by = $2, modified_date = now(),
    status = CASE WHEN status = 'RUNNING' THEN status ELSE 'CANCELLED' END,
    run_end_date = CASE WHEN status = 'RUNNING' THEN NULL ELSE now() END
WHERE job_id = $1 AND status IN ('SCHEDULED', 'QUEUED', 'RUNNING') RETURNING job_id
"""
COUNT_POLL = """
UPDATE platform.job SET polled_date = now()
WHERE job_id = $1 AND (polled_date IS NULL OR polled_date <= now() - $2::interval) RETURNING job_id
"""
# Locks the job until the transaction ends: no other process can claim it before what is written under
# the lease is committed.
LEASED = "SELECT FROM platform.job WHERE job_id = $1 AND lease = $2 AND status = 'RUNNING' FOR UPDATE"
SAVE_TASK = """
INSERT INTO platform.job_task (job_id, task_id, state, counts) VALUES ($1, $2, $3, $4)
ON CONFLICT (job_id, task_id) DO UPDATE SET state = excluded.state, counts = excluded.counts
"""
# A task that was running when its job ended has no end of its own: it takes the job's.
TASKS = """
SELECT task_id, t.position, counts,
    CASE WHEN j.status <> ALL($2::text[]) OR state NOT IN ('QUEUED', 'RUNNING') THEN state
    WHEN j.status = 'CANCELLED' THEN 'CANCELLED' ELSE 'ERRORS_ENCOUNTERED' END AS state
FROM platform.job_task t JOIN platform.job j USING (job_id) WHERE job_id = $1
"""
EXPIRED = """
SELECT job_id FROM platform.job WHERE run_end_date < now() - $1::interval ORDER BY run_end_date LIMIT 100
"""
