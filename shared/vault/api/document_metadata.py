"""Serves the metadata of documents: their fields, and the hierarchy of their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ReadsDocuments
from shared.vault.api.body import read_fields
from shared.vault.api.document_tokens import document_ids
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
)
from shared.vault.documents.document_store import require_known
from shared.vault.documents.relationship_types import offered_types
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Field, FieldType
from shared.vault.queries.document_target import document_target

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.model.component_model import DocumentModel, DocumentType

router = APIRouter(prefix=f"{PREFIX}/metadata/objects/documents", tags=["Documents"])

# Of these, values are few enough to count: queries take them as facets.
FACETABLE = frozenset({FieldType.PICKLIST, FieldType.OBJECT, FieldType.BOOLEAN})
BELOW = (
    "subtypes",
    "classifications",
)  # the levels below a type, as members and in paths
# A field of all documents is defined at the head of their types, and shared by no choice of some.
OF_EVERY_TYPE = {
    "setOnCreateOnly": False,
    "shared": False,
    "definedInType": "type",
    "definedIn": "base_document__v",
    "noCopy": False,
    "secureRelationship": False,
}
COMMON_FORM = form_documentation(
    {"docIds": "Ids of documents, separated by commas; up to 500"}
)
TYPE, SUBTYPE = "/types/{type_name}", "/types/{type_name}/subtypes/{subtype_name}"


@router.get("/properties", summary="Fields of documents")
async def properties(request: Request, caller: SignedIn) -> Response:
    """Lists the fields of documents, also those of their files."""
    listed = _properties(_model(request, caller))
    return envelope.success(properties=listed)


@router.post(
    "/properties/find_common",
    summary="Common fields of documents",
    openapi_extra=COMMON_FORM,
)
async def common_properties(request: Request, caller: ReadsDocuments) -> Response:
    """Lists the fields that the documents in `docIds` have in common: here, all documents have the same ones."""
    ids = document_ids(await read_fields(request))
    documents = vault_of(request).documents
    model, _ = documents.model(caller, Operation.READ)
    await documents.with_connection(lambda each: require_known(each, ids))
    return envelope.success(properties=_properties(model))


@router.get("/types", summary="Document types")
async def types(request: Request, caller: SignedIn) -> Response:
    """Lists the top-level document types, and the address of the metadata of check-outs."""
    model = _model(request, caller)
    return envelope.success(
        types=_level(request, model, ""), lock=f"{_head(request)}/lock"
    )


@router.get(TYPE, summary="A document type")
async def one_type(
    request: Request,
    caller: SignedIn,
    type_name: str,
) -> Response:
    """Returns the lifecycles, rendition types and subtypes of a document type."""
    return _type_answer(request, caller, type_name)


@router.get(SUBTYPE, summary="A document subtype")
async def one_subtype(
    request: Request,
    caller: SignedIn,
    type_name: str,
    subtype_name: str,
) -> Response:
    """Returns the lifecycles, rendition types and classifications of a subtype."""
    return _type_answer(request, caller, type_name, subtype_name)


@router.get(
    f"{SUBTYPE}/classifications/{{classification_name}}",
    summary="A document classification",
)
async def one_classification(
    request: Request,
    caller: SignedIn,
    type_name: str,
    subtype_name: str,
    classification_name: str,
) -> Response:
    """Returns the lifecycles and rendition types of a classification."""
    return _type_answer(request, caller, type_name, subtype_name, classification_name)


def _model(request: Request, caller: Caller) -> DocumentModel:
    """Return the types, fields and lifecycles of documents.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may read no documents.
    """
    model, _ = vault_of(request).documents.model(caller, Operation.READ)
    return model


def _type_answer(request: Request, caller: Caller, *path: str) -> Response:
    """Return the type, subtype or classification at ``path``, and the level below it.

    :raises VaultFault: INVALID_DATA when there is none.
    """
    model = _model(request, caller)
    # A dot in a name of the path would reach a lower level than its address has.
    dotted = any("." in name for name in path)
    kind = None if dotted else model.types.get(".".join(path))
    if kind is None:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no such document type")
    lifecycles = [model.lifecycles[name] for name in model.lifecycles_of(kind.name)]
    registry = vault_of(request).components.registry
    related = f"{_head(request)}/types/{path[0]}/relationships"
    members: dict[str, object] = {
        "name": kind.path[-1],
        "label": kind.label,
        "active": kind.active,
        "properties": _properties(model),
        "renditions": list(model.renditions),
        "relationshipTypes": [
            {"label": each.label, "value": related}
            for each in offered_types(registry, kind.name).values()
        ],
        "availableLifecycles": [
            {"name": lifecycle.name, "label": lifecycle.label}
            for lifecycle in lifecycles
        ],
    }
    # A classification is the lowest level.
    if len(path) <= len(BELOW):
        members[BELOW[len(path) - 1]] = _level(request, model, kind.name)
    return envelope.success(**members)


def _level(request: Request, model: DocumentModel, above: str) -> list[dict[str, str]]:
    """Return the types directly below ``above``, a dotted name; below an empty name, the top-level types."""
    below = [
        kind for kind in model.types.values() if kind.name.rpartition(".")[0] == above
    ]
    return [
        {"name": kind.path[-1], "label": kind.label, "value": _url(request, kind)}
        for kind in below
    ]


def _url(request: Request, kind: DocumentType) -> str:
    """Return the address of a type, through the levels above it."""
    # Not strict: a type has one name, a subtype two, a classification three.
    levels = zip(("types", *BELOW), kind.path, strict=False)
    path = "".join(f"/{level}/{name}" for level, name in levels)
    return f"{_head(request)}{path}"


def _head(request: Request) -> str:
    """Return the address of the metadata of documents."""
    return f"{origin(request)}{base_path(request)}/metadata/objects/documents"


def _properties(model: DocumentModel) -> list[dict[str, object]]:
    """Return the fields that documents of every type have."""
    target = document_target(model)
    # A Vault without document types has no documents, and so no fields of them.
    fields = () if target is None else target.object.fields.values()
    return [_property(field, position) for position, field in enumerate(fields)]


def _property(field: Field, position: int) -> dict[str, object]:
    """Return a field in the format of this endpoint, without members that do not apply."""
    members: dict[str, object] = {
        "name": field.name,
        "label": field.label,
        "type": field.shown_type or _type_name(field.type),
        "required": field.required and not field.system,
        "scope": "DocumentVersion",
        "section": "generalProperties",
        "sectionPosition": position,
        "repeating": field.multi_value,
        "editable": field.editable and not field.system,
        "disabled": not field.active,
        "hidden": False,
        "queryable": True,
        "facetable": field.type in FACETABLE,
        "systemAttribute": field.system,
        **OF_EVERY_TYPE,
    }
    optional = {
        "maxLength": field.max_length,
        "minValue": field.min_value,
        "maxValue": field.max_value,
        "scale": field.scale,
        "picklist": field.picklist,
        "objectType": field.object,
        "relationshipName": field.relationship_outbound_name,
    }
    return members | {
        name: value for name, value in optional.items() if value is not None
    }


def _type_name(kind: FieldType) -> str:
    """Return the name of a field type in the metadata of documents; two differ from those of object metadata."""
    match kind:
        case FieldType.OBJECT:
            return "ObjectReference"
        case FieldType.ID:
            return "id"
        case (
            FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.PICKLIST
            | FieldType.ATTACHMENT
        ):
            return kind.value
        case _:
            assert_never(kind)
