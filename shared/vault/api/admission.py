"""Refuses calls before their body is read: dependencies that find the caller and check the right that a call needs.

The services check the rights to single records afterwards.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from shared.protocol.whole_numbers import whole_number
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import (
    Grant,
    Operation,
    authorize,
    authorize_components,
    require,
    require_own,
)
from shared.vault.api.request_context import SignedIn, vault_of
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.exceptions.exception_model import ITEM, MESSAGE
from shared.vault.integrations.reference_lookups import OBJECT as LOOKUP
from shared.vault.security.group_service import OBJECT as GROUP
from shared.vault.security.user_records import OBJECT as USER

Admission = Callable[..., Awaitable[Caller]]

UPSERT_KEYS = ("idParam", "id_param")
CONNECTION = "connection__sys"


def holding(*grants: Grant) -> Admission:
    """Return a dependency that admits callers with all of the grants."""

    async def admit(caller: SignedIn) -> Caller:
        for grant in grants:
            authorize(caller, grant)
        return caller

    return admit


def allowed_in_path(*operations: Operation) -> Admission:
    """Return a dependency that admits callers with all of the operations on the object that the path names."""

    async def admit(request: Request, caller: SignedIn, object_name: str) -> Caller:
        _admit(request, caller, object_name, *operations)
        return caller

    return admit


def allowed_on(object_name: str, operation: Operation, *grants: Grant) -> Admission:
    """Return a dependency that admits callers with the grants and with the operation on an object's records."""

    async def admit(caller: SignedIn) -> Caller:
        for grant in grants:
            authorize(caller, grant)
        require(caller, object_name, operation)
        return caller

    return admit


def allowed_with_documents(operation: Operation) -> Admission:
    """Return a dependency that admits callers with the operation on documents."""

    async def admit(request: Request, caller: SignedIn) -> Caller:
        vault_of(request).documents.model(caller, operation)
        return caller

    return admit


async def _changing_templates(request: Request, caller: SignedIn) -> Caller:
    """Admit callers who may change document templates."""
    vault_of(request).document_templates.require_changing(caller)
    return caller


async def _exporting_documents(request: Request, caller: SignedIn) -> Caller:
    """Admit callers who may read documents and use the staging area."""
    vault_of(request).document_exports.require(caller)
    return caller


async def _creating_records(
    request: Request, caller: SignedIn, object_name: str
) -> Caller:
    """Admit callers who may create records, and edit them where the call is an upsert."""
    operations = [Operation.CREATE]
    if any(name in request.query_params for name in UPSERT_KEYS):
        operations.append(Operation.EDIT)
    _admit(request, caller, object_name, *operations)
    return caller


async def _changing_attachments(
    request: Request, caller: SignedIn, object_name: str
) -> Caller:
    """Admit callers who may change the attachments of an object's records."""
    vault_of(request).attachments.target(caller, object_name, Operation.EDIT)
    return caller


async def _changing_components(caller: SignedIn) -> Caller:
    """Admit callers who may change components of some type."""
    authorize_components(caller)
    return caller


async def _changing_lifecycles(caller: SignedIn) -> Caller:
    """Admit callers who may change lifecycles of records."""
    authorize_components(caller, [ComponentKind.LIFECYCLE])
    return caller


async def _creating_users(request: Request, caller: SignedIn) -> Caller:
    """Admit callers who may create users; if the call updates existing users only, callers who may edit users."""
    existing = request.query_params.get("idParam") == "id"
    require(caller, USER, Operation.EDIT if existing else Operation.CREATE)
    return caller


async def _retrying_exceptions(caller: SignedIn) -> Caller:
    """Admit callers who may retry transfers."""
    require(caller, MESSAGE, Operation.EDIT)
    require(caller, ITEM, Operation.READ)
    return caller


async def _editing_self(caller: SignedIn) -> Caller:
    """Admit callers to change their own user, except delegates, who act for another user."""
    require_own(caller, caller.user_id, USER, Operation.EDIT)
    return caller


def own_or_allowed(operation: Operation) -> Admission:
    """Return a dependency that admits the user in the path, and callers with the operation on that user."""

    async def admit(caller: SignedIn, user_id: str) -> Caller:
        # `me` stands for the caller; what is no id is refused as a parameter.
        owner = whole_number(user_id)
        own_id = caller.user_id if owner is None else owner
        require_own(caller, own_id, USER, operation)
        return caller

    return admit


def _admit(
    request: Request,
    caller: Caller,
    object_name: str,
    *operations: Operation,
) -> None:
    # One row stands for those that have not been read.
    records = vault_of(request).records
    records.target(caller, object_name, [{}], *operations)


CreatesRecords = Annotated[Caller, Depends(_creating_records)]
EditsRecords = Annotated[Caller, Depends(allowed_in_path(Operation.EDIT))]
DeletesRecords = Annotated[Caller, Depends(allowed_in_path(Operation.DELETE))]
CopiesRecord = Annotated[
    Caller, Depends(allowed_in_path(Operation.READ, Operation.CREATE))
]
MergesRecords = Annotated[
    Caller, Depends(allowed_in_path(Operation.EDIT, Operation.DELETE))
]
ChangesAttachments = Annotated[Caller, Depends(_changing_attachments)]

ReadsDocuments = Annotated[Caller, Depends(allowed_with_documents(Operation.READ))]
CreatesDocuments = Annotated[Caller, Depends(allowed_with_documents(Operation.CREATE))]
EditsDocuments = Annotated[Caller, Depends(allowed_with_documents(Operation.EDIT))]
ChangesTemplates = Annotated[Caller, Depends(_changing_templates)]
ExportsDocuments = Annotated[Caller, Depends(_exporting_documents)]
DeletesDocuments = Annotated[Caller, Depends(allowed_with_documents(Operation.DELETE))]

CreatesUsers = Annotated[Caller, Depends(_creating_users)]
EditsUsers = Annotated[Caller, Depends(allowed_on(USER, Operation.EDIT))]
EditsUser = Annotated[Caller, Depends(own_or_allowed(Operation.EDIT))]
EditsSelf = Annotated[Caller, Depends(_editing_self)]
CreatesToken = Annotated[Caller, Depends(own_or_allowed(Operation.CREATE))]
CreatesGroups = Annotated[Caller, Depends(allowed_on(GROUP, Operation.CREATE))]
EditsGroups = Annotated[Caller, Depends(allowed_on(GROUP, Operation.EDIT))]

ChangesComponents = Annotated[Caller, Depends(_changing_components)]
ReadsApiUsage = Annotated[Caller, Depends(holding(Grant.READ_AUDIT))]
ChangesLifecycles = Annotated[Caller, Depends(_changing_lifecycles)]
ExecutesMdl = Annotated[Caller, Depends(holding(Grant.EXECUTE_MDL))]
ManagesPackages = Annotated[Caller, Depends(holding(Grant.MANAGE_PACKAGES))]
UsesLoader = Annotated[Caller, Depends(holding(Grant.USE_LOADER))]
UsesStaging = Annotated[Caller, Depends(holding(Grant.USE_STAGING))]
ReportsDeliveries = Annotated[Caller, Depends(holding(Grant.REPORT_DELIVERIES))]
RequestsRuns = Annotated[Caller, Depends(holding(Grant.REQUEST_RUNS))]
ReportsRuns = Annotated[Caller, Depends(holding(Grant.COPY_RECORDS))]
SignsMessages = Annotated[Caller, Depends(holding(Grant.SIGN_MESSAGES))]
RehearsesFaults = Annotated[Caller, Depends(holding(Grant.REHEARSE_FAULTS))]
MakesDirectData = Annotated[Caller, Depends(holding(Grant.READ_DIRECT_DATA))]
UploadsLookups = Annotated[Caller, Depends(allowed_on(LOOKUP, Operation.CREATE))]
RetriesExceptions = Annotated[Caller, Depends(_retrying_exceptions)]
EstablishesConnections = Annotated[
    Caller,
    Depends(allowed_on(CONNECTION, Operation.EDIT, Grant.MANAGE_CONNECTIONS)),
]
DuplicatesConnections = Annotated[
    Caller,
    Depends(
        allowed_on(
            CONNECTION,
            Operation.CREATE,
            Grant.MANAGE_CONNECTIONS,
            Grant.MANAGE_INTEGRATIONS,
            Grant.MANAGE_QUEUES,
        )
    ),
]
