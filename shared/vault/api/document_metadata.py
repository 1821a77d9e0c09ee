"""What documents are like: their fields, types and levels of types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    origin,
    vault_of,
)
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Field, FieldType
from shared.vault.queries.document_target import document_target

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.model.component_model import DocumentModel, DocumentType

router = APIRouter(prefix=f"{PREFIX}/metadata/objects/documents", tags=["Documents"])

BELOW = ("subtypes", "classifications")  # what a type's levels are called
TYPES: dict[FieldType, str] = {FieldType.OBJECT: "ObjectReference", FieldType.ID: "id"}
TYPE, SUBTYPE = "/types/{type_name}", "/types/{type_name}/subtypes/{subtype_name}"


@router.get("/properties", summary="Fields of documents")
async def properties(request: Request, caller: SignedIn) -> Response:
    """Every field that documents have, those of their files too."""
    target = document_target(_model(request, caller))
    fields = () if target is None else target.object.fields.values()
    return envelope.success(
        properties=[_property(field, at) for at, field in enumerate(fields)]
    )


@router.get("/types", summary="Document types")
async def types(request: Request, caller: SignedIn) -> Response:
    """The types at the head of the hierarchy, and the rendition types."""
    model = _model(request, caller)
    return envelope.success(types=_level(request, model, ""))


@router.get(TYPE, summary="A document type")
async def one_type(request: Request, caller: SignedIn, type_name: str) -> Response:
    """Its lifecycles, rendition types and subtypes."""
    return _type_answer(request, caller, type_name)


@router.get(SUBTYPE, summary="A document subtype")
async def one_subtype(
    request: Request, caller: SignedIn, type_name: str, subtype_name: str
) -> Response:
    """Its lifecycles, rendition types and classifications."""
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
    """Its lifecycles and rendition types."""
    return _type_answer(request, caller, type_name, subtype_name, classification_name)


def _model(request: Request, caller: Caller) -> DocumentModel:
    return vault_of(request).documents.model(caller, Operation.READ)[0]


def _type_answer(request: Request, caller: Caller, *path: str) -> Response:
    model = _model(request, caller)
    kind = (
        model.types.get(".".join(path))
        if all("." not in name for name in path)
        else None
    )
    if kind is None:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no such document type")
    offered = [model.lifecycles[name] for name in model.lifecycles_of(kind.name)]
    members: dict[str, object] = {
        "name": kind.path[-1],
        "label": kind.label,
        "active": kind.active,
        "renditions": list(model.renditions),
        "availableLifecycles": [
            {"name": lifecycle.name, "label": lifecycle.label} for lifecycle in offered
        ],
    }
    if len(path) <= len(BELOW):
        members[BELOW[len(path) - 1]] = _level(request, model, kind.name)
    return envelope.success(**members)


def _level(request: Request, model: DocumentModel, above: str) -> list[dict[str, str]]:
    below = [
        kind for kind in model.types.values() if kind.name.rpartition(".")[0] == above
    ]
    return [
        {"name": kind.path[-1], "label": kind.label, "value": _url(request, kind)}
        for kind in below
    ]


def _url(request: Request, kind: DocumentType) -> str:
    levels = zip(("types", *BELOW), kind.path, strict=False)
    path = "".join(f"/{level}/{name}" for level, name in levels)
    return f"{origin(request)}{base_path(request)}/metadata/objects/documents{path}"


def _property(field: Field, at: int) -> dict[str, object]:
    members: dict[str, object] = {
        "name": field.name,
        "label": field.label,
        "type": field.shown_type or TYPES.get(field.type, field.type.value),
        "required": field.required and not field.system,
        "scope": "DocumentVersion",
        "section": "generalProperties",
        "sectionPosition": at,
        "repeating": field.multi_value,
        "editable": field.editable and not field.system,
        "disabled": not field.active,
        "hidden": False,
        "queryable": True,
        "systemAttribute": field.system,
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
