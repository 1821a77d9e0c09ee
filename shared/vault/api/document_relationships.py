"""Serves relationships between documents, and the metadata of their types."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.body import read_fields, read_rows
from shared.vault.api.document_batch import document_results
from shared.vault.api.documents import MAX_ID, VERSION, Version
from shared.vault.api.openapi.request_bodies import (
    ROWS_DOCUMENTATION,
    form_documentation,
)
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.components.registry import Registry
from shared.vault.documents.document_relationships import (
    ENDS,
    IDS,
    NUMBERS,
    TYPE,
    Relationship,
)
from shared.vault.documents.document_store import Place
from shared.vault.documents.relationship_types import (
    DocumentRelationshipType,
    offered_types,
)
from shared.vault.errors import VaultFault

router = APIRouter(prefix=PREFIX, tags=["Documents"])

DOCUMENTS = "/objects/documents"
OF_TYPE = "/metadata/objects/documents/types/{type_name}/relationships"
OF_VERSION = f"{DOCUMENTS}{VERSION}/relationships"
BATCH = f"{DOCUMENTS}/relationships/batch"
SOURCE, TARGET = ENDS
FORM = form_documentation(
    {
        "target_doc_id__v": "The document that the version is related to",
        "relationship_type__v": "A type of the version's document type",
        "target_major_version__v": "For types of single target versions",
        "target_minor_version__v": "For types of single target versions",
    }
)
# Name, type, greatest length, and whether a value is required and may be sent.
PROPERTIES: tuple[tuple[str, str, int, bool, bool], ...] = (
    ("id", "id", 20, True, False),
    ("source_doc_id__v", "id", 20, True, True),
    ("source_major_version__v", "Integer", 10, False, True),
    ("source_minor_version__v", "Integer", 10, False, True),
    ("target_doc_id__v", "id", 20, True, True),
    ("target_major_version__v", "Integer", 10, False, True),
    ("target_minor_version__v", "Integer", 10, False, True),
    ("relationship_type__v", "String", 255, True, True),
    ("created_date__v", "DateTime", 0, False, False),
    ("created_by__v", "ObjectReference", 10, False, False),
    ("source_vault_id__v", "id", 20, False, False),
)

RelationshipId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get(OF_TYPE, summary="Relationships of a document type")
async def types(request: Request, caller: SignedIn, type_name: str) -> Response:
    """Lists the fields of relationships, and the relationship types that documents of a type may have."""
    vault = vault_of(request)
    model, _ = vault.documents.model(caller, Operation.READ)
    if type_name not in model.types:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no such document type")
    registry = vault.components.registry
    offered = offered_types(registry, type_name).values()
    return envelope.success(
        properties=[_property(*each) for each in PROPERTIES],
        relationshipTypes=[_type_json(registry, kind) for kind in offered],
        relationships=[_end_json(end) for end in ENDS],
    )


@router.get(OF_VERSION, summary="Relationships of a version")
async def listed(request: Request, caller: SignedIn, place: Version) -> Response:
    """Lists the relationships of which the version is the source."""
    found = await vault_of(request).document_relationships.all(caller, place)
    return _listed(found)


@router.post(OF_VERSION, summary="Create a relationship", openapi_extra=FORM)
async def create(request: Request, caller: EditsDocuments, place: Version) -> Response:
    """Relates the version, or its document, to another document; for an existing relationship the id is 0."""
    fields = await read_fields(request)
    number = place.number
    own = {IDS[SOURCE]: place.document_id}
    if number is not None:
        own |= dict(zip(NUMBERS[SOURCE], (number.major, number.minor), strict=True))
    relationships = vault_of(request).document_relationships
    (result,) = await relationships.create(caller, [{**fields, **own}])
    if not result.ok:
        return envelope.failures(result.errors)
    message = "Document relationship successfully created."
    return envelope.success(responseMessage=message, id=int(result.id or 0))


@router.get(
    f"{OF_VERSION}/{{relationship_id}}", summary="One relationship of a version"
)
async def one(
    request: Request,
    caller: SignedIn,
    place: Version,
    relationship_id: RelationshipId,
) -> Response:
    """Returns one relationship whose source is the version."""
    relationships = vault_of(request).document_relationships
    return _listed([await relationships.one(caller, place, relationship_id)])


@router.delete(f"{OF_VERSION}/{{relationship_id}}", summary="Delete a relationship")
async def delete(
    request: Request,
    caller: EditsDocuments,
    place: Version,
    relationship_id: RelationshipId,
) -> Response:
    """Deletes one relationship whose source is the version."""
    relationships = vault_of(request).document_relationships
    await relationships.one(caller, place, relationship_id)
    (result,) = await relationships.delete(caller, [{"id": relationship_id}])
    if not result.ok:
        return envelope.failures(result.errors)
    message = "Document relationship successfully deleted."
    return envelope.success(responseMessage=message, id=relationship_id)


@router.post(BATCH, summary="Create relationships", openapi_extra=ROWS_DOCUMENTATION)
async def create_many(request: Request, caller: EditsDocuments) -> Response:
    """Creates up to 500 relationships: rows have `source_doc_id__v`, `target_doc_id__v` and `relationship_type__v`.

    A relationship of a single version also needs that version's numbers, as in `source_major_version__v` and
    `source_minor_version__v`.
    """
    # The public API names its rows by fields in a way that is not documented.
    if "idParam" in request.query_params:
        message = "Rows here name documents by their ids: [idParam] is not supported"
        raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    sent = await read_rows(request)
    relationships = vault_of(request).document_relationships
    return document_results(request, await relationships.create(caller, sent.rows))


@router.delete(BATCH, summary="Delete relationships", openapi_extra=ROWS_DOCUMENTATION)
async def delete_many(request: Request, caller: EditsDocuments) -> Response:
    """Deletes up to 500 relationships, which rows name by `id`."""
    sent = await read_rows(request)
    relationships = vault_of(request).document_relationships
    return document_results(request, await relationships.delete(caller, sent.rows))


def _listed(found: list[Relationship]) -> Response:
    """Return relationships in the format of one version's list, with the members that are always empty."""
    shown = [{"relationship": _json(each)} for each in found]
    return envelope.success(
        responseMessage=None, errorCodes=None, relationships=shown, errorType=None
    )


def _json(found: Relationship) -> dict[str, object]:
    """Return a relationship; an end that is a document, and not one of its versions, has no version numbers."""
    return {
        "id": found.id,
        **_end(SOURCE, found.source),
        TYPE: found.type,
        "created_by__v": found.created_by,
        "created_date__v": date_time_text(found.created_date),
        **_end(TARGET, found.target),
    }


def _end(end: str, place: Place) -> dict[str, object]:
    """Return the document at one end of a relationship, with its version number if the end is a version."""
    shown: dict[str, object] = {IDS[end]: place.document_id}
    number = place.number
    if number is not None:
        shown |= zip(NUMBERS[end], (number.major, number.minor), strict=True)
    return shown


def _property(
    name: str, kind: str, length: int, required: bool, sent: bool
) -> dict[str, object]:
    """Return the metadata of a field of relationships."""
    shown: dict[str, object] = {"name": name, "type": kind, "length": length}
    if kind == "ObjectReference":
        shown["object"] = "users"
    return {
        **shown,
        # What is so in the public API: the source alone is called editable.
        "editable": name == IDS[SOURCE],
        "queryable": True,
        "required": required,
        "multivalue": False,
        "onCreateEditable": sent,
    }


def _type_json(registry: Registry, kind: DocumentRelationshipType) -> dict[str, object]:
    """Return a relationship type, with the document types of its targets."""
    wanted = kind.target_type
    targets = [
        {"label": each.label, "value": each.path[-1]}
        for each in registry.documents.types.values()
        if (each.name == wanted if wanted else len(each.path) == 1)
    ]
    return {
        "value": kind.name,
        "label": kind.label,
        "sourceDocVersionSpecific": kind.of_source_version,
        "targetDocVersionSpecific": kind.of_target_version,
        # Those that the public API makes by itself are not here: each is a component of the Vault.
        "system": False,
        "singleUse": kind.single_use,
        "targetDocumentTypes": targets,
    }


def _end_json(end: str) -> dict[str, object]:
    """Return one of the two VQL relationships from a document relationship to a document."""
    return {
        "relationship_name": f"{end}__vr",
        "relationship_label": f"{end.capitalize()} Relationship",
        "relationship_type": "reference_outbound",
        "object": {"name": "documents"},
    }
