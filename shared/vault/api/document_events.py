"""Serves document events, which record uses of versions outside the Vault, and the metadata of such events."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.body import read_fields
from shared.vault.api.documents import DocumentId, Version
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
    version_of,
)
from shared.vault.documents.document_events import (
    APPROVED_EMAIL,
    CLASSIFICATIONS,
    DISTRIBUTION,
    DISTRIBUTION_LABEL,
    SUBTYPES,
    DocumentEvent,
    require_type,
)
from shared.vault.documents.document_store import Place

router = APIRouter(prefix=PREFIX, tags=["Documents"])

METADATA = "/metadata/objects/documents/events"
SUBTYPE = f"{METADATA}/{{event_type}}/types/{{event_subtype}}"
OF_DOCUMENT = "/objects/documents/{document_id}/events"
OF_VERSION = "/objects/documents/{document_id}/versions/{major}/{minor}/events"
FORM = form_documentation(
    {
        "event_type__v": "`distribution__v`",
        "event_subtype__v": "The channel, as in `approved_email__v`",
        "classification__v": "`distribute__v`, `view__v` or `download__v`",
        "external_id__v": "The id of the event in the sender's system",
        "user_email__v": "The e-mail address of the recipient",
    }
)
VALUES = [{"name": name, "label": label} for name, label in CLASSIFICATIONS.items()]
# Name, label, type, and what else is said of a property; which are required depends on the subtype.
PROPERTIES: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("event_date__v", "Event Date", "DateTime", {"systemAttribute": True}),
    ("document_id__v", "Document ID", "ObjectReference", {"objectType": "Documents"}),
    ("major_version_number__v", "Document Major Version Number", "Number", {}),
    ("minor_version_number__v", "Document Minor Version Number", "Number", {}),
    (
        "triggered_by__v",
        "User ID",
        "ObjectReference",
        {"objectType": "Users", "systemAttribute": True},
    ),
    ("event_type__v", "Event Type", "String", {"required": True}),
    ("event_subtype__v", "Event Subtype", "String", {"required": True}),
    (
        "classification__v",
        "Event Classification",
        "String",
        {"values": VALUES, "required": True},
    ),
    ("external_id__v", "External ID", "String", {}),
    ("user_email__v", "User Email", "String", {}),
    ("document_number__v", "Document Number", "String", {"systemAttribute": True}),
    ("document_name__v", "Document Name", "String", {"systemAttribute": True}),
)
OF_EMAILS = frozenset({"external_id__v", "user_email__v"})


@router.get(METADATA, summary="Types of document events")
async def types(request: Request, caller: SignedIn) -> Response:
    """Lists the types of document events with their subtypes, and the addresses of the subtypes' metadata."""
    vault_of(request).documents.model(caller, Operation.READ)
    head = f"{origin(request)}{base_path(request)}{METADATA}/{DISTRIBUTION}/types"
    subtypes = [
        {"name": name, "label": label, "value": f"{head}/{name}"}
        for name, label in SUBTYPES.items()
    ]
    event = {"name": DISTRIBUTION, "label": DISTRIBUTION_LABEL, "subtypes": subtypes}
    return envelope.success(events=[event])


@router.get(SUBTYPE, summary="Fields of document events")
async def subtype(
    request: Request, caller: SignedIn, event_type: str, event_subtype: str
) -> Response:
    """Lists the fields of events of one subtype."""
    vault_of(request).documents.model(caller, Operation.READ)
    require_type(event_type, event_subtype)
    shown = [_property(event_subtype, *each) for each in PROPERTIES]
    label = SUBTYPES[event_subtype]
    return envelope.success(name=event_subtype, label=label, properties=shown)


@router.post(OF_VERSION, summary="Log a document event", openapi_extra=FORM)
async def create(request: Request, caller: EditsDocuments, place: Version) -> Response:
    """Logs that a version was distributed, viewed or downloaded outside the Vault."""
    fields = await read_fields(request)
    await vault_of(request).document_events.create(caller, place, fields)
    return envelope.success()


@router.get(OF_DOCUMENT, summary="Events of a document")
async def listed(
    request: Request, caller: SignedIn, document_id: DocumentId
) -> Response:
    """Lists the events of a document, the earliest first: at most the latest 1,000."""
    vault = vault_of(request)
    found = await vault.document_events.all(caller, document_id)
    if not found:
        return envelope.success(events=[])
    document = await vault.document_reader.one(
        caller, version_of(request), Place(document_id)
    )
    named = {name: document[name] for name in ("document_number__v", "name__v")}
    return envelope.success(events=[_json(document_id, named, each) for each in found])


def _property(
    subtype: str, name: str, label: str, kind: str, more: dict[str, object]
) -> dict[str, object]:
    """Return the metadata of a field of events of a subtype; ``more`` are further members."""
    shown: dict[str, object] = {"name": name, "label": label, "type": kind, **more}
    if subtype == APPROVED_EMAIL and name in OF_EMAILS:
        shown["required"] = True
    return {**shown, "queryable": True}


def _json(
    document_id: int, named: dict[str, object], event: DocumentEvent
) -> dict[str, object]:
    """Return an event in the format of the call: with labels, and without empty members."""
    subtype = SUBTYPES[event.subtype]
    classification = CLASSIFICATIONS[event.classification]
    date = date_time_text(event.date)
    properties = {
        "event_date__v": date,
        "document_id__v": document_id,
        **event.number.fields,
        "triggered_by__v": event.triggered_by,
        "event_type__v": DISTRIBUTION_LABEL,
        "event_subtype__v": subtype,
        "classification__v": classification,
        "external_id__v": event.external_id,
        "user_email__v": event.user_email,
        # An event is never changed.
        "event_modified_by__v": event.triggered_by,
        "event_modified_date__v": date,
        "document_number__v": named["document_number__v"],
        "document_name__v": named["name__v"],
    }
    return {
        "name": event.classification,
        "label": f"{subtype} {classification}",
        "properties": {
            name: value for name, value in properties.items() if value is not None
        },
    }
