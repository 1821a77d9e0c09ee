"""Runs MDL scripts as jobs: each statement is executed once, even if the job is run again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.configuration.scripts import ScriptExecution, StatementResult
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, JobType
from shared.vault.storage.database import also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.statement import Statement
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.jobs.job_service import JobService
    from shared.vault.storage.database import Connection, Database

EXECUTE = "mdl_script"

WAITING = """
SELECT job_id FROM platform.job
WHERE job_type = $1 AND status IN ('SCHEDULED', 'QUEUED') AND parameters -> 'objects' ? $2 ORDER BY job_id
"""


class ScriptJobs:
    """Submits, runs and cancels jobs that execute MDL scripts; ``vault_label`` is the Vault's name in results."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        jobs: JobService,
        vault_label: str,
    ) -> None:
        self._database = database
        self._components = components
        self._jobs = jobs
        self._vault_label = vault_label

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this module, with their handlers."""
        return {EXECUTE: JobType(self.execute)}

    async def submit(
        self,
        caller: Caller,
        script: str,
    ) -> tuple[int, Sequence[Statement]]:
        """Submit a script as a job, and return the job's id and the script's statements.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not execute it; INVALID_DATA when it is not MDL;
            EXCEEDS_FILE_MAX_SIZE when it is too large.
        """
        statements = await self._components.statements(caller, script)
        # Stored with the job, so that a deployment can be cancelled by its object.
        objects = {s.name for s in statements if s.type == "Object"}
        parameters = {"script": script, "objects": sorted(objects)}
        job_id = await self._jobs.submit(
            caller,
            EXECUTE,
            "Execute MDL Script",
            parameters,
        )
        return job_id, statements

    async def cancel_deployment(self, caller: Caller, object_name: str) -> None:
        """Cancel the jobs whose scripts wait to change an object.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change objects; INVALID_DATA for an unknown
            object; OPERATION_NOT_ALLOWED when no script waits to change it.
        """
        authorize(caller, Grant.EXECUTE_MDL)
        async with self._database.connection() as connection:
            rows = await connection.fetch(WAITING, EXECUTE, object_name)
        # A script may wait to create an object that does not exist yet.
        if not rows and object_name not in self._components.registry.objects:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"There is no object [{object_name[:100]}]",
            )
        if not rows:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"No deployment of [{object_name[:100]}] is waiting",
            )
        for row in rows:
            await self._jobs.cancel(caller, row["job_id"])

    async def execute(self, context: JobContext) -> JobResult:
        """Execute a script up to the first statement that fails.

        A repeated run begins after the last statement that an earlier run has executed.
        """
        started = time.perf_counter()
        text = str(context.parameters["script"])
        statements = await self._components.statements(context.caller, text)
        script = ScriptExecution(_carried_out(context))
        done = len(script.statements)
        for number, statement in enumerate(statements[done:], done + 1):
            context.raise_if_stopped()
            result = await self._execute_one(context, script, number, statement)
            script.statements.append(result)
            if not result.ok:
                break
        script.seconds = time.perf_counter() - started
        failed = bool(script.failures)
        status = JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS
        return JobResult(status, script.to_json(self._vault_label))

    async def _execute_one(
        self,
        context: JobContext,
        script: ScriptExecution,
        number: int,
        statement: Statement,
    ) -> StatementResult:
        so_far = [asdict(result) for result in script.statements]
        name = f"{statement.type}.{statement.name}"
        carried_out = StatementResult(number, statement.command, name, statement.line)
        checkpoint = {"statements": [*so_far, asdict(carried_out)]}

        async def save(connection: Connection, _result: object) -> None:
            await context.save(checkpoint, connection=connection)

        # In the statement's own transaction: it is never executed without being recorded.
        with also_in_unit_of_work(save):
            return await self._components.execute_statement(
                context.caller,
                number,
                statement,
            )


def _carried_out(context: JobContext) -> list[StatementResult]:
    """Return the results of the statements that earlier runs have executed."""
    saved = context.checkpoint.get("statements", [])
    rows = saved if isinstance(saved, list) else []
    return [StatementResult(**row) for row in rows]
