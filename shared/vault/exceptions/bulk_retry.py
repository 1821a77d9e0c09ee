"""Retry Transfer for all open exceptions of a connection or an integration: a job that counts what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.components.entry_action_definitions import OBJECT_PREFIX
from shared.vault.errors import VaultFault
from shared.vault.exceptions import items, recording
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    TaskState,
)
from shared.vault.storage.database import also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.jobs.job_service import JobService
    from shared.vault.storage.database import Connection

RETRY_EXCEPTIONS = "retry_exceptions"
ACTION = f"{OBJECT_PREFIX}.{recording.OBJECT}.retry_transfer__sys"
PAGE = 50
MAX_MESSAGES = 10_000  # of one job; what is left then is for the next
WATCH_SECONDS = 1.0
STILL_SECONDS = (
    60.0  # without any change, after which the job no longer waits for outcomes
)

# A delivery exception belongs to no integration: its queue tells the connection.
OPEN = """
SELECT m.id FROM records.exception_message__sys m
LEFT JOIN records.integration__sys i ON i.id = m.integration__sys
LEFT JOIN records.connection__sys c ON c.id = i.connection__sys
WHERE m.error_status__sys = 'open__sys' AND m.error_type__sys <> 'malformed_message__sys' AND m.id > $1
AND ($2::text IS NULL OR c.api_name__sys = $2 OR (i.id IS NULL AND m.queue__sys = ANY($3::text[])))
AND ($4::text IS NULL OR i.integration_api_name__sys = $4)
ORDER BY m.id LIMIT $5
"""
STATUSES = """
SELECT error_status__sys AS status, count(*) AS number FROM records.exception_message__sys
WHERE id = ANY($1::text[]) GROUP BY 1
"""


class BulkRetries:
    """Submits the job."""

    def __init__(self, components: ComponentService, jobs: JobService) -> None:
        self._components = components
        self._jobs = jobs

    async def submit(self, caller: Caller, fields: Mapping[str, str]) -> int:
        """Retry what is open: of the ``connection`` or ``integration`` (API names) that is given, else everything.

        The job's id; raises VaultFault.
        """
        require(caller, recording.OBJECT, Operation.EDIT)
        require(caller, items.OBJECT, Operation.READ)
        unknown = fields.keys() - {"connection", "integration"}
        if unknown:
            raise VaultFault(
                ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                f"There is no parameter [{min(unknown)[:100]}]",
            )
        scope = {
            name: value.replace("\x00", "") for name, value in fields.items() if value
        }
        return await self._jobs.submit(
            caller, RETRY_EXCEPTIONS, "Retry user exceptions", scope
        )


async def retry_exceptions(context: JobContext) -> JobResult:
    """Queue the messages again, page by page, then follow them until none is being retried any more."""
    while not context.checkpoint.get("queued"):
        context.raise_if_stopped()
        await _retry_page(context)
    ids = _texts(context.checkpoint.get("ids"))
    outcome = await _follow(context, ids)
    refused = _number(context.checkpoint.get("refused"))
    clean = outcome.get("resolved", 0) == len(ids) and not refused
    results = {"messages": len(ids), "refused": refused, **outcome}
    return JobResult(
        JobStatus.SUCCESS if clean else JobStatus.ERRORS_ENCOUNTERED, results
    )


async def _retry_page(context: JobContext) -> None:
    done, refused = (
        _texts(context.checkpoint.get("ids")),
        _number(context.checkpoint.get("refused")),
    )
    after = str(context.checkpoint.get("after", ""))
    page = await _open(context, after) if len(done) < MAX_MESSAGES else []
    if not page:
        await context.progress(
            "retry",
            {"messages": len(done), "refused": refused},
            state=TaskState.SUCCESS,
        )
        await context.save({**context.checkpoint, "queued": True})
        return

    async def note(connection: Connection, rows: object) -> None:
        written = (
            {str(row.id) for row in rows if not row.errors}
            if isinstance(rows, list)
            else set()
        )
        sent = [record_id for record_id in page if record_id in written]
        counts = {
            "messages": len(done) + len(sent),
            "refused": refused + len(page) - len(sent),
        }
        checkpoint = {
            "ids": [*done, *sent],
            "refused": counts["refused"],
            "after": page[-1],
        }
        await context.progress("retry", counts, connection=connection)
        await context.save(checkpoint, connection=connection)

    with also_in_unit_of_work(note):
        await context.vault.actions.run(
            context.caller, recording.OBJECT, page, ACTION, {}
        )


async def _open(context: JobContext, after: str) -> list[str]:
    connection_name, integration = (
        context.parameters.get(name) for name in ("connection", "integration")
    )
    queues = _queues_of(context.vault.components.registry, str(connection_name))
    async with context.vault.database.connection() as connection:
        rows = await connection.fetch(
            OPEN, after, connection_name, queues, integration, PAGE
        )
    return [row["id"] for row in rows]


async def _follow(context: JobContext, ids: Sequence[str]) -> dict[str, int]:
    """How many of the messages are ``resolved``, ``open`` again, ``ignored``, or ``retrying`` with no end in sight."""
    known: dict[str, int] = {}
    changed = time.monotonic()
    while True:
        async with context.vault.database.connection() as connection:
            rows = await connection.fetch(STATUSES, ids)
        outcome = {row["status"].removesuffix("__sys"): row["number"] for row in rows}
        if outcome != known:
            known, changed = outcome, time.monotonic()
            await context.progress("outcome", outcome)
        if not outcome.get("retrying") or time.monotonic() - changed > STILL_SECONDS:
            state = (
                TaskState.SUCCESS
                if outcome.get("resolved", 0) == len(ids)
                else TaskState.ERRORS_ENCOUNTERED
            )
            await context.progress("outcome", outcome, state=state)
            return outcome
        context.raise_if_stopped()
        await asyncio.sleep(WATCH_SECONDS)


def _queues_of(registry: Registry, connection: str) -> list[str]:
    return [
        queue.name
        for queue in registry.queues.values()
        if any(part.connection_name == connection for part in queue.connections)
    ]


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


JOBS = {RETRY_EXCEPTIONS: JobType(retry_exceptions)}
