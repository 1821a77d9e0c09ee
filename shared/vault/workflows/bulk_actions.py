"""Carries out actions on up to 500 workflows or tasks as a job: cancels, reassigns, changes owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    TaskState,
    ended_state,
    error_json,
)
from shared.vault.storage.database import also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.jobs.job_service import JobService
    from shared.vault.storage.database import Connection, Database
    from shared.vault.workflows.task_service import TaskService
    from shared.vault.workflows.workflow_service import WorkflowService

WORKFLOW_ACTIONS = "workflow_actions"
MAX_ITEMS = 500
MAX_USERS = 100
MAX_ERRORS = 20  # that the job's results name

TASKS_OF = """
SELECT id FROM platform.workflow_task WHERE owner_id = ANY($1::bigint[]) AND status = 'assigned' ORDER BY id LIMIT $2
"""
WORKFLOWS_OF = "SELECT id FROM platform.workflow WHERE owner_id = $1 AND status = 'active' ORDER BY id LIMIT $2"


class BulkAction(StrEnum):
    """The actions on several workflows or tasks, by their names in the API."""

    CANCEL_TASKS = "canceltasks"
    CANCEL_WORKFLOWS = "cancelworkflows"
    REASSIGN_TASKS = "reassigntasks"
    REPLACE_OWNER = "replaceworkflowowner"

    @property
    def label(self) -> str:
        """Return the label."""
        match self:
            case BulkAction.CANCEL_TASKS:
                return "Cancel Tasks"
            case BulkAction.CANCEL_WORKFLOWS:
                return "Cancel Workflows"
            case BulkAction.REASSIGN_TASKS:
                return "Reassign Tasks"
            case BulkAction.REPLACE_OWNER:
                return "Replace Workflow Owner"
            case _:
                assert_never(self)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Return the input fields of the action."""
        match self:
            case BulkAction.CANCEL_TASKS:
                return (
                    Prompt("task_ids", "Task Ids", required=False, multi_value=True),
                    Prompt("user_ids", "User Ids", required=False, multi_value=True),
                )
            case BulkAction.CANCEL_WORKFLOWS:
                return (
                    Prompt("workflow_ids", "Workflow Ids", multi_value=True),
                    Prompt("cancellation_comment", "Comment", required=False),
                )
            case BulkAction.REASSIGN_TASKS:
                return (
                    Prompt("current_task_assignee", "Current Assignee"),
                    Prompt("new_task_assignee", "New Assignee"),
                )
            case BulkAction.REPLACE_OWNER:
                return (
                    Prompt("current_workflow_owner", "Current Owner"),
                    Prompt("new_workflow_owner", "New Owner"),
                )
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A parameter of an action."""

    name: str
    label: str
    required: bool = True
    multi_value: bool = False


class BulkWorkflowActions:
    """Submits actions on several workflows or tasks, and carries them out one by one."""

    def __init__(
        self,
        database: Database,
        jobs: JobService,
        workflows: WorkflowService,
        tasks: TaskService,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._workflows = workflows
        self._tasks = tasks

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {WORKFLOW_ACTIONS: JobType(self.run)}

    async def submit(
        self, caller: Caller, action: BulkAction, fields: Mapping[str, str]
    ) -> int:
        """Select the workflows or tasks, submit a job that carries out the action on them, and return the job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS; PARAMETER_REQUIRED, INVALID_DATA and ATTRIBUTE_NOT_SUPPORTED.
        """
        authorize(caller, Grant.MANAGE_WORKFLOWS)
        _check_names(action, fields)
        ids = await self._concerned_ids(action, fields)
        if len(ids) > MAX_ITEMS:
            message = f"The action concerns more than {MAX_ITEMS} workflows or tasks"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        parameters: dict[str, object] = {
            "action": action.value,
            "ids": ids,
            "user": _new_user(action, fields),
            "comment": fields.get("cancellation_comment", "").replace("\x00", ""),
        }
        return await self._jobs.submit(
            caller, WORKFLOW_ACTIONS, f"{action.label}", parameters
        )

    async def run(self, context: JobContext) -> JobResult:
        """Carry out a submitted action on each workflow or task.

        Refused ones are counted, and the rest is carried out.
        """
        ids = context.parameters.get("ids")
        wanted = [int(each) for each in ids] if isinstance(ids, list) else []
        done = _number(context.checkpoint.get("done"))
        failed = _number(context.checkpoint.get("failed"))
        errors = _errors(context.checkpoint.get("errors"))
        for index in range(done, len(wanted)):
            context.raise_if_stopped()

            async def save(
                connection: Connection,
                _result: object,
                *,
                now: Mapping[str, object] = _progress(index + 1, failed, errors),
            ) -> None:
                await context.save(now, connection=connection)

            try:
                # With the change itself: a second run does nothing twice.
                with also_in_unit_of_work(save):
                    await self._act_on_row(context, wanted[index])
            except VaultFault as fault:
                failed += 1
                if len(errors) < MAX_ERRORS:
                    errors.append({"id": wanted[index], **error_json(fault.error)})
                await context.save(_progress(index + 1, failed, errors))
        counts = {"success": len(wanted) - failed, "failure": failed}
        state: TaskState = ended_state(failed=bool(failed))
        await context.progress("actions", counts, state=state)
        status = JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS
        return JobResult(status, {**counts, "errors": errors})

    async def _act_on_row(self, context: JobContext, row_id: int) -> None:
        caller, parameters = context.caller, context.parameters
        user_id = _number(parameters.get("user"))
        action = BulkAction(str(parameters.get("action")))
        match action:
            case BulkAction.CANCEL_TASKS:
                await self._tasks.cancel(caller, row_id)
            case BulkAction.CANCEL_WORKFLOWS:
                comment = str(parameters.get("comment", ""))
                await self._workflows.cancel(caller, row_id, comment)
            case BulkAction.REASSIGN_TASKS:
                await self._tasks.reassign(caller, row_id, user_id)
            case BulkAction.REPLACE_OWNER:
                await self._workflows.replace_owner(caller, row_id, user_id)
            case _:
                assert_never(action)

    async def _concerned_ids(
        self, action: BulkAction, fields: Mapping[str, str]
    ) -> list[int]:
        """Return the ids of the workflows or tasks that an action concerns."""
        statement = TASKS_OF
        match action:
            case BulkAction.CANCEL_WORKFLOWS:
                return _ids(fields, "workflow_ids", MAX_ITEMS)
            case BulkAction.CANCEL_TASKS if fields.get("task_ids"):
                return _ids(fields, "task_ids", MAX_ITEMS)
            case BulkAction.CANCEL_TASKS:
                owners: object = _ids(fields, "user_ids", MAX_USERS)
            case BulkAction.REASSIGN_TASKS:
                owners = _ids(fields, "current_task_assignee", 1)
            case BulkAction.REPLACE_OWNER:
                (owners,) = _ids(fields, "current_workflow_owner", 1)
                statement = WORKFLOWS_OF
            case _:
                assert_never(action)
        async with self._database.connection() as connection:
            # One more than it takes, to know whether there are more.
            rows = await connection.fetch(statement, owners, MAX_ITEMS + 1)
        return [row["id"] for row in rows]


def _check_names(action: BulkAction, fields: Mapping[str, str]) -> None:
    names = {prompt.name for prompt in action.prompts}
    for name in fields:
        if name not in names:
            message = f"The action takes no parameter [{name[:100]}]"
            raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)


def _new_user(action: BulkAction, fields: Mapping[str, str]) -> int | None:
    name = {
        BulkAction.REASSIGN_TASKS: "new_task_assignee",
        BulkAction.REPLACE_OWNER: "new_workflow_owner",
    }.get(action)
    if name:
        return _ids(fields, name, 1)[0]
    return None


def _ids(fields: Mapping[str, str], name: str, most: int) -> list[int]:
    """Return the ids in a field, each once.

    :raises VaultFault: PARAMETER_REQUIRED without an id; INVALID_DATA for a text that is no id, or too many ids.
    """
    parts = [part.strip() for part in fields.get(name, "").split(",") if part.strip()]
    if not parts:
        message = f"Missing required parameter [{name}]"
        raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
    numbers = [whole_number(part.removeprefix("user:")) for part in parts]
    found = [number for number in numbers if number is not None]
    if len(found) != len(parts) or len(parts) > most:
        message = f"[{name}] takes at most {most} ids"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return list(dict.fromkeys(found))


def _progress(
    done: int, failed: int, errors: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    return {"done": done, "failed": failed, "errors": [dict(each) for each in errors]}


def _number(value: object) -> int:
    if isinstance(value, int):
        return value
    return 0


def _errors(value: object) -> list[dict[str, object]]:
    return [dict(each) for each in value] if isinstance(value, list) else []
