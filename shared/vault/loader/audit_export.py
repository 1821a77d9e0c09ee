"""Extracts audit trails as jobs: one CSV file of all entries that a call selects, for the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text, read_moment
from shared.vault.audit.audit_service import AuditFilter
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_logs import result_key
from shared.vault.jobs.job_model import JobContext, JobResult, JobType

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.audit.audit_service import AuditService
    from shared.vault.audit.trails import Trail
    from shared.vault.files.file_store import FileStore, Item
    from shared.vault.jobs.job_service import JobService

AUDIT_EXPORT = "audit_export"
TIMEOUT = 12 * 3600.0  # seconds of one run; the next run writes the file anew
# One file each: what a task would be called.
TASK, LOG = "1", "audit"


class AuditExports:
    """Submits extracts of audit trails, writes their files, and returns the files to their callers."""

    def __init__(self, jobs: JobService, audit: AuditService, files: FileStore) -> None:
        self._jobs = jobs
        self._audit = audit
        self._files = files

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {AUDIT_EXPORT: JobType(self.write, timeout=TIMEOUT)}

    async def submit(self, caller: Caller, name: str, wanted: AuditFilter) -> int:
        """Submit an extract of the matching entries of a trail, and return its job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when no trail has this name.
        """
        trail = self._audit.readable_trail(caller, name)
        # Entries are added while the job runs: the file ends with those of now.
        end = wanted.end or datetime.now(UTC)
        parameters = {
            **asdict(wanted),
            "trail": name,
            "start": date_time_text(wanted.start),
            "end": date_time_text(end),
        }
        return await self._jobs.submit(
            caller, AUDIT_EXPORT, f"Export {trail.label}", parameters
        )

    async def write(self, context: JobContext) -> JobResult:
        """Write the file of an extract; a run after an interrupted one starts from the beginning."""
        name = str(context.parameters["trail"])
        trail = self._audit.readable_trail(context.caller, name)
        content = self._content(context, trail)
        await self._files.put(result_key(context.job_id, TASK, LOG), content)
        path = f"/audittrail/{name}/exports/{context.job_id}"
        return JobResult(results={"artifacts": [path]})

    async def file(
        self, caller: Caller, name: str, job_id: int
    ) -> tuple[Item, AsyncIterator[bytes]]:
        """Return the file of an ended extract, to its caller if they may still read the trail.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED while the job has not ended.
        """
        self._audit.readable_trail(caller, name)
        job = await self._jobs.finished_job(caller, job_id, AUDIT_EXPORT)
        # The file has what its reader could read then, which those who manage jobs may not.
        if job.created_by != caller.user_id:
            message = "User does not have sufficient privileges to perform the action"
            raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)
        key = result_key(job_id, TASK, LOG)
        item = await self._files.find(key) if job.parameters["trail"] == name else None
        if item is None:
            message = f"The job [{job_id}] has no such results"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return item, self._files.get(key)

    async def _content(self, context: JobContext, trail: Trail) -> AsyncIterator[bytes]:
        """Yield the entries as CSV, a page at a time, below the names of the trail's fields."""
        yield exact_csv_text([[field.name for field in trail.fields]]).encode()
        wanted = _filter(context.parameters)
        async for rows in self._audit.every(context.caller, trail.name, wanted):
            context.raise_if_stopped()
            yield exact_csv_text([list(row.values()) for row in rows]).encode()


def _filter(parameters: Mapping[str, object]) -> AuditFilter:
    """Return the filter that an extract's job was submitted with."""
    start, end = parameters["start"], parameters["end"]
    objects, actions = parameters["objects"], parameters["actions"]
    return AuditFilter(
        None if start is None else read_moment(str(start)),
        None if end is None else read_moment(str(end)),
        tuple(objects) if isinstance(objects, list) else (),
        tuple(actions) if isinstance(actions, list) else (),
    )
