"""Serves documents: creates, lists, reads, changes and deletes them and their versions, and runs their actions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import CreatesDocuments, EditsDocuments
from shared.vault.api.body import missing, read_fields
from shared.vault.api.document_addresses import rendition_urls, url_of, version_json
from shared.vault.api.file_body import open_document_form
from shared.vault.api.header_flags import migration_of
from shared.vault.api.openapi.request_bodies import DOCUMENT_FORM, RECORD_DOCUMENTATION
from shared.vault.api.paging import PageSize
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of, version_of
from shared.vault.attachments.attachment_service import FileOwner
from shared.vault.documents.document_reading import DocumentList
from shared.vault.documents.document_states import offered
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import Number
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS

if TYPE_CHECKING:
    from shared.vault.model.component_model import Lifecycle, LifecycleState, UserAction
    from shared.vault.records.rows import RowResult

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

# PostgreSQL's integer: larger numbers can be no id.
MAX_ID = 2**31 - 1
OWN = "My Documents"
# What VQL's FIND calls the scopes of a search.
SCOPES = {None: "PROPERTIES", "contents": "CONTENT", "all": "ALL"}


class DraftContent(StrEnum):
    """Values of `createDraft`: the source of the file of a new version."""

    LATEST = "latestContent"
    UPLOADED = "uploadedContent"


class VersionScope(StrEnum):
    """Values of `versionscope`: which versions are listed."""

    LATEST = "latest"
    ALL = "all"


DocumentId = Annotated[int, Path(ge=1, le=MAX_ID)]
Major = Annotated[int, Path(ge=0, le=MAX_ID)]
Minor = Annotated[int, Path(ge=0, le=MAX_ID)]


# Dependencies, so that calls on the latest version and on one by its number share what follows.
def one_version(document_id: DocumentId, major: Major, minor: Minor) -> Place:
    """Return the version that a path names."""
    return Place(document_id, Number(major, minor))


def latest_version(document_id: DocumentId) -> Place:
    """Return the latest version of the document that a path names."""
    return Place(document_id)


async def read_version(
    request: Request,
    caller: SignedIn,
    document_id: DocumentId,
    steady_state: Annotated[
        bool,
        Query(
            alias="steadyState",
            description="`true`: of the latest version in a steady state.",
        ),
    ] = False,
) -> Place:
    """Return the version that a call reads: the latest one, or with ``steadyState`` the latest steady one.

    Every call that reads the latest version must accept the parameter: a call that ignored it would return a draft to
    clients that request approved content. See Vault API reference, Download Document Rendition File.
    """
    if not steady_state:
        return Place(document_id)
    reader = vault_of(request).document_reader
    return await reader.latest_steady(caller, version_of(request), document_id)


Version = Annotated[Place, Depends(one_version)]
Read = Annotated[Place, Depends(read_version)]
Latest = Annotated[Place, Depends(latest_version)]
LATEST = "/{document_id}"
VERSION = f"{LATEST}/versions/{{major}}/{{minor}}"


@router.get("", summary="List documents")
async def listed(
    request: Request,
    caller: SignedIn,
    limit: PageSize = 200,
    start: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    search: Annotated[
        str | None,
        Query(max_length=250, description="Words to search for, as in VQL's FIND."),
    ] = None,
    scope: Annotated[
        str | None,
        Query(description="Where to search: `contents`, or `all` for fields as well."),
    ] = None,
    named_filter: Annotated[str | None, Query(description="`My Documents`")] = None,
    versionscope: Annotated[
        str | None, Query(description="`all` lists every version.")
    ] = None,
) -> Response:
    """Lists documents with all their fields, in the order of their ids; `POST /query` can do this and more."""
    if named_filter not in (None, OWN):
        raise VaultFault(ErrorType.INVALID_FILTER, f"There is no filter but [{OWN}]")
    if versionscope is not None and versionscope not in set(VersionScope):
        raise _invalid("versionscope")
    if scope not in SCOPES:
        raise _invalid("scope")
    # An empty search phrase means no search, as in a form whose field was left empty.
    wanted = DocumentList(
        search or None,
        SCOPES[scope],
        versionscope == VersionScope.ALL,
        named_filter == OWN,
        start,
        limit,
    )
    page = await vault_of(request).document_reader.page(
        caller, version_of(request), wanted
    )
    # Each in an object of its own, as the documented list has it.
    documents = [{"document": row} for row in page.rows]
    return envelope.success(
        size=page.total, start=start, limit=limit, documents=documents
    )


@router.post("", summary="Create a document", openapi_extra=DOCUMENT_FORM)
async def create(request: Request, caller: CreatesDocuments) -> Response:
    """Creates a document, as version 0.1, from the fields of a form and, optionally, its `file`.

    With `fromTemplate`, the name of a document template, it gets the template's file and, unless the form has a type,
    its type. In migration mode, `status__v` and `document_number__v` choose its state and number.
    """
    vault = vault_of(request)
    async with open_document_form(request, caller) as (fields, file):
        begun = await vault.document_templates.applied(caller, fields, file)
        result = await vault.documents.create(
            caller, *begun, migration=migration_of(request)
        )
    return _outcome(result, "successfully created document")


@router.get(LATEST, summary="A document")
async def document(
    request: Request,
    caller: SignedIn,
    place: Read,
) -> Response:
    """Returns the latest version with all its fields, and the addresses of its renditions and of all versions."""
    vault = vault_of(request)
    row = await vault.document_reader.one(caller, version_of(request), place)
    numbers = await vault.document_reader.numbers(
        caller, version_of(request), place.document_id
    )
    renditions = await vault.document_files.renditions(caller, place)
    own_url = url_of(request, place)
    whole = url_of(request, Place(place.document_id))
    return envelope.success(
        document=row,
        renditions=rendition_urls(own_url, renditions),
        versions=[version_json(whole, number) for number in numbers],
        attachments=await _attachments(request, caller, place),
    )


@router.post(LATEST, summary="Create a version", openapi_extra=DOCUMENT_FORM)
async def new_version(
    request: Request,
    caller: EditsDocuments,
    place: Latest,
) -> Response:
    """Creates a draft after the latest version, with the `file` of the form or with the file of the latest version.

    `createDraft`, in the form or in the query, selects the file: `uploadedContent` or `latestContent`.
    """
    async with open_document_form(request, caller) as (fields, file):
        chosen = fields.get("createDraft") or request.query_params.get("createDraft")
        if chosen is not None and chosen not in set(DraftContent):
            raise _invalid("createDraft")
        if file is None and chosen != DraftContent.LATEST:
            raise missing("file")
        source = None if chosen == DraftContent.LATEST else file
        # Without a file, the new version shares the stored content of the latest one.
        number = await vault_of(request).documents.new_version(
            caller, place.document_id, source
        )
    return envelope.success(
        responseMessage="New draft successfully created", **number.fields
    )


@router.put(LATEST, summary="Update a document", openapi_extra=RECORD_DOCUMENTATION)
async def update(
    request: Request,
    caller: EditsDocuments,
    place: Latest,
) -> Response:
    """Changes fields of the latest version, from a form or a JSON object; with `reclassify=true` also its type."""
    fields = await read_fields(request)
    if fields.pop("reclassify", "") == "true":
        again = vault_of(request).reclassification
        result = await again.carry_out(caller, place.document_id, fields)
    else:
        result = await vault_of(request).documents.update(caller, place, fields)
    return _outcome(result)


@router.delete(LATEST, summary="Delete a document")
async def delete(
    request: Request,
    caller: SignedIn,
    place: Latest,
) -> Response:
    """Deletes a document with all its versions and their files."""
    await vault_of(request).documents.delete(caller, place)
    return envelope.success(id=place.document_id)


@router.get(f"{LATEST}/versions", summary="Versions of a document")
async def versions(
    request: Request,
    caller: SignedIn,
    place: Latest,
) -> Response:
    """Lists the numbers and addresses of the versions, the earliest first."""
    numbers = await vault_of(request).document_reader.numbers(
        caller, version_of(request), place.document_id
    )
    own_url = url_of(request, place)
    listed = [version_json(own_url, number) for number in numbers]
    renditions = await vault_of(request).document_files.renditions(caller, place)
    return envelope.success(
        versions=listed, renditions=rendition_urls(own_url, renditions)
    )


@router.get(VERSION, summary="A version of a document")
async def version(
    request: Request,
    caller: SignedIn,
    place: Version,
) -> Response:
    """Returns one version with all its fields, its address, and those of its renditions and attachments."""
    vault = vault_of(request)
    row = await vault.document_reader.one(caller, version_of(request), place)
    renditions = await vault.document_files.renditions(caller, place)
    own_url = url_of(request, place)
    return envelope.success(
        document=row,
        renditions=rendition_urls(own_url, renditions),
        versions=[{"number": str(place.number), "value": own_url}],
        attachments=await _attachments(request, caller, place),
    )


@router.put(VERSION, summary="Update a version", openapi_extra=RECORD_DOCUMENTATION)
async def update_version(
    request: Request,
    caller: EditsDocuments,
    place: Version,
) -> Response:
    """Changes fields of one version, from a form or a JSON object."""
    fields = await read_fields(request)
    result = await vault_of(request).documents.update(caller, place, fields)
    return _outcome(result)


@router.delete(VERSION, summary="Delete a version")
async def delete_version(
    request: Request,
    caller: SignedIn,
    place: Version,
) -> Response:
    """Deletes one version with its files; the only version of a document cannot be deleted this way."""
    await vault_of(request).documents.delete(caller, place)
    return envelope.success(id=place.document_id)


@router.get(f"{VERSION}/lifecycle_actions", summary="Lifecycle actions of a version")
async def lifecycle_actions(
    request: Request,
    caller: SignedIn,
    place: Version,
) -> Response:
    """Lists the user actions that the version offers in its state."""
    lifecycle, state = await vault_of(request).documents.state(caller, place)
    own = f"{url_of(request, place)}/lifecycle_actions"
    actions = [
        action_json(own, lifecycle, state, action) for action in state.user_actions
    ]
    return envelope.success(lifecycle_actions__v=actions)


@router.get(
    f"{VERSION}/lifecycle_actions/{{action_name}}/entry_requirements",
    summary="Input fields of a lifecycle action",
)
async def entry_requirements(
    request: Request,
    caller: SignedIn,
    place: Version,
    action_name: str,
) -> Response:
    """Lists the input fields of an action; in this Vault, actions of documents have none."""
    _, state = await vault_of(request).documents.state(caller, place)
    # Refuses an action that the state does not offer.
    offered(state, action_name)
    return envelope.success(properties=[])


@router.put(
    f"{VERSION}/lifecycle_actions/{{action_name}}",
    summary="Run a lifecycle action",
    openapi_extra=RECORD_DOCUMENTATION,
)
async def run_action(
    request: Request,
    caller: EditsDocuments,
    place: Version,
    action_name: str,
) -> Response:
    """Runs a user action.

    A draft that enters a steady state becomes the next major version, and supersedes the last.
    """
    # No action takes fields: the body is read only so that a malformed one is refused.
    await read_fields(request)
    await vault_of(request).documents.run_action(caller, place, action_name)
    return envelope.success(id=place.document_id)


async def _attachments(
    request: Request, caller: SignedIn, place: Place
) -> list[dict[str, object]]:
    """Return ids and addresses of the attachments of a document, which are those of each of its versions."""
    owner = FileOwner(caller, DOCUMENTS, str(place.document_id))
    files = await vault_of(request).document_attachments.all(owner)
    whole = url_of(request, Place(place.document_id))
    return [{"id": file.id, "url": f"{whole}/attachments/{file.id}"} for file in files]


def _outcome(result: RowResult, message: str | None = None) -> Response:
    """Return the result of a call about one document: its id, and a message if there is one."""
    if not result.ok:
        return envelope.failures(result.errors)
    members: dict[str, object] = {}
    if message is not None:
        members["responseMessage"] = message
    # Documents have numbers for ids, results of rows text.
    return envelope.success(**members, id=int(result.id or 0))


def _invalid(parameter: str) -> VaultFault:
    message = f"Invalid value for parameter [{parameter}]"
    return VaultFault(ErrorType.INVALID_DATA, message)


def action_json(
    url: str,
    lifecycle: Lifecycle,
    state: LifecycleState,
    action: UserAction,
) -> Mapping[str, Any]:
    """Return a user action; ``url`` is the address of the version's actions."""
    return {
        "name__v": action.name,
        "label__v": action.label,
        "lifecycle_action_type__v": "stateChange",
        "lifecycle__v": lifecycle.name,
        "state__v": state.name,
        # Listed are the actions that the state offers, and these may be run.
        "executable__v": True,
        "entry_requirements__v": f"{url}/{action.name}/entry_requirements",
    }
