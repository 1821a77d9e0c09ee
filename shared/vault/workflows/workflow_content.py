"""Gives workflows access to their contents, records or documents, whose states and fields their steps change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from shared.vault.access.permissions import Operation, require
from shared.vault.errors import VaultFault
from shared.vault.records.named_actions import ActionContext

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.components.workflow_definitions import WorkflowDefinition
    from shared.vault.model.component_model import VaultObject
    from shared.vault.vql import Target

Enter = Callable[[ActionContext, str], Awaitable[None]]
"""The type of ``NamedActions.enter``, which is made of the actions that start workflows."""


class WorkflowContent(Protocol):
    """The contents of a workflow: locked when it begins, moved to states, and changed in fields that tasks ask for."""

    def locked_object(self, object_name: str) -> str:
        """Return the object whose table a change of a workflow locks."""

    def target(self, registry: Registry, object_name: str) -> VaultObject | None:
        """Return the object with this name that describes the contents' fields; None when there is none."""

    def targets(self, registry: Registry) -> Mapping[str, Target]:
        """Return the query targets that queries about the contents need besides the objects of the registry."""

    async def lock(
        self, context: ActionContext, definition: WorkflowDefinition
    ) -> None:
        """Lock the contents of a context for the workflow that starts with them.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit them; the error of the first that does not
            exist or that the workflow is not for.
        """

    async def enter(self, context: ActionContext, state: str) -> None:
        """Move the contents of a context to a state, with all consequences.

        :raises VaultFault: OPERATION_NOT_ALLOWED when their lifecycle has no such state; whatever actions raise.
        :raises RowsRefused: when some of the contents may not enter it.
        """

    async def set_fields(
        self, context: ActionContext, content_id: str, fields: Mapping[str, object]
    ) -> None:
        """Store fields of one of the contents, with the caller's own rights.

        :raises VaultFault: INSUFFICIENT_ACCESS; the first error of the fields.
        """


class RecordContent:
    """Records of an object as the contents of workflows; ``enter`` moves records to a state."""

    def __init__(self, enter: Enter) -> None:
        self._enter = enter

    async def enter(self, context: ActionContext, state: str) -> None:
        """Move the records of a context to a state, as a user action would."""
        await self._enter(context, state)

    def locked_object(self, object_name: str) -> str:
        """Return the object itself."""
        return object_name

    def target(self, registry: Registry, object_name: str) -> VaultObject | None:
        """Return the object with this name; None when there is none."""
        return registry.objects.get(object_name)

    def targets(self, _registry: Registry) -> Mapping[str, Target]:
        """Return no targets: records belong to objects of the registry."""
        return {}

    async def lock(
        self, context: ActionContext, _definition: WorkflowDefinition
    ) -> None:
        """Lock the records of a context.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit them; the error of the first that does not
            exist.
        """
        require(context.caller, context.object.name, Operation.EDIT)
        await self._write(context, list(context.ids), {})

    async def set_fields(
        self, context: ActionContext, content_id: str, fields: Mapping[str, object]
    ) -> None:
        """Store fields of a record, with the caller's own rights.

        :raises VaultFault: INSUFFICIENT_ACCESS; the first error of the fields.
        """
        require(context.caller, context.object.name, Operation.EDIT)
        await self._write(context, [content_id], fields)

    @staticmethod
    async def _write(
        context: ActionContext, ids: list[str], fields: Mapping[str, object]
    ) -> None:
        rows = await context.records.change_in(
            context.connection,
            context.caller,
            context.object,
            ids,
            fields,
            {},
        )
        for row in rows:
            if row.errors:
                error = row.errors[0]
                raise VaultFault(error.type, error.message)
