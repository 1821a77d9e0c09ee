"""Runs *Retry Transfer* for all open exceptions of a connection or an integration, as a job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.components.entry_action_definitions import OBJECT_PREFIX
from shared.vault.errors import VaultFault
from shared.vault.exceptions.exception_model import ITEM, MESSAGE, ErrorStatus
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    TaskState,
    ended_state,
)
from shared.vault.storage.database import also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.jobs.job_service import JobService
    from shared.vault.storage.database import Connection, Database

RETRY_EXCEPTIONS = "retry_exceptions"
ACTION = f"{OBJECT_PREFIX}.{MESSAGE}.retry_transfer__sys"
PAGE = 50  # messages that are queued in one transaction
# Of one job, whose checkpoint holds their ids; what is left then is for the next job.
MAX_MESSAGES = 10_000
WATCH_SECONDS = 1.0
# Without any change for so long, the job no longer waits for outcomes.
STILL_SECONDS = 60.0

# A message that could not be read cannot be sent again, and is left out.
# A delivery exception belongs to no integration: its connection is found by its queue.
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


Outcome = Mapping[str, int]
"""Number of messages by status; a Vault may have statuses besides those of ``ErrorStatus``."""


class RunAction(Protocol):
    """Runs a user action on records: the type of ``ActionService.run``, which this module may not import."""

    async def __call__(
        self,
        caller: Caller,
        object_name: str,
        ids: Sequence[str],
        name: str,
        fields: Mapping[str, object],
    ) -> Sequence[object]:
        """Run the action named ``name`` on each record, with the fields that it prompts for."""


class BulkRetries:
    """Submits jobs that retry User Exception Messages."""

    def __init__(self, components: ComponentService, jobs: JobService) -> None:
        self._components = components
        self._jobs = jobs

    async def submit(self, caller: Caller, fields: Mapping[str, str]) -> int:
        """Submit a retry of all open messages, and return its job's id.

        ``fields`` may restrict the retry to one ``connection`` or ``integration`` (API names).

        :raises VaultFault: INSUFFICIENT_ACCESS; ATTRIBUTE_NOT_SUPPORTED for another field.
        """
        require(caller, MESSAGE, Operation.EDIT)
        require(caller, ITEM, Operation.READ)
        unknown = fields.keys() - {"connection", "integration"}
        if unknown:
            raise VaultFault(
                ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                f"There is no parameter [{min(unknown)[:100]}]",
            )
        # PostgreSQL takes no NUL character in a text.
        scope = {
            name: value.replace("\x00", "") for name, value in fields.items() if value
        }
        return await self._jobs.submit(
            caller,
            RETRY_EXCEPTIONS,
            "Retry user exceptions",
            scope,
        )


class RetryJobs:
    """Carries out the retries that are submitted; ``run_action`` runs a user action on records."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        run_action: RunAction,
    ) -> None:
        self._database = database
        self._components = components
        self._run_action = run_action

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {RETRY_EXCEPTIONS: JobType(self.retry)}

    async def retry(self, context: JobContext) -> JobResult:
        """Queue the job's messages again, page by page, then wait for their outcomes."""
        progress = RetryProgress.read(context.checkpoint)
        while not progress.queued:
            context.raise_if_stopped()
            await self._retry_page(context, progress)
            progress = RetryProgress.read(context.checkpoint)
        outcome = await self._follow(context, progress.ids)
        resolved = outcome.get(ErrorStatus.RESOLVED, 0) == len(progress.ids)
        clean = resolved and not progress.refused
        results = progress.counts | _counts(outcome)
        status = JobStatus.SUCCESS if clean else JobStatus.ERRORS_ENCOUNTERED
        return JobResult(status, results)

    async def _retry_page(self, context: JobContext, progress: RetryProgress) -> None:
        """Queue the next page of messages again; when there is no further page, save that all are queued."""
        page: list[str] = []
        if len(progress.ids) < MAX_MESSAGES:
            page = await self._open(context, progress.after)
        if not page:
            await context.progress("retry", progress.counts, state=TaskState.SUCCESS)
            await context.save(replace(progress, queued=True).to_json())
            return

        async def save(connection: Connection, rows: object) -> None:
            written = rows if isinstance(rows, list) else []
            accepted = {str(row.id) for row in written if not row.errors}
            sent = [record_id for record_id in page if record_id in accepted]
            now = RetryProgress(
                ids=[*progress.ids, *sent],
                refused=progress.refused + len(page) - len(sent),
                after=page[-1],
            )
            await context.progress("retry", now.counts, connection=connection)
            await context.save(now.to_json(), connection=connection)

        # In the transaction that queues the messages: none is queued twice by a second run.
        with also_in_unit_of_work(save):
            await self._run_action(context.caller, MESSAGE, page, ACTION, {})

    async def _open(self, context: JobContext, after: str) -> list[str]:
        """Return the ids of the next open messages after the id ``after``."""
        connection_name = context.parameters.get("connection")
        integration = context.parameters.get("integration")
        queues = _queues_of(self._components.registry, str(connection_name))
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                OPEN,
                after,
                connection_name,
                queues,
                integration,
                PAGE,
            )
        return [row["id"] for row in rows]

    async def _follow(self, context: JobContext, ids: Sequence[str]) -> Outcome:
        """Wait for the outcomes of the messages, and return the number of messages by status.

        Stop waiting when no status has changed for ``STILL_SECONDS``; some messages may then still be ``RETRYING``.
        """
        known: Outcome = {}
        changed = time.monotonic()
        while True:
            outcome = await self._statuses(ids)
            if outcome != known:
                known, changed = outcome, time.monotonic()
                await context.progress("outcome", _counts(outcome))
            still = time.monotonic() - changed > STILL_SECONDS
            if still or ErrorStatus.RETRYING not in outcome:
                resolved = outcome.get(ErrorStatus.RESOLVED, 0) == len(ids)
                state = ended_state(failed=not resolved)
                await context.progress("outcome", _counts(outcome), state=state)
                return outcome
            context.raise_if_stopped()
            await asyncio.sleep(WATCH_SECONDS)

    async def _statuses(self, ids: Sequence[str]) -> Outcome:
        async with self._database.connection() as connection:
            rows = await connection.fetch(STATUSES, ids)
        return {row["status"]: row["number"] for row in rows}


@dataclass(frozen=True, slots=True)
class RetryProgress:
    """The progress of a retry, as its checkpoint stores it.

    ``ids`` are the messages that were queued again, ``refused`` counts the messages that could not be queued,
    ``after`` is the id behind which the next page begins, ``queued`` is True when no page is left.
    """

    ids: Sequence[str] = ()
    refused: int = 0
    after: str = ""
    queued: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Return the counts of the job's first task."""
        return {"messages": len(self.ids), "refused": self.refused}

    @classmethod
    def read(cls, checkpoint: Mapping[str, object]) -> RetryProgress:
        """Return the progress that a checkpoint stores; for an empty checkpoint, no progress yet."""
        ids, refused = checkpoint.get("ids"), checkpoint.get("refused")
        return cls(
            ids=[str(each) for each in ids] if isinstance(ids, list) else [],
            refused=refused if isinstance(refused, int) else 0,
            after=str(checkpoint.get("after", "")),
            queued=bool(checkpoint.get("queued")),
        )

    def to_json(self) -> dict[str, object]:
        """Return the progress as a checkpoint."""
        return {
            "ids": list(self.ids),
            "refused": self.refused,
            "after": self.after,
            "queued": self.queued,
        }


def _counts(outcome: Outcome) -> dict[str, int]:
    """Return numbers by status as a job's counts, whose names are the statuses without their namespace."""
    return {status.removesuffix("__sys"): number for status, number in outcome.items()}


def _queues_of(registry: Registry, connection: str) -> list[str]:
    """Return the names of the queues that a connection belongs to."""
    return [
        queue.name
        for queue in registry.queues.values()
        if any(part.connection_name == connection for part in queue.connections)
    ]
