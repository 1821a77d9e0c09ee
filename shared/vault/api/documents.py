"""Documents: created, read, changed, given versions and states, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX, base_path, origin, version_of
from shared.vault.api.body import RECORD_DOCUMENTATION, read_fields
from shared.vault.api.document_upload import FILE_FORM, sent_document
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.documents.document_reading import Wanted
from shared.vault.documents.document_states import offered
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import Number
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.model.component_model import Lifecycle, LifecycleState, UserAction
    from shared.vault.records.rows import RowResult

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

MAX_ID = 2**31 - 1
OWN = "My Documents"
SCOPES = {None: "PROPERTIES", "contents": "CONTENT", "all": "ALL"}
LATEST_CONTENT = "latestContent"
UPLOADED_CONTENT = "uploadedContent"

DocumentId = Annotated[int, Path(ge=1, le=MAX_ID)]
Major = Annotated[int, Path(ge=0, le=MAX_ID)]
Minor = Annotated[int, Path(ge=0, le=MAX_ID)]


def one_version(document_id: DocumentId, major: Major, minor: Minor) -> Place:
    """The version that a path names."""
    return Place(document_id, Number(major, minor))


def latest_version(document_id: DocumentId) -> Place:
    """The latest version of the document that a path names."""
    return Place(document_id)


Version = Annotated[Place, Depends(one_version)]
Latest = Annotated[Place, Depends(latest_version)]
LATEST = "/{document_id}"
VERSION = f"{LATEST}/versions/{{major}}/{{minor}}"


@router.get("", summary="List documents")
async def listed(
    request: Request,
    caller: SignedIn,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    start: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    search: Annotated[
        str | None,
        Query(max_length=250, description="Words to find, as in VQL's FIND."),
    ] = None,
    scope: Annotated[
        str | None,
        Query(description="Of the search: `contents`, or `all`, fields too."),
    ] = None,
    named_filter: Annotated[str | None, Query(description="`My Documents`")] = None,
    versionscope: Annotated[
        str | None, Query(description="`all`, for every version.")
    ] = None,
) -> Response:
    """Documents with all their fields, in the order of their ids; `POST /query` does this and more."""
    if named_filter not in (None, OWN):
        raise VaultFault(ErrorType.INVALID_FILTER, f"There is no filter but [{OWN}]")
    if versionscope not in (None, "all", "latest"):
        raise VaultFault(
            ErrorType.INVALID_DATA, "Invalid value for parameter [versionscope]"
        )
    if scope not in SCOPES:
        raise VaultFault(ErrorType.INVALID_DATA, "Invalid value for parameter [scope]")
    wanted = Wanted(
        search or None,
        SCOPES[scope],
        versionscope == "all",
        named_filter == OWN,
        start,
        limit,
    )
    page = await vault_of(request).document_reader.page(
        caller, version_of(request), wanted
    )
    documents = [{"document": row} for row in page.rows]
    return envelope.success(
        size=page.total, start=start, limit=limit, documents=documents
    )


@router.post("", summary="Create a document", openapi_extra=FILE_FORM)
async def create(request: Request, caller: SignedIn) -> Response:
    """Fields as a form; its `file`, if there is one, as `multipart/form-data`. A document begins as version 0.1."""
    async with sent_document(request) as (fields, file):
        result = await vault_of(request).documents.create(caller, fields, file)
    return _outcome(result, "successfully created document")


@router.get(LATEST, summary="A document")
async def document(request: Request, caller: SignedIn, place: Latest) -> Response:
    """The latest version with all its fields, and where its renditions and all versions are."""
    vault = vault_of(request)
    row = await vault.document_reader.one(caller, version_of(request), place)
    numbers = await vault.document_reader.numbers(
        caller, version_of(request), place.document_id
    )
    renditions = await vault.document_files.renditions(caller, place)
    own = _url(request, place)
    return envelope.success(
        document=row,
        renditions={name: f"{own}/renditions/{name}" for name in renditions},
        versions=[_version_json(own, number) for number in numbers],
        attachments=[],
    )


@router.post(LATEST, summary="Create a version", openapi_extra=FILE_FORM)
async def new_version(request: Request, caller: SignedIn, place: Latest) -> Response:
    """A draft after the latest version: with the `file` of the form, or with that of the latest version.

    `createDraft` may say which (`uploadedContent`, `latestContent`), in the form or in the query.
    """
    async with sent_document(request) as (fields, file):
        wanted = fields.get("createDraft") or request.query_params.get("createDraft")
        if wanted not in (None, LATEST_CONTENT, UPLOADED_CONTENT):
            raise VaultFault(
                ErrorType.INVALID_DATA, "Invalid value for parameter [createDraft]"
            )
        if file is None and wanted != LATEST_CONTENT:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [file]"
            )
        kept = None if wanted == LATEST_CONTENT else file
        number = await vault_of(request).documents.new_version(
            caller, place.document_id, kept
        )
    return envelope.success(
        responseMessage="New draft successfully created", **number.fields
    )


@router.put(LATEST, summary="Update a document", openapi_extra=RECORD_DOCUMENTATION)
async def update(request: Request, caller: SignedIn, place: Latest) -> Response:
    """Fields of the latest version, as a form or a JSON object."""
    return _outcome(
        await vault_of(request).documents.update(
            caller, place, await read_fields(request)
        )
    )


@router.delete(LATEST, summary="Delete a document")
async def delete(request: Request, caller: SignedIn, place: Latest) -> Response:
    """All versions of it, with their files."""
    await vault_of(request).documents.delete(caller, place)
    return envelope.success(id=place.document_id)


@router.get(f"{LATEST}/versions", summary="Versions of a document")
async def versions(request: Request, caller: SignedIn, place: Latest) -> Response:
    """Their numbers and addresses, the earliest first."""
    numbers = await vault_of(request).document_reader.numbers(
        caller, version_of(request), place.document_id
    )
    own = _url(request, place)
    return envelope.success(versions=[_version_json(own, number) for number in numbers])


@router.get(VERSION, summary="A version of a document")
async def version(request: Request, caller: SignedIn, place: Version) -> Response:
    """The version with all its fields, and where its renditions are."""
    vault = vault_of(request)
    row = await vault.document_reader.one(caller, version_of(request), place)
    renditions = await vault.document_files.renditions(caller, place)
    own = _url(request, place)
    return envelope.success(
        document=row,
        renditions={name: f"{own}/renditions/{name}" for name in renditions},
    )


@router.put(VERSION, summary="Update a version", openapi_extra=RECORD_DOCUMENTATION)
async def update_version(
    request: Request, caller: SignedIn, place: Version
) -> Response:
    """Fields of one version, as a form or a JSON object."""
    return _outcome(
        await vault_of(request).documents.update(
            caller, place, await read_fields(request)
        )
    )


@router.delete(VERSION, summary="Delete a version")
async def delete_version(
    request: Request, caller: SignedIn, place: Version
) -> Response:
    """One of several versions, with its files."""
    await vault_of(request).documents.delete(caller, place)
    return envelope.success(id=place.document_id)


@router.get(f"{VERSION}/lifecycle_actions", summary="Lifecycle actions of a version")
async def lifecycle_actions(
    request: Request, caller: SignedIn, place: Version
) -> Response:
    """The user actions that the version offers in its state."""
    lifecycle, state = await vault_of(request).documents.state(caller, place)
    own = f"{_url(request, place)}/lifecycle_actions"
    return envelope.success(
        lifecycle_actions__v=[
            _action_json(own, lifecycle, state, action) for action in state.user_actions
        ]
    )


@router.get(
    f"{VERSION}/lifecycle_actions/{{action_name}}/entry_requirements",
    summary="What an action asks for",
)
async def entry_requirements(
    request: Request, caller: SignedIn, place: Version, action_name: str
) -> Response:
    """No action of a document asks for fields here."""
    _, state = await vault_of(request).documents.state(caller, place)
    offered(state, action_name)
    return envelope.success(properties=[])


@router.put(
    f"{VERSION}/lifecycle_actions/{{action_name}}",
    summary="Run a lifecycle action",
    openapi_extra=RECORD_DOCUMENTATION,
)
async def run_action(
    request: Request, caller: SignedIn, place: Version, action_name: str
) -> Response:
    """Runs a user action; a draft that becomes steady is the next major version, and supersedes the one before."""
    await read_fields(request)
    await vault_of(request).documents.run_action(caller, place, action_name)
    return envelope.success(id=place.document_id)


def _outcome(result: RowResult, message: str | None = None) -> Response:
    if not result.ok:
        return envelope.failures(result.errors)
    said: dict[str, object] = {} if message is None else {"responseMessage": message}
    return envelope.success(**said, id=int(result.id or 0))


def _url(request: Request, place: Place) -> str:
    whole = (
        f"{origin(request)}{base_path(request)}/objects/documents/{place.document_id}"
    )
    return (
        whole
        if place.number is None
        else f"{whole}/versions/{place.number.major}/{place.number.minor}"
    )


def _version_json(document_url: str, number: tuple[int, int]) -> dict[str, str]:
    major, minor = number
    return {
        "number": f"{major}.{minor}",
        "value": f"{document_url}/versions/{major}/{minor}",
    }


def _action_json(
    url: str, lifecycle: Lifecycle, state: LifecycleState, action: UserAction
) -> Mapping[str, Any]:
    return {
        "name__v": action.name,
        "label__v": action.label,
        "lifecycle_action_type__v": "stateChange",
        "lifecycle__v": lifecycle.name,
        "state__v": state.name,
        "executable__v": True,
        "entry_requirements__v": f"{url}/{action.name}/entry_requirements",
    }
