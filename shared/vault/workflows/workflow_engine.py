"""Advances workflows from step to step, in the transaction of the change that causes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import on_behalf_of
from shared.vault.audit.audit_entries import AuditAction, write_events
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.lifecycles import BY_RULE, last_name
from shared.vault.components.workflow_definitions import (
    MAX_STEPS,
    Assignment,
    DecisionRule,
    Step,
    StepKind,
    VerdictMatch,
    WorkflowDefinition,
    read_workflow,
)
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.records.named_actions import ActionContext
from shared.vault.records.state_criteria import meeting
from shared.vault.workflows.participants import named_participants, participants_of
from shared.vault.workflows.workflow_table import (
    ADD_ITEMS,
    BUSY,
    VERDICTS,
    WorkflowRow,
    WorkflowStatus,
    add_tasks,
    begin,
    end_workflow,
    lock_workflow,
    open_tasks,
)

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.named_actions import ActionHandler
    from shared.vault.workflows.workflow_content import WorkflowContent

NOTICE = frozenset(("subject", "body", "users", "groups", "fields", "email"))
PARTICIPANTS = "participants"


@dataclass(frozen=True, slots=True)
class Started:
    """A started workflow, with its records."""

    id: int
    record_ids: tuple[str, ...]


class WorkflowEngine:
    """Starts workflows and advances them.

    ``notify`` carries out the action of that name; ``records`` and ``documents`` are the two kinds of contents.
    """

    def __init__(
        self,
        notify: ActionHandler,
        records: WorkflowContent,
        documents: WorkflowContent,
    ) -> None:
        self._notify = notify
        self._records = records
        self._documents = documents

    def content(self, object_name: str) -> WorkflowContent:
        """Return the access to the contents of workflows about records of an object, or about documents."""
        return self._documents if object_name == DOCUMENTS else self._records

    async def start_workflow(self, context: ActionContext) -> Mapping[str, ApiError]:
        """Start the ``workflow`` that a lifecycle names with each of the records, one workflow for each.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the workflow cannot be carried out; as ``start`` does.
        """
        name = last_name(context.parameter("workflow"))
        (by_rule,) = context.parameters.get(BY_RULE, (False,))
        if by_rule and not is_startable(context.registry, name, context.object):
            return {}
        inputs = {key: str(value) for key, value in context.inputs.items()}
        refused: dict[str, ApiError] = {}
        # The state that a workflow leads to may start one: the record goes on in the first.
        entered = BY_RULE in context.parameters
        busy = await in_workflows(context) if entered else frozenset()
        for record_id in context.ids:
            if record_id in busy:
                continue
            error = await self.start(context, name, [record_id], inputs)
            if isinstance(error, ApiError):
                refused[record_id] = error
        return refused

    async def start(
        self,
        context: ActionContext,
        name: str,
        record_ids: Sequence[str],
        inputs: Mapping[str, str],
        description: str | None = None,
    ) -> Started | ApiError:
        """Start a workflow with these records, which are locked; an error when one of them is in another workflow.

        :raises VaultFault: OPERATION_NOT_ALLOWED, PARAMETER_REQUIRED or INVALID_DATA; ATTRIBUTE_NOT_SUPPORTED for an
            input that the workflow does not ask for.
        """
        component, definition = startable(context.registry, name, context.object)
        for parameter in inputs:
            if parameter not in definition.participants:
                message = f"The workflow takes no parameter [{parameter[:100]}]"
                raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
        connection, caller = context.connection, context.caller
        participants = await named_participants(
            connection,
            context.registry,
            definition,
            context.object.name,
            record_ids,
            inputs,
        )
        workflow_id = await begin(
            connection,
            component,
            definition,
            caller.user_id,
            participants,
            description,
        )
        ids = list(record_ids)
        rows = await connection.fetch(ADD_ITEMS, workflow_id, context.object.name, ids)
        if len(rows) < len(ids):
            message = "The record is in another workflow"
            # The workflow without its records is undone with the refusal.
            return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
        await note(context, AuditAction.START_WORKFLOW, ids, definition.label)
        workflow = await lock_workflow(connection, workflow_id)
        first = definition.start
        if workflow is not None and first is not None:
            await self.follow(context, workflow, [first.name])
        return Started(workflow_id, tuple(ids))

    async def follow(
        self,
        context: ActionContext,
        workflow: WorkflowRow,
        names: Sequence[str],
    ) -> None:
        """Carry out these steps and all that follow, until each path waits for a task, or the workflow ends.

        The Vault carries out steps itself, on behalf of the caller.

        :raises VaultFault: OPERATION_NOT_ALLOWED when a step cannot be carried out; whatever entry actions raise.
        :raises RowsRefused: when a record may not enter a state.
        """
        own = replace(
            context,
            caller=on_behalf_of(context.caller),
            ids=workflow.record_ids,
            parameters={},
            inputs={},
        )
        waiting = deque(names)
        for _ in range(MAX_STEPS):
            if not waiting:
                break
            step = workflow.definition.steps[waiting.popleft()]
            following = await self._carry_out(own, workflow, step)
            if following is None:
                return
            waiting.extend(following)
        if waiting:
            message = (
                f"The workflow goes through more than {MAX_STEPS} steps without a task"
            )
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        # A path may stop without a step of type end: nobody could move the workflow on.
        if not await open_tasks(context.connection, workflow.id):
            await self._end(own, workflow)

    async def _carry_out(
        self, context: ActionContext, workflow: WorkflowRow, step: Step
    ) -> Sequence[str] | None:
        """Carry out one step, and return the steps that follow at once; None when the workflow has ended."""
        following: Sequence[str] = step.next_steps
        match step.kind:
            case StepKind.START:
                pass
            case StepKind.TASK:
                await self._assign(context, workflow, step)
                following = ()
            case StepKind.CHANGE_STATE:
                content = self.content(workflow.object)
                await content.enter(context, step.next_state)
            case StepKind.DECISION:
                following = await decided(context, workflow, step)
            case StepKind.NOTIFICATION:
                await self._send(context, workflow, step)
            case StepKind.END:
                await self._end(context, workflow)
                return None
            case None:
                message = f"Steps of type [{step.type[:60]}] are not carried out here"
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
            case _:
                assert_never(step.kind)
        return following

    async def _assign(
        self, context: ActionContext, workflow: WorkflowRow, step: Step
    ) -> None:
        connection = context.connection
        users = await participants_of(
            connection, context.registry, workflow, step.participant
        )
        if not users:
            message = f"Nobody takes part in the task [{step.label}]: there is no active user for [{step.participant}]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        each = step.assignment is Assignment.EACH
        await add_tasks(connection, workflow, step, users, each=each)
        verb = "is yours" if each else "is available to you"
        subject = f"{plain(step.label)}: ${{name__v}}"
        body = f"A task of {plain(workflow.label)} {verb}: {plain(step.label)}. {plain(step.instructions)}"
        await self.notify_users(context, users, subject, body)

    async def notify_users(
        self,
        context: ActionContext,
        users: Collection[int],
        subject: str,
        body: str,
    ) -> None:
        """Notify users of the records of a context; the texts are templates."""
        parameters = {
            "users": tuple(map(str, users)),
            "subject": (subject,),
            "body": (body,),
        }
        await self._notify(replace(context, parameters=parameters))

    async def _send(
        self, context: ActionContext, workflow: WorkflowRow, step: Step
    ) -> None:
        """Notify the recipients of a notification step: participants, and the recipients of the action ``notify``."""
        kept = {name: each for name, each in step.parameters.items() if name in NOTICE}
        users = list(kept.get("users", ()))
        for control in step.parameters.get(PARTICIPANTS, ()):
            found = await participants_of(
                context.connection, context.registry, workflow, str(control)
            )
            users += [str(each) for each in found]
        parameters = {**kept, "users": tuple(users)}
        await self._notify(replace(context, parameters=parameters))

    async def _end(self, context: ActionContext, workflow: WorkflowRow) -> None:
        status, user_id = WorkflowStatus.COMPLETED, context.caller.user_id
        await end_workflow(context.connection, workflow.id, status, user_id)
        ids = workflow.record_ids
        await note(context, AuditAction.COMPLETE_WORKFLOW, ids, workflow.label)


def startable(
    registry: Registry, name: str, target: VaultObject
) -> tuple[Component, WorkflowDefinition]:
    """Return a workflow that records of an object can enter, with its component.

    :raises VaultFault: OPERATION_NOT_ALLOWED when there is none of this name, or it cannot be carried out.
    """
    component = registry.components.get((ComponentKind.WORKFLOW, name))
    if component is None or not component.flag("active", True):
        message = f"There is no active workflow [{name[:100]}]"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    definition = read_workflow(component)
    is_for = definition.of_documents == (target.name == DOCUMENTS)
    if not is_for or not (
        definition.of_documents or target.lifecycle in definition.lifecycles
    ):
        message = f"[Objectworkflow.{name[:100]}] is not for [{target.name}]"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    problems = definition.problems()
    if problems:
        message = f"[Objectworkflow.{name[:100]}] cannot be carried out: {problems[0]}"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    return component, definition


def is_startable(registry: Registry, name: str, target: VaultObject) -> bool:
    """Return whether records of an object can enter a workflow; an exported component may name a missing one."""
    try:
        startable(registry, name, target)
    except VaultFault:
        return False
    return True


async def decided(
    context: ActionContext, workflow: WorkflowRow, step: Step
) -> Sequence[str]:
    """Return the next steps of a decision: those of its first rule that applies.

    :raises VaultFault: OPERATION_NOT_ALLOWED when no rule applies, or a rule's criteria do not suit the object.
    """
    for rule in step.rules:
        if await _holds(context, workflow, rule):
            return rule.next_steps
    message = f"No rule of the decision [{step.label}] applies"
    raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


async def _holds(
    context: ActionContext, workflow: WorkflowRow, rule: DecisionRule
) -> bool:
    if rule.task is not None:
        rows = await context.connection.fetch(VERDICTS, workflow.id, rule.task.step)
        agreeing = [row["verdict_label"] == rule.task.label for row in rows]
        every = rule.task.match is VerdictMatch.ALL
        if not agreeing or not (all(agreeing) if every else any(agreeing)):
            return False
    if not rule.criteria:
        return True
    fitting = await meeting(
        context.connection,
        context.registry,
        context.object.name,
        context.ids,
        rule.criteria,
        context.targets,
    )
    return len(fitting) == len(context.ids)


async def in_workflows(context: ActionContext) -> frozenset[str]:
    """Return those of the context's records that are in a workflow."""
    rows = await context.connection.fetch(BUSY, context.object.name, list(context.ids))
    return frozenset(row["record_id"] for row in rows)


async def note(
    context: ActionContext,
    action: AuditAction,
    record_ids: Sequence[str],
    workflow: str,
    text: str | None = None,
    details: Mapping[str, str | None] = MappingProxyType({}),
) -> None:
    """Write an event of a workflow, named by its label, to the audit trail of its records.

    ``text`` describes the event; ``details`` are the task and the verdict.
    """
    await write_events(
        context.connection,
        context.registry,
        context.caller,
        action,
        context.object.name,
        record_ids,
        text or workflow,
        {"workflow": workflow, **details},
    )


def plain(text: str) -> str:
    """Return a text of the configuration as a template that has no tokens."""
    return text.replace("${", "$ {")
