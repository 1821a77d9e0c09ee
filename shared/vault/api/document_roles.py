"""Serves the roles of users and groups on documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.body import Rows, read_fields, read_rows
from shared.vault.api.document_batch import document_results
from shared.vault.api.documents import DocumentId
from shared.vault.api.openapi.request_bodies import (
    RECORD_DOCUMENTATION,
    ROWS_DOCUMENTATION,
)
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.documents.document_batches import texts
from shared.vault.documents.document_role_service import DocumentRole
from shared.vault.errors import VaultFault
from shared.vault.records.record_roles import Holder, RoleChange

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

DOCUMENT = "/{document_id}/roles"
BATCH = "/roles/batch"
# What a form calls its documents, where rows have ``id``.
FORM_IDS = "docIds"
# The path of a removal names one user or group: ``{role}.user``.
SINGULAR = {"user": Holder.USERS, "group": Holder.GROUPS}


@router.get(DOCUMENT, summary="Roles on a document")
async def all_roles(
    request: Request, caller: SignedIn, document_id: DocumentId
) -> Response:
    """Lists the roles, each with the users and groups that have it, and those to whom it may be assigned."""
    roles = await vault_of(request).document_roles.all(caller, document_id)
    return envelope.success(documentRoles=[_json(role) for role in roles])


@router.get(f"{DOCUMENT}/{{role_name}}", summary="One role on a document")
async def one_role(
    request: Request,
    caller: SignedIn,
    document_id: DocumentId,
    role_name: str,
) -> Response:
    """Returns one role with the users and groups that have it."""
    role = await vault_of(request).document_roles.one(caller, document_id, role_name)
    return envelope.success(documentRoles=[_json(role)])


@router.post(
    DOCUMENT, summary="Assign roles on a document", openapi_extra=RECORD_DOCUMENTATION
)
async def assign(
    request: Request, caller: EditsDocuments, document_id: DocumentId
) -> Response:
    """Assigns roles by the fields `{role}.users` and `{role}.groups`; present holders keep their roles."""
    fields = await read_fields(request)
    return await _one(request, caller, document_id, fields, RoleChange.ADD)


@router.delete(
    f"{DOCUMENT}/{{role_name_and_user_or_group}}/{{holder_id}}",
    summary="Remove a role on a document",
)
async def remove(
    request: Request,
    caller: EditsDocuments,
    document_id: DocumentId,
    role_name_and_user_or_group: str,
    holder_id: str,
) -> Response:
    """Removes one user, `{role}.user`, or one group, `{role}.group`, from a role."""
    role, _, end = role_name_and_user_or_group.rpartition(".")
    if end not in SINGULAR:
        message = "A role is named with its holder: {role}.user or {role}.group"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    fields = {f"{role}.{SINGULAR[end]}": holder_id}
    return await _one(request, caller, document_id, fields, RoleChange.REMOVE)


@router.post(
    BATCH, summary="Assign roles on documents", openapi_extra=ROWS_DOCUMENTATION
)
async def assign_many(request: Request, caller: EditsDocuments) -> Response:
    """Assigns roles: rows have `id`, `{role}.users` and `{role}.groups`; a form has `docIds` instead of `id`."""
    return await _many(request, caller, RoleChange.ADD)


@router.delete(
    BATCH, summary="Remove roles on documents", openapi_extra=ROWS_DOCUMENTATION
)
async def remove_many(request: Request, caller: EditsDocuments) -> Response:
    """Removes roles: rows have `id`, `{role}.users` and `{role}.groups`; a form has `docIds` instead of `id`."""
    return await _many(request, caller, RoleChange.REMOVE)


async def _one(
    request: Request,
    caller: Caller,
    document_id: int,
    fields: Mapping[str, str],
    change: RoleChange,
) -> Response:
    """Change the roles of one document, and return the roles in the call."""
    row = {**fields, "id": document_id}
    (result,) = await vault_of(request).document_roles.change(caller, [row], change)
    if not result.ok:
        return envelope.failures(result.errors)
    updated: dict[str, dict[str, list[int]]] = {}
    for name, ids in _holders(fields).items():
        role, _, holder = name.rpartition(".")
        updated.setdefault(role, {})[holder] = ids
    added = change is RoleChange.ADD
    message = "Document roles updated" if added else "Role removed from the document"
    return envelope.success(responseMessage=message, updatedRoles=updated)


async def _many(request: Request, caller: Caller, change: RoleChange) -> Response:
    """Change the roles of the documents that a call names."""
    rows = _of_documents(await read_rows(request))
    results = await vault_of(request).document_roles.change(caller, rows, change)
    holders = [
        _holders(texts(row)) if result.ok else {}
        for row, result in zip(rows, results, strict=True)
    ]
    return document_results(request, results, holders)


def _holders(fields: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the ids of the users and groups in the fields of an accepted call, ``{role}.users`` and such."""
    return {
        name: [int(each) for each in text.split(",") if each.strip()]
        for name, text in fields.items()
        if "." in name
    }


def _of_documents(sent: Rows) -> Sequence[Mapping[str, object]]:
    """Return the rows of a call; of a form that names several documents, a row for each."""
    if not sent.single or not sent.rows or FORM_IDS not in sent.rows[0]:
        return sent.rows
    fields = dict(sent.rows[0])
    ids = str(fields.pop(FORM_IDS)).split(",")
    return [{**fields, "id": each.strip()} for each in ids]


def _json(role: DocumentRole) -> dict[str, object]:
    """Return a role in the format of the call."""
    return {
        "name": role.name,
        "label": role.label,
        "assignedUsers": role.assigned[Holder.USERS],
        "assignedGroups": role.assigned[Holder.GROUPS],
        "availableUsers": role.available[Holder.USERS],
        "availableGroups": role.available[Holder.GROUPS],
        # Roles begin with nobody: documents have no sharing rules here.
        "defaultUsers": [],
        "defaultGroups": [],
    }
