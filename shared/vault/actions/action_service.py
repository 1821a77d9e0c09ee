"""Offers and runs user actions of objects and of lifecycle states, on up to 500 records in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.components.entry_action_definitions import (
    CHANGE_STATE,
    LIFECYCLE_PREFIX,
    OBJECT_PREFIX,
)
from shared.vault.errors import VaultFault
from shared.vault.queries.query_pages import unless_changed
from shared.vault.records.named_actions import ActionContext, RowsRefused
from shared.vault.records.rows import MAX_ROWS, RowResult
from shared.vault.workflows.workflow_engine import is_startable

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection


class ActionType(StrEnum):
    """The kind of a user action in the API's lists: one that changes the state, starts a workflow, or any other."""

    OBJECT_ACTION = "object_action"
    STATE_CHANGE = "state_change"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class AvailableAction:
    """One entry of a record's list of actions."""

    name: str
    label: str
    type: ActionType
    runs: str  # the named action
    prompts: tuple[str, ...] = ()  # fields that the caller may set while running it
    workflow: str = ""  # that it starts
    next_state: str = ""  # into which it moves the record; empty for other actions


class ActionService:
    """Carries out the user action calls of the API."""

    def __init__(self, components: ComponentService, records: RecordService) -> None:
        self._components = components
        self._records = records

    async def available(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
    ) -> list[AvailableAction]:
        """Return the user actions that are available for the record in its present state.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA for an unknown object or record.
        """
        return await unless_changed(
            self._components, lambda: self._offered(caller, object_name, record_id)
        )

    async def _offered(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
    ) -> list[AvailableAction]:
        target = self._target(caller, object_name, Operation.READ)
        state = await self._records.state_of(target, record_id)
        offered: list[AvailableAction] = []
        for action in target.actions:
            # A component of another Vault may name an action that this Vault does not have.
            if action.active and self._records.actions.has(action.action):
                name = f"{OBJECT_PREFIX}.{object_name}.{action.name}"
                offered.append(
                    AvailableAction(
                        name,
                        action.label,
                        ActionType.OBJECT_ACTION,
                        action.action,
                        action.prompts,
                    )
                )
        registry = self._components.registry
        for each in registry.lifecycle_actions(target, state):
            enters = each.action == CHANGE_STATE
            if not enters and not self._records.actions.has(each.action):
                continue
            if each.workflow and not is_startable(registry, each.workflow, target):
                continue
            kind = ActionType.STATE_CHANGE if enters else ActionType.OBJECT_ACTION
            if each.workflow:
                kind = ActionType.WORKFLOW
            name = f"{LIFECYCLE_PREFIX}.{object_name}.{state}.{each.name}"
            offered.append(
                AvailableAction(
                    name,
                    each.label,
                    kind,
                    each.action,
                    each.prompts,
                    each.workflow,
                    each.next_state or "" if enters else "",
                )
            )
        return offered

    async def run(
        self,
        caller: Caller,
        object_name: str,
        ids: Sequence[str],
        name: str,
        fields: Mapping[str, object],
    ) -> list[RowResult]:
        """Run the action on each record, and return the results in the order of ``ids``.

        ``fields`` are the values of the action's start prompts.

        Records that the action refuses have errors; the other records are changed.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA; and whatever the action raises.
        """
        if not 0 < len(ids) <= MAX_ROWS:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"An action takes 1 to {MAX_ROWS} records"
            )
        refused: dict[str | None, RowResult] = {}
        # The action runs once on a record that is named twice.
        left = list(dict.fromkeys(ids))
        while True:
            work = self._work(caller, object_name, left, name, fields)
            try:
                rows = await self._records.carry_out(work, object_name)
            except RowsRefused as refusal:
                # The transaction is rolled back and repeated without the refused records.
                for record_id, error in refusal.errors.items():
                    refused[record_id] = RowResult(id=record_id, errors=(error,))
                left = [record_id for record_id in left if record_id not in refused]
                continue
            results = {row.id: row for row in rows} | refused
            return [results[record_id] for record_id in ids]

    async def create_and_run(
        self,
        caller: Caller,
        object_name: str,
        row: Mapping[str, object],
        names: Sequence[str],
    ) -> RowResult:
        """Create a record and run actions on it one after the other; when an action is refused, no record is created.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA; and whatever the actions raise.
        """

        async def work(connection: Connection) -> RowResult:
            target = self._target(caller, object_name, Operation.EDIT)
            records = self._records
            (created,) = await records.create_in(connection, caller, object_name, [row])
            if created.id is None:
                return created
            await self._run_each(connection, caller, target, created.id, names)
            return created

        try:
            return await self._records.carry_out(work, object_name)
        except RowsRefused as refusal:
            return RowResult(errors=tuple(refusal.errors.values()))

    async def run_each(
        self, caller: Caller, object_name: str, record_id: str, names: Sequence[str]
    ) -> RowResult:
        """Run actions on a record one after the other; when an action is refused, none of them takes effect.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA; and whatever the actions raise.
        """

        async def work(connection: Connection) -> RowResult:
            target = self._target(caller, object_name, Operation.EDIT)
            await self._run_each(connection, caller, target, record_id, names)
            return RowResult(id=record_id)

        try:
            return await self._records.carry_out(work, object_name)
        except RowsRefused as refusal:
            return RowResult(id=record_id, errors=tuple(refusal.errors.values()))

    async def _run_each(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        record_id: str,
        names: Sequence[str],
    ) -> None:
        """Run actions on a record in a transaction.

        :raises RowsRefused: an action is refused.
        """
        registry, records = self._components.registry, self._records
        ids = [record_id]
        context = ActionContext(connection, caller, registry, target, ids, records)
        for name in names:
            (done,) = await records.actions.run(context, name, {})
            if done.errors:
                # Only an exception rolls back what is already written.
                raise RowsRefused({record_id: done.errors[0]})

    def _work(
        self,
        caller: Caller,
        object_name: str,
        ids: Sequence[str],
        name: str,
        fields: Mapping[str, object],
    ) -> Callable[[Connection], Awaitable[list[RowResult]]]:
        async def work(connection: Connection) -> list[RowResult]:
            target = self._target(caller, object_name, Operation.EDIT)
            # The action has refused all of them.
            if not ids:
                return []
            context = ActionContext(
                connection,
                caller,
                self._components.registry,
                target,
                ids,
                self._records,
            )
            return await self._records.actions.run(context, name, fields)

        return work

    def _target(
        self,
        caller: Caller,
        object_name: str,
        operation: Operation,
    ) -> VaultObject:
        target = self._components.registry.objects.get(object_name)
        if target is None or not target.active:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        require(caller, object_name, operation)
        return target
