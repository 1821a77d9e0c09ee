"""Starts workflows with several records, cancels them, and changes their owners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import on_behalf_of
from shared.vault.access.participation import (
    require_participation,
    require_workflow,
)
from shared.vault.access.permissions import (
    Operation,
    may,
    require,
)
from shared.vault.audit.audit_entries import AuditAction
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.lifecycles import last_name
from shared.vault.components.workflow_definitions import (
    ENVELOPE,
    WorkflowDefinition,
    read_workflow,
)
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.field_types import DOCUMENTS, table
from shared.vault.records.named_actions import ActionContext, RowsRefused
from shared.vault.workflows.workflow_engine import (
    Started,
    WorkflowEngine,
    note,
    startable,
)
from shared.vault.workflows.workflow_table import (
    OBJECT_OF,
    OWN,
    WorkflowRow,
    WorkflowStatus,
    end_workflow,
    lock_workflow,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

MAX_RECORDS = 100
MAX_DESCRIPTION = 128
MAX_COMMENT = 1500
ACTIVE_USER = (
    "SELECT EXISTS (SELECT FROM platform.credential WHERE user_id = $1 AND active)"
)

Change = Callable[[ActionContext, WorkflowRow], Awaitable[None]]


class WorkflowService:
    """Carries out the calls on workflows, each in one transaction with all its consequences."""

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

    def offered(self, caller: Caller) -> list[WorkflowDefinition]:
        """Return the workflows that the caller may start with records, in the order of their names."""
        registry = self._components.registry
        editable = {
            target.lifecycle
            for target in registry.objects.values()
            if target.active and may(caller, target.name, Operation.EDIT)
        }
        if may(caller, DOCUMENTS, Operation.EDIT):
            editable.add(ENVELOPE)
        found: list[WorkflowDefinition] = []
        for component in registry.components.values():
            if component.type != ComponentKind.WORKFLOW:
                continue
            definition = read_workflow(component)
            concerned = editable.intersection(definition.lifecycles)
            if definition.active and concerned and not definition.problems():
                found.append(definition)
        return sorted(found, key=lambda each: each.name)

    def definition(self, name: str) -> WorkflowDefinition | None:
        """Return the present definition of a workflow; None when there is none."""
        key = (ComponentKind.WORKFLOW, name)
        component = self._components.registry.components.get(key)
        if component is None:
            return None
        return read_workflow(component)

    async def start(
        self,
        caller: Caller,
        name: str,
        object_name: str,
        record_ids: Sequence[str],
        description: str,
        inputs: Mapping[str, str],
    ) -> Started:
        """Start a workflow with records of one object, or with documents: all of them or none.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an unknown record, too many, or more than one where
            the workflow takes one; and as ``WorkflowEngine.start``.
        """
        ids = list(dict.fromkeys(record_ids))
        if not 0 < len(ids) <= MAX_RECORDS or len(description) > MAX_DESCRIPTION:
            message = f"A workflow takes 1 to {MAX_RECORDS} records and {MAX_DESCRIPTION} characters of description"
            raise VaultFault(ErrorType.INVALID_DATA, message)

        async def work(connection: Connection) -> Started:
            context = self._context(connection, caller, object_name, ids)
            require(caller, object_name, Operation.EDIT)
            _, definition = startable(context.registry, name, context.object)
            if len(ids) > 1 and not definition.multiple:
                message = "The workflow takes one record or document at a time"
                raise VaultFault(ErrorType.INVALID_DATA, message)
            await self._engine.content(object_name).lock(context, definition)
            try:
                started = await self._engine.start(
                    context, name, ids, inputs, description or None
                )
            except RowsRefused as refusal:
                raise _fault(next(iter(refusal.errors.values()))) from refusal
            if isinstance(started, ApiError):
                raise _fault(started)
            return started

        locked = self._engine.content(object_name).locked_object(object_name)
        return await self._records.carry_out(work, locked)

    async def cancel(self, caller: Caller, workflow_id: int, comment: str = "") -> None:
        """Cancel a workflow with its open tasks; records move to the cancel state of their present state.

        :raises VaultFault: INVALID_DATA for an unknown workflow; INSUFFICIENT_ACCESS for that of somebody else;
            OPERATION_NOT_ALLOWED when it has ended, or a record may not enter its cancel state.
        """
        text = comment.replace("\x00", "").strip()[:MAX_COMMENT] or None

        async def change(context: ActionContext, workflow: WorkflowRow) -> None:
            await end_workflow(
                context.connection,
                workflow.id,
                WorkflowStatus.CANCELLED,
                caller.user_id,
                text,
            )
            ids = workflow.record_ids
            await note(context, AuditAction.CANCEL_WORKFLOW, ids, workflow.label)
            own = replace(context, caller=on_behalf_of(caller))
            content = self._engine.content(workflow.object)
            for state, record_ids in (await _cancel_states(own)).items():
                await content.enter(replace(own, ids=record_ids), state)

        await self._change(caller, workflow_id, change)

    async def replace_owner(
        self, caller: Caller, workflow_id: int, user_id: int
    ) -> None:
        """Change the owner of a workflow.

        :raises VaultFault: as ``cancel``; INVALID_DATA for a user who is not active.
        """

        async def change(context: ActionContext, workflow: WorkflowRow) -> None:
            connection = context.connection
            if not await connection.fetchval(ACTIVE_USER, user_id):
                message = "There is no active user with this id"
                raise VaultFault(ErrorType.INVALID_DATA, message)
            await connection.execute(OWN, workflow.id, user_id, caller.user_id)
            ids, action = workflow.record_ids, AuditAction.REPLACE_WORKFLOW_OWNER
            text = f"{workflow.label}: user {user_id}"
            await note(context, action, ids, workflow.label, text)

        await self._change(caller, workflow_id, change)

    async def _change(self, caller: Caller, workflow_id: int, change: Change) -> None:
        """Carry out a change of an active workflow in a transaction that has locked its object."""
        async with self._database.connection() as connection:
            object_name = await connection.fetchval(OBJECT_OF, workflow_id)
        content = self._engine.content(str(object_name))
        if content.target(self._components.registry, str(object_name)) is None:
            raise unknown_workflow()

        async def work(connection: Connection) -> None:
            context = self._context(connection, caller, object_name, ())
            require_participation(caller, object_name)
            workflow = await lock_workflow(connection, workflow_id)
            if workflow is None:
                raise unknown_workflow()
            require_workflow(caller, workflow.owner_id, object_name)
            if workflow.status is not WorkflowStatus.ACTIVE:
                message = "The workflow has ended"
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
            try:
                await change(replace(context, ids=workflow.record_ids), workflow)
            except RowsRefused as refusal:
                raise _fault(next(iter(refusal.errors.values()))) from refusal

        await self._records.carry_out(work, content.locked_object(object_name))

    def _context(
        self,
        connection: Connection,
        caller: Caller,
        object_name: str,
        ids: Sequence[str],
    ) -> ActionContext:
        """Return the context for changes of a workflow's contents.

        :raises VaultFault: INVALID_DATA when there is no such object.
        """
        content, registry = self._engine.content(object_name), self._components.registry
        target = content.target(registry, object_name)
        if target is None or not target.active:
            message = f"There is no object [{object_name[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return ActionContext(
            connection,
            caller,
            registry,
            target,
            ids,
            self._records,
            targets=content.targets(registry),
        )


def unknown_workflow() -> VaultFault:
    """Return the fault of a call that names a workflow that does not exist."""
    return VaultFault(ErrorType.INVALID_DATA, "There is no workflow with this id")


async def _cancel_states(context: ActionContext) -> dict[str, list[str]]:
    """Return the states that a cancellation leads to, each with the ids of the context's records that enter it."""
    key = (ComponentKind.LIFECYCLE, context.object.lifecycle or "")
    lifecycle = context.registry.components.get(key)
    if lifecycle is None:
        return {}
    sql = f"SELECT id, state__v FROM {table(context.object.name)} WHERE id = ANY($1::text[])"
    found: dict[str, list[str]] = defaultdict(list)
    for row in await context.connection.fetch(sql, list(context.ids)):
        state = lifecycle.child(PartKind.STATE, row["state__v"] or "")
        if state is None or state.flag("skip_cancel_state"):
            continue
        following = last_name(state.text("cancel_state"))
        if following and following != state.name:
            found[following].append(row["id"])
    return found


def _fault(error: ApiError) -> VaultFault:
    return VaultFault(error.type, error.message)
