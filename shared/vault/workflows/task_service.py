"""Accepts, releases, completes, reassigns and cancels tasks, and advances their workflows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.participation import (
    require_participation,
    require_workflow,
)
from shared.vault.audit.audit_entries import AuditAction
from shared.vault.components.workflow_definitions import Step
from shared.vault.errors import VaultFault
from shared.vault.records.named_actions import ActionContext, RowsRefused
from shared.vault.workflows.verdicts import (
    Completion,
    completing_verdicts,
    content_verdicts,
)
from shared.vault.workflows.workflow_engine import WorkflowEngine, note, plain
from shared.vault.workflows.workflow_table import (
    CANDIDATES,
    END_TASK,
    OBJECT_OF,
    SET_TASK,
    TOUCH,
    WORKFLOW_OF,
    TaskRow,
    TaskStatus,
    WorkflowRow,
    WorkflowStatus,
    judge,
    lock_task,
    open_tasks,
    recorded_verdicts,
    set_due,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

ACTIVE_USER = (
    "SELECT EXISTS (SELECT FROM platform.credential WHERE user_id = $1 AND active)"
)
OPEN_TASK = """
SELECT EXISTS (SELECT FROM platform.workflow_task
WHERE workflow_id = $1 AND step = $2 AND iteration = $3 AND owner_id = $4 AND id <> $5)
"""


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task under the lock of its workflow, with its step and the context of the change."""

    row: TaskRow
    workflow: WorkflowRow
    context: ActionContext

    @property
    def step(self) -> Step:
        """Return the step that the task belongs to."""
        return self.workflow.definition.steps[self.row.step]

    @property
    def connection(self) -> Connection:
        """Return the transaction of the change."""
        return self.context.connection


Change = Callable[[OpenTask], Awaitable[None]]


class TaskService:
    """Carries out the calls on one task, each in one transaction with all its consequences."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        engine: WorkflowEngine,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._engine = engine

    async def accept(self, caller: Caller, task_id: int) -> None:
        """Accept a task that is available to several users, the caller among them.

        :raises VaultFault: INVALID_DATA for an unknown task; OPERATION_NOT_ALLOWED for one that is not available to
            the caller; INSUFFICIENT_ACCESS.
        """

        async def change(task: OpenTask) -> None:
            rows = await task.connection.fetch(CANDIDATES, task_id)
            candidates = {row["user_id"] for row in rows}
            if task.row.status is not TaskStatus.AVAILABLE:
                raise _not_open("The task is not available any more")
            if caller.user_id not in candidates:
                raise _not_open("The task is not available to the user")
            await task.connection.execute(
                SET_TASK, task_id, TaskStatus.ASSIGNED, caller.user_id
            )
            await self._record_change(task, AuditAction.ACCEPT_TASK)

        await self._change(caller, task_id, change)

    async def undo_accept(self, caller: Caller, task_id: int) -> None:
        """Release a task that the caller has accepted.

        :raises VaultFault: as ``accept``.
        """

        async def change(task: OpenTask) -> None:
            rows = await task.connection.fetch(CANDIDATES, task_id)
            _require_assigned(task, caller)
            if not rows:
                raise _not_open("The task was assigned, not accepted")
            await task.connection.execute(SET_TASK, task_id, TaskStatus.AVAILABLE, None)
            await self._record_change(task, AuditAction.RELEASE_TASK)

        await self._change(caller, task_id, change)

    async def complete(
        self,
        caller: Caller,
        task_id: int,
        values: Mapping[str, object],
    ) -> None:
        """Complete a task of the caller with its input: a verdict, a comment, fields of the record.

        :raises VaultFault: INVALID_DATA, PARAMETER_REQUIRED or ATTRIBUTE_NOT_SUPPORTED for what is missing or not
            asked for; OPERATION_NOT_ALLOWED when the task is not the caller's, or a record cannot go on.
        """

        async def change(task: OpenTask) -> None:
            _require_assigned(task, caller)
            noted = await recorded_verdicts(task.connection, task_id)
            completion = completing_verdicts(task.step, task.workflow, values, noted)
            await self._set_fields(task, completion)
            await judge(task.connection, task_id, completion.judgements)
            await task.connection.execute(
                END_TASK,
                task_id,
                TaskStatus.COMPLETED,
                caller.user_id,
                completion.comment,
            )
            summary = completion.summary
            text = f"{task.row.label}: {summary}" if summary else ""
            labels = {each.item_id: each.label for each in completion.judgements}
            await self._record_change(task, AuditAction.COMPLETE_TASK, text, labels)
            await self._advance_workflow(task)

        await self._change(caller, task_id, change)

    async def manage_content(
        self,
        caller: Caller,
        task_id: int,
        values: Mapping[str, object],
    ) -> None:
        """Note verdicts on some records of a task of the caller; a completion uses them for records without a verdict.

        :raises VaultFault: as ``complete``.
        """

        async def change(task: OpenTask) -> None:
            _require_assigned(task, caller)
            completion = content_verdicts(task.step, task.workflow, values)
            await self._set_fields(task, completion)
            await judge(task.connection, task_id, completion.judgements)

        await self._change(caller, task_id, change)

    async def reassign(self, caller: Caller, task_id: int, user_id: int) -> None:
        """Reassign an open task to another user.

        For its assignee, the workflow's owner, and callers who manage workflows.

        :raises VaultFault: as ``accept``; INVALID_DATA for a user who is not active, or has this task already.
        """

        async def change(task: OpenTask) -> None:
            _require_open(task)
            if task.row.owner_id != caller.user_id:
                owner = task.workflow.owner_id
                require_workflow(caller, owner, task.workflow.object)
            row = task.row
            assignment = (row.workflow_id, row.step, row.iteration, user_id, row.id)
            active = await task.connection.fetchval(ACTIVE_USER, user_id)
            twice = await task.connection.fetchval(OPEN_TASK, *assignment)
            if not active or twice or user_id == row.owner_id:
                message = "The task cannot be assigned to this user"
                raise VaultFault(ErrorType.INVALID_DATA, message)
            await task.connection.execute(
                SET_TASK, task_id, TaskStatus.ASSIGNED, user_id
            )
            text = f"{row.label}: user {user_id}"
            await self._record_change(task, AuditAction.REASSIGN_TASK, text)
            notified = [user_id] if row.owner_id is None else [user_id, row.owner_id]
            subject = f"{plain(row.label)} is reassigned: ${{name__v}}"
            body = f"A task of {plain(task.workflow.label)} has another assignee: {plain(row.label)}."
            await self._engine.notify_users(task.context, notified, subject, body)

        await self._change(caller, task_id, change)

    async def set_due_date(
        self, caller: Caller, task_id: int, moment: datetime
    ) -> None:
        """Set when a task is due; for the workflow's owner, and callers who manage workflows.

        :raises VaultFault: as ``accept``.
        """

        async def change(task: OpenTask) -> None:
            _require_open(task)
            require_workflow(caller, task.workflow.owner_id, task.workflow.object)
            await set_due(task.connection, task_id, moment)
            day = f"{moment.astimezone(UTC):%Y-%m-%d}"
            await self._record_change(
                task, AuditAction.CHANGE_DUE_DATE, f"{task.row.label}: {day}"
            )

        await self._change(caller, task_id, change)

    async def cancel(self, caller: Caller, task_id: int) -> None:
        """Cancel an open task; when it was the last of its round, the workflow continues.

        :raises VaultFault: as ``accept``.
        """

        async def change(task: OpenTask) -> None:
            _require_open(task)
            require_workflow(caller, task.workflow.owner_id, task.workflow.object)
            await task.connection.execute(
                END_TASK, task_id, TaskStatus.CANCELLED, None, None
            )
            await self._record_change(task, AuditAction.CANCEL_TASK)
            await self._advance_workflow(task)

        await self._change(caller, task_id, change)

    async def _advance_workflow(self, task: OpenTask) -> None:
        """Advance the workflow when no task of this round is open."""
        if not await open_tasks(task.connection, task.workflow.id, task.row):
            following = task.step.next_steps
            await self._engine.follow(task.context, task.workflow, following)

    async def _set_fields(self, task: OpenTask, completion: Completion) -> None:
        """Store the fields of records or documents that the task asks for, with the caller's own rights."""
        content = self._engine.content(task.workflow.object)
        for content_id, fields in completion.fields.items():
            await content.set_fields(task.context, content_id, fields)

    @staticmethod
    async def _record_change(
        task: OpenTask,
        action: AuditAction,
        text: str = "",
        verdicts: Mapping[int, str | None] = MappingProxyType({}),
    ) -> None:
        """Write a change of a task to the audit trail, and date its workflow as changed.

        ``verdicts`` are the labels of verdicts by the items of the workflow.
        """
        workflow, label = task.workflow.label, task.row.label
        by_verdict: dict[str | None, list[str]] = {}
        for item in task.workflow.items:
            own = by_verdict.setdefault(verdicts.get(item.id), [])
            own.append(item.record_id)
        for verdict, ids in by_verdict.items():
            details = {"task": label, "verdict": verdict}
            await note(task.context, action, ids, workflow, text or label, details)
        user_id = task.context.caller.user_id
        await task.connection.execute(TOUCH, task.workflow.id, user_id)

    async def _change(self, caller: Caller, task_id: int, change: Change) -> None:
        """Carry out a change of a task in a transaction that has locked its object.

        :raises VaultFault: INVALID_DATA when there is no such task; whatever ``change`` raises.
        """
        object_name = await self._object_of(task_id)
        content = self._engine.content(object_name)

        async def work(connection: Connection) -> None:
            registry = self._components.registry
            target = content.target(registry, object_name)
            if target is None:
                raise unknown_task()
            require_participation(caller, object_name)
            found = await lock_task(connection, task_id)
            if found is None:
                raise unknown_task()
            row, workflow = found
            ids = workflow.record_ids
            context = ActionContext(
                connection,
                caller,
                registry,
                target,
                ids,
                self._records,
                targets=content.targets(registry),
            )
            try:
                await change(OpenTask(row, workflow, context))
            except RowsRefused as refusal:
                error = next(iter(refusal.errors.values()))
                raise VaultFault(error.type, error.message) from refusal

        await self._records.carry_out(work, content.locked_object(object_name))

    async def _object_of(self, task_id: int) -> str:
        async with self._database.connection() as connection:
            workflow_id = await connection.fetchval(WORKFLOW_OF, task_id)
            found = await connection.fetchval(OBJECT_OF, workflow_id)
        if found is None:
            raise unknown_task()
        return str(found)


def unknown_task() -> VaultFault:
    """Return the fault of a call that names a task that does not exist."""
    return VaultFault(ErrorType.INVALID_DATA, "There is no workflow task with this id")


def _not_open(message: str) -> VaultFault:
    return VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


def _require_open(task: OpenTask) -> None:
    if not task.row.is_open or task.workflow.status is not WorkflowStatus.ACTIVE:
        raise _not_open("The task is not open any more")


def _require_assigned(task: OpenTask, caller: Caller) -> None:
    """Check that a task is open, and is the caller's."""
    _require_open(task)
    if task.row.owner_id is None:
        raise _not_open("The task has to be accepted first")
    if task.row.owner_id != caller.user_id:
        raise _not_open("The task is assigned to another user")
