"""Runs named actions, which lifecycle states and user actions call by name, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from shared.protocol.error_types import ErrorType
from shared.vault.components.entry_action_definitions import (
    CHANGE_STATE,
    LIFECYCLE_PREFIX,
    OBJECT_PREFIX,
    START_WORKFLOW,
)
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import (
    LifecycleState,
    ObjectUserAction,
    UserAction,
    VaultObject,
)
from shared.vault.records.rows import NORMAL
from shared.vault.records.state_criteria import unsatisfied

if TYPE_CHECKING:
    from shared.vault import vql
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import LifecycleState, Scalar
    from shared.vault.records.rows import RowResult, WriteMode
    from shared.vault.storage.database import Connection


MAX_DEPTH = 5
"""The greatest depth of actions that run one another."""

RUN_ACTION = "run_action"


class RecordChanges(Protocol):
    """The writes of the record service that named actions and merges use, in the transaction that they run in."""

    async def change_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        ids: Sequence[str],
        fields: Mapping[str, object],
        changes: Mapping[str, object],
        *,
        state: str | None = None,
        mode: WriteMode = NORMAL,
    ) -> list[RowResult]:
        """Set ``fields`` (as a caller sends them) and ``changes`` (column values, system fields too) on each record.

        With ``state``, records in another state are left unchanged and get an error. All records are locked.
        """

    async def upsert_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
    ) -> list[RowResult]:
        """Create or update records by the unique field ``id_param``."""

    async def delete_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        ids: Sequence[str],
    ) -> list[RowResult]:
        """Delete records; a record that is blocked from deletion gets an error."""


Targets = Mapping[str, "vql.Target"]

Inputs = Mapping[str, object]
"""Values by the names under which the start of a workflow asks for them."""


@dataclass(frozen=True, slots=True)
class ActionContext:
    """The arguments of a named action: the records' transaction, their ids (all locked), its parameters.

    ``state`` is set for actions of a state: that of the records, which they may have just entered. ``depth`` counts the
    actions that have led to this one. ``inputs`` are the values that the caller sends with the start of a workflow.
    ``targets`` are the query targets of documents, which are no objects of the registry.
    """

    connection: Connection
    caller: Caller
    registry: Registry
    object: VaultObject
    ids: Sequence[str]
    records: RecordChanges
    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    state: str | None = None
    depth: int = 0
    inputs: Inputs = field(default_factory=dict)
    targets: Targets = field(default_factory=dict)

    def parameter(self, name: str) -> str:
        """Return a parameter's first value as text.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the configuration does not set it.
        """
        values = self.parameters.get(name)
        if not values:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, f"The action has no parameter [{name}]"
            )
        return str(values[0])

    def texts(self, name: str) -> list[str]:
        """Return all values of a parameter as text; none when it is not set."""
        return [str(value) for value in self.parameters.get(name, ())]


ActionHandler = Callable[[ActionContext], Awaitable[Mapping[str, ApiError]]]
"""Carries out a named action; returns an error for each record that it refuses."""


class RowsRefused(Exception):
    """Raised when records are refused after others were changed: the caller undoes all, and repeats without them."""

    def __init__(self, errors: Mapping[str, ApiError]) -> None:
        super().__init__()
        self.errors = errors


class NamedActions:
    """Runs the named actions of a Vault, as user actions and as entry actions of states."""

    def __init__(self, handlers: Mapping[str, ActionHandler]) -> None:
        # Made here because it runs other actions of the same Vault.
        own = {RUN_ACTION: self._run_action}
        self._handlers = {**handlers, **own}

    def has(self, action: str) -> bool:
        """Return whether this Vault can carry out a named action; components may name actions that exist elsewhere."""
        return action in self._handlers

    async def run(
        self,
        context: ActionContext,
        name: str,
        fields: Mapping[str, object],
    ) -> list[RowResult]:
        """Run a user action by its full name; ``fields`` are its start prompts.

        :raises VaultFault: INSUFFICIENT_ACCESS when no action has that name; whatever the action raises.
        :raises RowsRefused: when some of the records are refused.
        """
        # {prefix}.{object}.{action}, with the lifecycle state before the action where it belongs to one.
        prefix, _, rest = name.partition(".")
        owner, _, rest = rest.partition(".")
        if owner == context.object.name and prefix == OBJECT_PREFIX:
            action = context.registry.object_action(context.object, rest)
            if action is not None:
                return await self._run_object_action(context, action, fields)
        if owner == context.object.name and prefix == LIFECYCLE_PREFIX:
            state, _, short = rest.partition(".")
            found = context.registry.lifecycle_action(context.object, state, short)
            if found is not None:
                return await self._run_state_action(context, state, found, fields)
        raise VaultFault(
            ErrorType.INSUFFICIENT_ACCESS,
            f"[{context.object.name}] has no action [{name[:200]}]",
        )

    async def run_entry_actions(
        self, context: ActionContext, state: LifecycleState
    ) -> None:
        """Run the entry actions of a state on the context's records, which have entered it.

        :raises VaultFault: whatever the actions raise.
        :raises RowsRefused: when some of the records are refused.
        """
        for entry in state.entry_actions:
            entered = replace(context, parameters=entry.parameters, state=state.name)
            await self._handle(entered, entry.action)

    async def repeat(self, context: ActionContext, name: str) -> None:
        """Run the entry actions with this name of the context's state once more.

        :raises VaultFault: whatever the actions raise.
        :raises RowsRefused: when some of the records are refused.
        """
        lifecycle = context.registry.lifecycles.get(context.object.lifecycle or "")
        state = lifecycle.states.get(context.state or "") if lifecycle else None
        for entry in state.entry_actions if state else ():
            if entry.action == name:
                again = replace(context, parameters=entry.parameters)
                await self._handle(again, name)

    async def enter(self, context: ActionContext, name: str) -> None:
        """Move the context's records to a state, as a user action would.

        :raises VaultFault: OPERATION_NOT_ALLOWED when their lifecycle has no such state; whatever actions raise.
        :raises RowsRefused: when some of the records may not enter it.
        """
        lifecycle = context.registry.lifecycles.get(context.object.lifecycle or "")
        if lifecycle is None or name not in lifecycle.states:
            message = f"[{context.object.name}] has no state [{name[:100]}]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        changes = _state_change(context, name)
        rows = await context.records.change_in(
            context.connection,
            context.caller,
            context.object,
            context.ids,
            {},
            changes,
        )
        refused = {str(row.id): row.errors[0] for row in rows if row.errors}
        if refused:
            raise RowsRefused(refused)
        await self._enter(context, name)

    async def _run_object_action(
        self,
        context: ActionContext,
        action: ObjectUserAction,
        fields: Mapping[str, object],
    ) -> list[RowResult]:
        _refuse_unknown(fields, action.prompts)
        rows = await context.records.change_in(
            context.connection,
            context.caller,
            context.object,
            context.ids,
            fields,
            {},
        )
        changed = replace(context, ids=_valid_ids(rows), parameters=action.parameters)
        await self._handle(changed, action.action)
        return rows

    async def _run_state_action(
        self,
        context: ActionContext,
        state: str,
        action: UserAction,
        fields: Mapping[str, object],
    ) -> list[RowResult]:
        if action.action == START_WORKFLOW:
            # What is asked for is the workflow's to know.
            inputs, fields = fields, {}
            context = replace(context, inputs=inputs)
        _refuse_unknown(fields, action.prompts)
        enters = action.action == CHANGE_STATE
        changes = _state_change(context, action.next_state) if enters else {}
        rows = await context.records.change_in(
            context.connection,
            context.caller,
            context.object,
            context.ids,
            fields,
            changes,
            state=state,
        )
        parameters = {"workflow": (action.workflow,)} if action.workflow else {}
        changed = replace(context, ids=_valid_ids(rows), parameters=parameters)
        if enters:
            await self._enter(changed, action.next_state)
        else:
            await self._handle(replace(changed, state=state), action.action)
        return rows

    async def _enter(self, context: ActionContext, name: str | None) -> None:
        """Check the entry criteria of a state for the records that reach it, then run its entry actions on them."""
        state = _state(context, name)
        refused = await unsatisfied(
            context.connection,
            context.registry,
            context.object,
            state,
            context.ids,
        )
        if refused:
            # The state is written already: only an exception undoes that.
            raise RowsRefused(refused)
        await self.run_entry_actions(context, state)

    async def _handle(self, context: ActionContext, name: str) -> None:
        """Call the handler of a named action with the context's records.

        :raises VaultFault: OPERATION_NOT_ALLOWED when this Vault has no such action; whatever the handler raises.
        :raises RowsRefused: when the handler refuses some of the records.
        """
        # Looked up even when no records are left, so that a configuration without a handler is always reported.
        handler = self._handlers.get(name)
        if handler is None:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, f"This Vault has no action [{name}]"
            )
        if not context.ids:
            return
        errors = await handler(context)
        if errors:
            raise RowsRefused(errors)

    async def _run_action(self, context: ActionContext) -> Mapping[str, ApiError]:
        """Run the object's ``user_action`` on the records, without prompts: a full name, or the name within the object.

        An action of the state that the records have just entered comes before one of the object of the same name.
        """
        # Two actions that run each other would not end.
        if context.depth >= MAX_DEPTH:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"More than {MAX_DEPTH} actions run one another",
            )
        name = _full_name(context, context.parameter("user_action"))
        deeper = replace(context, depth=context.depth + 1)
        rows = await self.run(deeper, name, {})
        return {str(row.id): row.errors[0] for row in rows if row.errors}


def _full_name(context: ActionContext, name: str) -> str:
    if "." in name:
        return name
    target, state = context.object, context.state
    of_state = context.registry.lifecycle_action(target, state, name)
    if of_state is None:
        return f"{OBJECT_PREFIX}.{target.name}.{name}"
    return f"{LIFECYCLE_PREFIX}.{target.name}.{state}.{name}"


def _valid_ids(rows: Sequence[RowResult]) -> list[str]:
    return [str(row.id) for row in rows if row.ok]


def _refuse_unknown(fields: Mapping[str, object], prompts: Sequence[str]) -> None:
    for name in fields:
        # Prompts are all that an action lets its caller set.
        if name not in prompts:
            raise VaultFault(
                ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                f"The action takes no field [{name[:100]}]",
            )


def _state(context: ActionContext, name: str | None) -> LifecycleState:
    lifecycle = context.registry.lifecycles[context.object.lifecycle or ""]
    return lifecycle.states[name or ""]


def _state_change(context: ActionContext, name: str | None) -> dict[str, object]:
    """Return the changes by which a record enters a state: the state and, where the state sets one, the status."""
    changes: dict[str, object] = {"state__v": name}
    state = _state(context, name)
    picklist = context.object.fields["status__v"].picklist or ""
    # An object may have statuses of its own, and not the one that its lifecycle names.
    if state.record_status in context.registry.picklists[picklist].entries:
        changes["status__v"] = state.record_status
    return changes
