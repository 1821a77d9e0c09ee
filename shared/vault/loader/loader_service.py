"""Submits loads and extracts, and returns their results and logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_logs import result_key
from shared.vault.loader.extract import EXTRACT, RENDITIONS, statement
from shared.vault.loader.load import LOAD, version_of
from shared.vault.loader.load_writing import RESULTS, require_writable
from shared.vault.loader.request import (
    OBJECTS,
    ExtractTask,
    LoadTask,
    extract_tasks,
    load_tasks,
)
from shared.vault.model.field_types import DOCUMENTS

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.file_store import FileStore, Item
    from shared.vault.jobs.job_model import Job
    from shared.vault.jobs.job_service import JobService
    from shared.vault.queries.queries import QueryService
    from shared.vault.staging.staging_service import StagingService


class LoaderService:
    """Submits the loads and extracts of a Vault, and returns their files."""

    def __init__(
        self,
        jobs: JobService,
        staging: StagingService,
        files: FileStore,
        components: ComponentService,
        queries: QueryService,
    ) -> None:
        self._jobs = jobs
        self._queries = queries
        self._staging = staging
        self._files = files
        self._components = components

    async def load(
        self,
        caller: Caller,
        rows: Sequence[Mapping[str, object]],
        *,
        notify: bool,
    ) -> tuple[int, Sequence[LoadTask]]:
        """Submit a load of up to ten files, and return its job's id and its tasks.

        :raises VaultFault: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA,
            OPERATION_NOT_ALLOWED.
        """
        authorize(caller, Grant.USE_LOADER)
        tasks = []
        for task in load_tasks(rows):
            require_writable(self._components.registry, caller, task)
            item = await self._staging.file_to_load(caller, task.file)
            # Another file of this name may take the place of this one before the job runs.
            tasks.append(replace(task, key=item.key, version=version_of(item)))
        parameters = {
            "tasks": [task.to_json() for task in tasks],
            "send_notification": notify,
        }
        job_id = await self._jobs.submit(
            caller,
            LOAD,
            "Load data files",
            parameters,
        )
        return job_id, tasks

    async def extract(
        self,
        caller: Caller,
        rows: Sequence[Mapping[str, object]],
        *,
        notify: bool,
    ) -> tuple[int, Sequence[ExtractTask]]:
        """Submit an extract of up to ten objects, and return its job's id and its tasks.

        :raises VaultFault: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA,
            OPERATION_NOT_ALLOWED.
        """
        authorize(caller, Grant.USE_LOADER)
        tasks = extract_tasks(rows)
        for task in tasks:
            if task.kind != OBJECTS:
                self._require_target(caller, task)
                continue
            target = self._components.registry.objects.get(task.object_name)
            if target is None or not target.active:
                message = (
                    f"Task {task.task_id}: there is no object [{task.object_name}]"
                )
                raise VaultFault(ErrorType.INVALID_DATA, message)
            require(caller, task.object_name, Operation.READ)
        parameters = {
            "tasks": [task.to_json() for task in tasks],
            "send_notification": notify,
        }
        job_id = await self._jobs.submit(
            caller,
            EXTRACT,
            "Extract data files",
            parameters,
        )
        return job_id, tasks

    def _require_target(self, caller: Caller, task: ExtractTask) -> None:
        """Check that the caller may extract a target other than an object, and copy the task's files.

        :raises VaultFault: INSUFFICIENT_ACCESS; another type for a fault in fields or criteria.
        """
        self._queries.require_readable(caller, statement(task, None))
        if task.files:
            self._staging.area(caller)

    async def log(
        self,
        caller: Caller,
        job_id: int,
        task_id: str,
        log: str,
    ) -> tuple[Item, AsyncIterator[bytes]]:
        """Return the results or a log of an ended job's task, to callers who may read its data.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED while
            the job has not ended.
        """
        authorize(caller, Grant.USE_LOADER)
        job_type = EXTRACT if log in (RESULTS, RENDITIONS) else LOAD
        job = await self._jobs.finished_job(caller, job_id, job_type)
        self._require_readable(caller, job, task_id)
        key = result_key(job_id, task_id, log)
        # The task's id becomes part of a key of the store, and comes from an address.
        valid = task_id.isascii() and task_id.isdigit()
        item = await self._files.find(key) if valid else None
        if item is None:
            message = f"The job [{job_id}] has no such results"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return item, self._files.get(key)

    def _require_readable(self, caller: Caller, job: Job, task_id: str) -> None:
        """Check that the caller may read the records of a job's task, which may be another user's.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when the query of an extract is no longer valid.
        """
        stored: Sequence[Mapping[str, object]] = job.parameters["tasks"]  # type: ignore[assignment]
        for task in stored:
            if task["task_id"] != task_id:
                continue
            kind = task.get("kind", OBJECTS)
            if kind == OBJECTS:
                require(caller, str(task["object_name"]), Operation.READ)
            elif job.job_type == LOAD:
                require(caller, DOCUMENTS, Operation.READ)
            if job.job_type == EXTRACT:
                extracted = ExtractTask.from_json(task)
                target = self._components.registry.objects.get(extracted.object_name)
                # Its fields may be those of other objects, to which the records refer.
                self._queries.require_readable(caller, statement(extracted, target))
