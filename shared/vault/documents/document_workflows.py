"""Gives workflows access to documents as their contents: locks them, changes their states and fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.components.document_model import VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_states import state_of
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import LIFECYCLE
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import VaultObject
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.queries.document_target import document_target

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.components.registry import Registry
    from shared.vault.components.workflow_definitions import WorkflowDefinition
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.model.component_model import Lifecycle, LifecycleState
    from shared.vault.records.named_actions import ActionContext
    from shared.vault.vql import Target


class DocumentContent:
    """The latest versions of documents as the contents of workflows.

    ``documents`` returns the service of documents, which is constructed after the workflows.
    """

    def __init__(self, documents: Callable[[], DocumentService]) -> None:
        self._documents = documents

    def locked_object(self, _object_name: str) -> str:
        """Return the name of the object whose records are locked: the versions of documents."""
        return VERSIONS

    def target(self, registry: Registry, _object_name: str) -> VaultObject | None:
        """Return an object that has the fields of documents; None in a Vault without document types."""
        versions = registry.documents.versions
        return versions and replace(versions, name=DOCUMENTS)

    def targets(self, registry: Registry) -> Mapping[str, Target]:
        """Return the query target of documents."""
        found = document_target(registry.documents)
        if found is None:
            return {}
        return {DOCUMENTS: found}

    async def lock(
        self, context: ActionContext, definition: WorkflowDefinition
    ) -> None:
        """Lock the documents of a context for a workflow that they enter; the caller must be allowed to edit them.

        :raises VaultFault: INSUFFICIENT_ACCESS when not; INVALID_DATA for a document that does not exist, or whose
            lifecycle the workflow does not have.
        """
        self._documents().model(context.caller, Operation.EDIT)
        wanted = definition.document_lifecycles
        for version in (await self._locked(context)).values():
            if wanted and version[LIFECYCLE] not in wanted:
                message = f"[{definition.label}] is not for documents of the lifecycle [{version[LIFECYCLE]}]"
                raise VaultFault(ErrorType.INVALID_DATA, message)

    async def enter(self, context: ActionContext, state: str) -> None:
        """Move the documents of a context to the state of their lifecycles that ``state`` names, or that has this type.

        :raises VaultFault: OPERATION_NOT_ALLOWED when a lifecycle has no such state; the error of an entry action that
            refuses.
        """
        documents, model = self._documents(), context.registry.documents
        for version in (await self._locked(context)).values():
            lifecycle, _ = state_of(model, version)
            following = _state(lifecycle, state)
            await documents.enter(
                context.connection, context.caller, version, following
            )

    async def set_fields(
        self, context: ActionContext, content_id: str, fields: Mapping[str, object]
    ) -> None:
        """Store fields of a document, with the caller's own rights.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit documents; the first error of the fields.
        """
        texts = {name: str(value) for name, value in fields.items()}
        result = await self._documents().update_in(
            context.connection, context.caller, Place(int(content_id)), texts
        )
        if result.errors:
            error = result.errors[0]
            raise VaultFault(error.type, error.message)

    @staticmethod
    async def _locked(context: ActionContext) -> Mapping[int, Record]:
        """Lock the latest versions of the documents of a context, and return them by document id.

        :raises VaultFault: INVALID_DATA when a document does not exist.
        """
        versions = context.registry.documents.versions
        ids = [int(each) for each in context.ids]
        found: Mapping[int, Record] = {}
        if versions is not None:
            found = await store.latest_locked(context.connection, versions, ids)
        unknown = [str(each) for each in ids if each not in found]
        if unknown:
            message = f"Invalid value [{','.join(unknown[:10])}] for parameter [contents__sys] specified"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return found


def _state(lifecycle: Lifecycle, name: str) -> LifecycleState:
    """Return the state with a name in a lifecycle, or else the first state of this type.

    :raises VaultFault: OPERATION_NOT_ALLOWED when there is neither.
    """
    found = lifecycle.states.get(name)
    typed = (each for each in lifecycle.states.values() if each.state_type == name)
    found = found or next(typed, None)
    if found is None:
        message = f"The lifecycle [{lifecycle.name}] has no state [{name[:100]}]"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    return found
