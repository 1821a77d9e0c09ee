"""Submits cascade deletes, deep copies and other jobs on records for the API, and returns their results."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.bulk.corporate_currency import UPDATE_CORPORATE_CURRENCY
from shared.vault.bulk.merge import MERGE, MergeStatus, merge_sets
from shared.vault.bulk.record_merge import DUPLICATE, MAIN
from shared.vault.bulk.tree_jobs import (
    CASCADE_DELETE,
    DEEP_COPY,
    TASK,
    TreeLog,
)
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_logs import result_key
from shared.vault.jobs.job_model import Job, JobStatus

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.files.file_store import FileStore, Item
    from shared.vault.jobs.job_service import JobService
    from shared.vault.records.record_service import RecordService


class RecordJobs:
    """Submits jobs on records for the API, and returns the results of cascade deletes, deep copies and merges."""

    def __init__(
        self,
        records: RecordService,
        jobs: JobService,
        files: FileStore,
    ) -> None:
        self._records = records
        self._jobs = jobs
        self._files = files

    async def cascade_delete(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
    ) -> int:
        """Submit the deletion of a record and all below it, and return the job's id.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS.
        """
        target = self._records.target(caller, object_name, [{}], Operation.DELETE)
        # Read only so that an unknown record is refused now.
        await self._records.state_of(target, record_id)
        parameters = {"object": object_name, "id": record_id}
        title = f"Cascade delete [{object_name}]"
        return await self._jobs.submit(caller, CASCADE_DELETE, title, parameters)

    async def deep_copy(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
        rows: Sequence[Mapping[str, object]],
    ) -> int:
        """Submit a copy of a record and all records below it, and return the job's id.

        ``rows`` has at most one row, whose values replace those of the copied record's fields.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS, and the error of a refused value.
        """
        target = self._records.target(
            caller,
            object_name,
            [{}],
            Operation.READ,
            Operation.CREATE,
        )
        await self._records.state_of(target, record_id)
        if len(rows) > 1:
            message = "A deep copy takes the fields of one record"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        for row in self._records.reader(target, caller=caller).read(rows):
            for error in row.errors:
                raise VaultFault(error.type, error.message)
        parameters = {
            "object": object_name,
            "id": record_id,
            "fields": dict(rows[0]) if rows else {},
        }
        title = f"Deep copy [{object_name}]"
        return await self._jobs.submit(caller, DEEP_COPY, title, parameters)

    async def merge(
        self,
        caller: Caller,
        object_name: str,
        rows: Sequence[Mapping[str, object]],
    ) -> int:
        """Submit a merge, and return the job's id.

        :raises VaultFault: INVALID_DATA, PARAMETER_REQUIRED, INSUFFICIENT_ACCESS.
        """
        self._records.target(
            caller,
            object_name,
            rows,
            Operation.EDIT,
            Operation.DELETE,
        )
        parameters = {"object": object_name, "merge_sets": merge_sets(rows)}
        title = f"Merge records [{object_name}]"
        return await self._jobs.submit(caller, MERGE, title, parameters)

    async def update_corporate_currency(self, caller: Caller, object_name: str) -> int:
        """Submit the update of an object's corporate currency fields, and return the job's id.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS.
        """
        self._records.target(caller, object_name, [{}], Operation.EDIT)
        parameters = {"object": object_name}
        title = f"Update corporate currency fields [{object_name}]"
        submit = self._jobs.submit
        return await submit(caller, UPDATE_CORPORATE_CURRENCY, title, parameters)

    async def result(
        self,
        caller: Caller,
        job_type: str,
        object_name: str,
        outcome: str,
        job_id: int,
    ) -> tuple[Item, AsyncIterator[bytes]]:
        """Return a CSV file, ``success`` or ``failure``, of a cascade delete or deep copy that has ended.

        The caller must be allowed to read the object, because the file names its records.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS, OPERATION_NOT_ALLOWED while
            the job has not ended.
        """
        job = await self._jobs.finished_job(caller, job_id, job_type)
        key = result_key(job_id, TASK, outcome)
        # The outcome becomes part of a key of the store, and comes from an address.
        known = outcome in tuple(TreeLog)
        own = job.results.get("object") == object_name
        require(caller, object_name, Operation.READ)
        item = await self._files.find(key) if known and own else None
        if item is None:
            message = f"The job [{job_id}] has no such results"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return item, self._files.get(key)

    async def merge_status(self, caller: Caller, job_id: int) -> MergeStatus:
        """Return the status of a merge.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS.
        """
        job = await self._merge_job(caller, job_id)
        if not job.status.finished:
            return MergeStatus.IN_PROGRESS
        succeeded = job.status is JobStatus.SUCCESS
        if succeeded:
            return MergeStatus.SUCCESS
        return MergeStatus.FAILURE

    async def merge_results(self, caller: Caller, job_id: int) -> list[dict[str, Any]]:
        """Return the sets of a merge that has ended, each with its status, and its error when it failed.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS, OPERATION_NOT_ALLOWED while
            the job has not ended.
        """
        job = await self._jobs.finished_job(caller, job_id, MERGE)
        require(caller, str(job.parameters["object"]), Operation.READ)
        # A merge that was cancelled has no results.
        sets = job.results.get("merge_sets")
        return list(sets) if isinstance(sets, list) else []

    async def merge_log(self, caller: Caller, job_id: int) -> bytes:
        """Return the sets of a merge that has ended as a zip archive of one CSV file.

        :raises VaultFault: as ``merge_results`` does.
        """
        lines = [(DUPLICATE, MAIN, "status", "errors")]
        for each in await self.merge_results(caller, job_id):
            error = each.get("error")
            text = f"{error['type']}|{error['message']}" if error else ""
            lines.append((each[DUPLICATE], each[MAIN], each["status"], text))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"merge-{job_id}.csv", exact_csv_text(lines))
        return archive.getvalue()

    async def _merge_job(self, caller: Caller, job_id: int) -> Job:
        """Return the job of a merge.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS.
        """
        job = await self._jobs.job(caller, job_id)
        if job.job_type != MERGE:
            message = f"The job [{job_id}] is not a merge"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return job
