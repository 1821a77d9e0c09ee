"""MDL scripts as jobs: each statement is carried out once, however often the job is taken up again."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
    from shared.vault.assembly.vault import Vault
    from shared.vault.components.statement import Statement
    from shared.vault.storage.database import Connection

EXECUTE = "mdl_script"

WAITING = """
SELECT job_id FROM platform.job
WHERE job_type = $1 AND status IN ('SCHEDULED', 'QUEUED') AND parameters -> 'objects' ? $2 ORDER BY job_id
"""


async def submit(
    vault: Vault, caller: Caller, script: str
) -> tuple[int, Sequence[Statement]]:
    """Queue a script that is MDL; the job and the statements.

    :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, EXCEEDS_FILE_MAX_SIZE.
    """
    statements = await vault.components.statements(caller, script)
    objects = sorted({s.name for s in statements if s.type == "Object"})
    parameters = {"script": script, "objects": objects}
    return await vault.jobs.submit(
        caller, EXECUTE, "Execute MDL Script", parameters
    ), statements


async def cancel_deployment(vault: Vault, caller: Caller, object_name: str) -> None:
    """Cancel the scripts that wait to change an object.

    :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an object there is not; OPERATION_NOT_ALLOWED when no
        script waits to change it.
    """
    authorize(caller, Grant.EXECUTE_MDL)
    async with vault.database.connection() as connection:
        rows = await connection.fetch(WAITING, EXECUTE, object_name)
    if not rows and object_name not in vault.components.registry.objects:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
        )
    if not rows:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED,
            f"No deployment of [{object_name[:100]}] is waiting",
        )
    for row in rows:
        await vault.jobs.cancel(caller, row["job_id"])


async def execute(context: JobContext) -> JobResult:
    """Carry out the script; after an interruption it goes on behind the last statement that was carried out."""
    components, started = context.vault.components, time.perf_counter()
    statements = await components.statements(
        context.caller, str(context.parameters["script"])
    )
    done = context.checkpoint.get("statements", [])
    script = ScriptExecution(
        [StatementResult(**result) for result in done] if isinstance(done, list) else []
    )
    for number, statement in enumerate(
        statements[len(script.statements) :], len(script.statements) + 1
    ):
        context.raise_if_stopped()
        result = await _execute_one(context, script, number, statement)
        script.statements.append(result)
        if not result.ok:
            break
    script.seconds = time.perf_counter() - started
    status = JobStatus.ERRORS_ENCOUNTERED if script.failures else JobStatus.SUCCESS
    return JobResult(status, script.to_json(context.vault.definition.label))


async def _execute_one(
    context: JobContext, script: ScriptExecution, number: int, statement: Statement
) -> StatementResult:
    so_far = [asdict(result) for result in script.statements]
    name = f"{statement.type}.{statement.name}"

    async def note(connection: Connection, _result: object) -> None:
        carried_out = asdict(
            StatementResult(number, statement.command, name, statement.line)
        )
        await context.save(
            {"statements": [*so_far, carried_out]}, connection=connection
        )

    with also_in_unit_of_work(note):
        return await context.vault.components.execute_statement(
            context.caller, number, statement
        )


JOBS = {EXECUTE: JobType(execute)}
