"""Serves lifecycle actions of several documents in one call."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments, ReadsDocuments
from shared.vault.api.body import read_fields, required
from shared.vault.api.document_addresses import url_of
from shared.vault.api.documents import MAX_ID, action_json
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, vault_of
from shared.vault.documents.document_states import offered
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import Number
from shared.vault.errors import ApiError, VaultFault
from shared.vault.records.rows import MAX_ROWS

router = APIRouter(
    prefix=f"{PREFIX}/objects/documents/lifecycle_actions", tags=["Documents"]
)

IDS = "docIds"
NAMED = {IDS: "Versions as `id:major:minor`, separated by commas; up to 500"}
NAMED_FORM = form_documentation(NAMED)
ACTION_FORM = form_documentation(
    {
        **NAMED,
        "lifecycle": "The lifecycle of all these versions",
        "state": "The state that all of them are in",
    }
)
PARTS = 3  # of a version: document, major and minor number


@router.post("", summary="Lifecycle actions of versions", openapi_extra=NAMED_FORM)
async def actions(request: Request, caller: ReadsDocuments) -> Response:
    """Lists the user actions that the versions in `docIds` offer, each action of a lifecycle state once."""
    places = _places(await read_fields(request))
    documents = vault_of(request).documents
    found: dict[tuple[str, str, str], Mapping[str, object]] = {}
    for place in places:
        lifecycle, state = await documents.state(caller, place)
        own = f"{url_of(request, place)}/lifecycle_actions"
        for action in state.user_actions:
            key = (lifecycle.name, state.name, action.name)
            found.setdefault(key, action_json(own, lifecycle, state, action))
    return envelope.success(lifecycle_actions__v=list(found.values()))


@router.put(
    "/{action_name}",
    summary="Run a lifecycle action on versions",
    openapi_extra=ACTION_FORM,
)
async def run_action(
    request: Request, caller: EditsDocuments, action_name: str
) -> Response:
    """Runs a user action on the versions in `docIds`, which are all in the named `state` of the named `lifecycle`.

    Each version has a transaction of its own: a refused one, listed in `errors`, does not affect the others. If a
    version is not in that state, the action is run on none of them.
    """
    fields = await read_fields(request)
    lifecycle_name, state_name = required(fields, "lifecycle", "state")
    places = _places(fields)
    documents = vault_of(request).documents
    for place in places:
        lifecycle, state = await documents.state(caller, place)
        if (lifecycle.name, state.name) != (lifecycle_name, state_name):
            message = f"Document [{_name(place)}] is in another lifecycle or state"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        # Refuses an action that the state does not offer.
        offered(state, action_name)
    errors: list[ApiError] = []
    for place in places:
        try:
            await documents.run_action(caller, place, action_name)
        except VaultFault as fault:
            message = f"Document [{_name(place)}]: {fault.error.message}"
            errors.append(ApiError(fault.error.type, message))
    if errors:
        return envelope.failures(errors)
    return envelope.success()


def _places(fields: Mapping[str, str]) -> list[Place]:
    """Return the versions in a form, each once.

    :raises VaultFault: PARAMETER_REQUIRED when it has none; INVALID_DATA when a value is not a version, or they are too
        many.
    """
    (text,) = required(fields, IDS)
    named = dict.fromkeys(part.strip() for part in text.split(","))
    if len(named) > MAX_ROWS:
        message = f"A call takes at most {MAX_ROWS} documents"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return [_place(part) for part in named]


def _place(text: str) -> Place:
    """Return the version that ``id:major:minor`` names.

    :raises VaultFault: INVALID_DATA when the text has another format.
    """
    parts = [whole_number(part, MAX_ID) for part in text.split(":")]
    numbers = [part for part in parts if part is not None]
    if len(parts) != PARTS or len(numbers) != PARTS:
        message = f"[{IDS}] names versions as id:major:minor, separated by commas"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    document_id, major, minor = numbers
    return Place(document_id, Number(major, minor))


def _name(place: Place) -> str:
    """Return a version as ``id:major:minor``."""
    number = place.number
    if number is None:
        return str(place.document_id)
    return f"{place.document_id}:{number.major}:{number.minor}"
