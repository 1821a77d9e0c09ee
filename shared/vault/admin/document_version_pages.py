"""Serves the actions on a document's page: new versions, state changes, locks, roles, and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.document_pages import HOLDER, most_bytes
from shared.vault.admin.inputs import entered
from shared.vault.admin.named_records import with_ids
from shared.vault.admin.page_context import CurrentPage, PageContext, page_context
from shared.vault.api.documents import DocumentId, Major, Minor
from shared.vault.api.file_body import file_response, store_form_file
from shared.vault.attachments.attachment_service import FileOwner
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import Number
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.queries.document_target import SOURCE_FILE
from shared.vault.records.record_roles import Holder, RoleChange

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.assembly.vault import Vault

router = APIRouter(prefix="/documents/{document_id}")

VERSION = "/versions/{major}/{minor}"
AttachmentId = Annotated[int, Path(ge=1, lt=2**63)]


def _may_edit(caller: Caller) -> None:
    require(caller, DOCUMENTS, Operation.EDIT)


def _most_attached(vault: Vault) -> int:
    return vault.document_attachments.max_file


Editing = Annotated[PageContext, Depends(page_context(admit=_may_edit))]
WithFile = Annotated[PageContext, Depends(page_context(most_bytes, _may_edit))]
Attaching = Annotated[PageContext, Depends(page_context(_most_attached, _may_edit))]


@router.post("/versions")
async def new_version(context: WithFile, document_id: DocumentId) -> Response:
    """Make a draft after the latest version, with the file of the form, or with that of the latest version."""
    form = (
        context.form
        if context.form.file is not None and context.form.file.filename
        else None
    )

    async def carry_out() -> str:
        file = (
            await store_form_file(context.vault, context.caller, form) if form else None
        )
        documents = context.vault.documents
        number = await documents.new_version(context.caller, document_id, file)
        return f"/ui/documents/{document_id}/versions/{number.major}/{number.minor}"

    path = await context.once(carry_out)
    return context.go(str(path), "A new version was made.")


@router.get(f"{VERSION}/file")
async def file(
    context: CurrentPage, document_id: DocumentId, major: Major, minor: Minor
) -> Response:
    """Download the file of a version."""
    return await _download(
        context, Place(document_id, Number(major, minor)), SOURCE_FILE
    )


@router.get(f"{VERSION}/renditions/{{rendition}}")
async def rendition(
    context: CurrentPage,
    document_id: DocumentId,
    major: Major,
    minor: Minor,
    rendition: str,
) -> Response:
    """Download a rendition of a version."""
    return await _download(context, Place(document_id, Number(major, minor)), rendition)


async def _download(context: PageContext, place: Place, kind: str) -> Response:
    """Return a file of a version."""
    files = context.vault.document_files
    found = await files.file(context.caller, place, kind)
    content = files.bytes_of(found)
    return file_response(
        content, found.filename, found.content.size, media=found.format
    )


@router.post(f"{VERSION}/actions/{{action_name}}")
async def run_action(
    context: Editing,
    document_id: DocumentId,
    major: Major,
    minor: Minor,
    action_name: str,
) -> Response:
    """Run a user action on a version; a draft that enters a steady state becomes the next major version."""
    place = Place(document_id, Number(major, minor))
    documents = context.vault.documents
    await documents.run_action(context.caller, place, action_name)
    return context.go(_path(document_id), "The action was run.")


@router.post("/lock")
async def lock(context: Editing, document_id: DocumentId) -> Response:
    """Check a document out."""
    await context.vault.document_locks.lock(context.caller, document_id)
    return context.go(_path(document_id), "The document is checked out by you.")


@router.post("/unlock")
async def unlock(context: Editing, document_id: DocumentId) -> Response:
    """Undo a check-out."""
    await context.vault.document_locks.unlock(context.caller, document_id)
    return context.go(_path(document_id), "The document is no longer checked out.")


@router.post("/roles")
async def change_role(context: Editing, document_id: DocumentId) -> Response:
    """Assign a role to a user or a group, or remove it from one."""
    form, path = context.form.fields, _path(document_id)
    roles = context.vault.document_roles
    if removed := form.get("remove", ""):
        # {role}.{users or groups}:{id}, as the page's button has it.
        column, _, holder = removed.partition(":")
        gone = {"id": document_id, column: holder}
        (result,) = await roles.change(context.caller, [gone], RoleChange.REMOVE)
        return context.go_with(path, result, "The role was removed.")
    sent = entered((HOLDER,), form, context.registry)
    named, unknown = await with_ids(context, (HOLDER,), sent)
    if unknown:
        return context.go(path, unknown[0].message, NoteKind.REFUSED)
    chosen = {Holder.USERS: named.get(HOLDER.name), Holder.GROUPS: form.get("group")}
    role = form.get("role", "")
    row = {f"{role}.{kind}": each for kind, each in chosen.items() if each}
    added = {"id": document_id, **row}
    (result,) = await roles.change(context.caller, [added], RoleChange.ADD)
    return context.go_with(path, result, "The role was assigned.")


@router.post("/attachments")
async def attach(context: Attaching, document_id: DocumentId) -> Response:
    """Attach a file to a document."""
    if context.form.file is None or not context.form.file.filename:
        raise VaultFault(ErrorType.PARAMETER_REQUIRED, "Choose a file to attach")
    owner = FileOwner(context.caller, DOCUMENTS, str(document_id))
    name = context.form.sent_name()
    await context.vault.document_attachments.add(
        owner, name, context.form.content(), None
    )
    return context.go(_path(document_id), f"{name} was attached.")


@router.get("/attachments/{attachment_id}")
async def attachment(
    context: CurrentPage, document_id: DocumentId, attachment_id: AttachmentId
) -> Response:
    """Download an attachment of a document."""
    owner = FileOwner(context.caller, DOCUMENTS, str(document_id))
    attachments = context.vault.document_attachments
    found = await attachments.one(owner, attachment_id)
    content = attachments.bytes_of(found.latest)
    return file_response(content, found.filename, found.latest.content.size)


def _path(document_id: int) -> str:
    return f"/ui/documents/{document_id}"
