"""User actions: what a lifecycle offers in a state, run on one record or on five hundred in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shared.vault.components.model import UserAction, VaultObject
from shared.vault.errors import ApiError, ErrorType, VaultFault
from shared.vault.records.entry_criteria import unsatisfied
from shared.vault.records.results import RowResult
from shared.vault.records.rows import MAX_ROWS, Row
from shared.vault.security.permissions import Operation, require

if TYPE_CHECKING:
    from shared.vault.components.model import Scalar
    from shared.vault.components.registry import Registry
    from shared.vault.records.service import RecordService
    from shared.vault.security.caller import Caller
    from shared.vault.storage.components import ComponentService
    from shared.vault.storage.database import Connection

CHANGE_STATE = "change_state"
LIFECYCLE_PREFIX = "Objectlifecyclestateuseraction"
OBJECT_PREFIX = "Objectaction"


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What a named action works with: the records' transaction, their ids (all locked), its parameters."""

    connection: Connection
    caller: Caller
    registry: Registry
    object: VaultObject
    ids: Sequence[str]
    records: RecordService
    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)

    def parameter(self, name: str) -> str:
        """A parameter's first value as text; raises VaultFault when the lifecycle does not give it."""
        values = self.parameters.get(name)
        if not values:
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, f"The action has no parameter [{name}]")
        return str(values[0])


ActionHandler = Callable[[ActionContext], Awaitable[Mapping[str, ApiError]]]
"""Carries out a named action; returns an error for each record that it refuses."""


@dataclass(frozen=True, slots=True)
class ObjectAction:
    """An action that an object offers in every state."""

    name: str
    label: str
    handler: ActionHandler


@dataclass(frozen=True, slots=True)
class AvailableAction:
    """One entry of a record's list of actions."""

    name: str
    label: str
    type: str


class RowsRefused(Exception):
    """Some records were refused after others had been changed: undo, and run again without them."""

    def __init__(self, errors: Mapping[str, ApiError]) -> None:
        super().__init__()
        self.errors = errors


class ActionService:
    """The user action calls of the API."""

    def __init__(
        self,
        components: ComponentService,
        records: RecordService,
        handlers: Mapping[str, ActionHandler],
        object_actions: Mapping[str, Mapping[str, ObjectAction]],
    ) -> None:
        self._components = components
        self._records = records
        self._handlers = handlers
        self._object_actions = object_actions

    async def available(self, caller: Caller, object_name: str, record_id: str) -> list[AvailableAction]:
        """The actions that the record offers in its present state; raises VaultFault for an unknown record."""
        return await self._components.unless_changed(lambda: self._offered(caller, object_name, record_id))

    async def _offered(self, caller: Caller, object_name: str, record_id: str) -> list[AvailableAction]:
        target = self._target(caller, object_name, Operation.READ)
        state = await self._records.state_of(target, record_id)
        offered = [
            AvailableAction(f"{OBJECT_PREFIX}.{object_name}.{a.name}", a.label, "object_action")
            for a in self._object_actions.get(object_name, {}).values()
        ]
        for action in self._user_actions(target, state):
            kind = "state_change" if action.action == CHANGE_STATE else "object_action"
            name = f"{LIFECYCLE_PREFIX}.{object_name}.{state}.{action.name}"
            offered.append(AvailableAction(name, action.label, kind))
        return offered

    async def run(
        self, caller: Caller, object_name: str, ids: Sequence[str], name: str, fields: Mapping[str, object]
    ) -> list[RowResult]:
        """Run the action on each record; results in the order of ``ids``. ``fields`` are its start prompts."""
        if not 0 < len(ids) <= MAX_ROWS:
            raise VaultFault(ErrorType.INVALID_DATA, f"An action takes 1 to {MAX_ROWS} records")
        refused: dict[str, ApiError] = {}
        distinct = list(dict.fromkeys(ids))
        while True:
            work = self._work(caller, object_name, [i for i in distinct if i not in refused], name, fields)
            try:
                rows = await self._records.carry_out(work)
            except RowsRefused as refusal:
                refused.update(refusal.errors)
                continue
            results = {result.id: result for result in rows}
            results |= {i: RowResult(id=i, errors=(error,)) for i, error in refused.items()}
            return [results[i] for i in ids]

    def _work(
        self, caller: Caller, object_name: str, ids: Sequence[str], name: str, fields: Mapping[str, object]
    ) -> Callable[[Connection], Awaitable[list[Row]]]:
        async def work(connection: Connection) -> list[Row]:
            target = self._target(caller, object_name, Operation.EDIT)
            if not ids:
                return []
            context = ActionContext(connection, caller, self._components.registry, target, ids, self._records)
            if name.startswith(f"{OBJECT_PREFIX}."):
                return await self._run_object_action(context, name, fields)
            state, action = self._find(target, name)
            return await self._run_user_action(context, state, action, fields)

        return work

    async def _run_object_action(self, context: ActionContext, name: str, fields: Mapping[str, object]) -> list[Row]:
        owner, _, short = name.removeprefix(f"{OBJECT_PREFIX}.").partition(".")
        action = self._object_actions.get(owner, {}).get(short)
        if action is None or owner != context.object.name:
            raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, f"[{context.object.name}] has no action [{name[:200]}]")
        _refuse_unknown(fields, ())
        rows = await self._records.change_in(context.connection, context.caller, context.object, context.ids, {}, {})
        await self._handle(context, action.handler, rows)
        return rows

    async def _run_user_action(
        self, context: ActionContext, state: str, action: UserAction, fields: Mapping[str, object]
    ) -> list[Row]:
        _refuse_unknown(fields, action.prompts)
        changes = _state_change(context, action.next_state) if action.action == CHANGE_STATE else {}
        rows = await self._records.change_in(
            context.connection, context.caller, context.object, context.ids, fields, changes, state=state
        )
        if action.action == CHANGE_STATE:
            await self._enter(context, action.next_state or "", rows)
        else:
            await self._handle(context, self._handler(action.action), rows)
        return rows

    async def _enter(self, context: ActionContext, state: str, rows: Sequence[Row]) -> None:
        """Hold the entry criteria of a state against the records that reach it, then run its entry actions on them."""
        entered = context.registry.lifecycles[context.object.lifecycle or ""].states[state]
        good = [str(row.id) for row in rows if not row.errors]
        refused = await unsatisfied(context.connection, context.registry, context.object.name, entered, good)
        if refused:
            raise RowsRefused(refused)
        for entry in sorted(entered.entry_actions, key=lambda e: e.order):
            handler = self._handler(entry.action)
            await self._handle(replace(context, parameters=entry.parameters), handler, rows)

    @staticmethod
    async def _handle(context: ActionContext, handler: ActionHandler, rows: Sequence[Row]) -> None:
        """Call the handler with the records that are still good; what it refuses is run again without."""
        good = [str(row.id) for row in rows if not row.errors]
        if not good:
            return
        errors = await handler(replace(context, ids=good))
        if errors:
            raise RowsRefused(errors)

    def _handler(self, name: str) -> ActionHandler:
        handler = self._handlers.get(name)
        if handler is None:
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, f"This Vault has no action [{name}]")
        return handler

    def _target(self, caller: Caller, object_name: str, operation: Operation) -> VaultObject:
        target = self._components.registry.objects.get(object_name)
        if target is None or not target.active:
            raise VaultFault(ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]")
        require(caller, object_name, operation)
        return target

    def _user_actions(self, target: VaultObject, state: str | None) -> Sequence[UserAction]:
        lifecycle = self._components.registry.lifecycles.get(target.lifecycle or "")
        found = lifecycle.states.get(state or "") if lifecycle else None
        return sorted(found.user_actions, key=lambda a: a.order) if found else ()

    def _find(self, target: VaultObject, name: str) -> tuple[str, UserAction]:
        """The state and action of ``Objectlifecyclestateuseraction.{object}.{state}.{name}``."""
        prefix, _, rest = name.partition(".")
        owner, _, rest = rest.partition(".")
        state, _, short = rest.partition(".")
        if prefix == LIFECYCLE_PREFIX and owner == target.name:
            for action in self._user_actions(target, state):
                if action.name == short:
                    return state, action
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, f"[{target.name}] has no action [{name[:200]}]")


def _refuse_unknown(fields: Mapping[str, object], prompts: Sequence[str]) -> None:
    for name in fields:
        if name not in prompts:
            raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, f"The action takes no field [{name[:100]}]")


def _state_change(context: ActionContext, name: str | None) -> dict[str, object]:
    """What entering a state sets: the state, and the record's status where the state says one."""
    changes: dict[str, object] = {"state__v": name}
    state = context.registry.lifecycles[context.object.lifecycle or ""].states[name or ""]
    statuses = context.registry.picklists[context.object.fields["status__v"].picklist or ""].entries
    if state.record_status in statuses:
        changes["status__v"] = state.record_status
    return changes
