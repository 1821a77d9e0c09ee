"""Serves metadata: objects and their fields, page layouts, component types and their attributes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import (
    Grant,
    Operation,
    authorize,
    readable,
    require,
)
from shared.vault.api import response_envelope as envelope
from shared.vault.api.object_json import field_document, object_document, object_summary
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.components.component_tree import Component
from shared.vault.components.description import type_metadata, type_summary
from shared.vault.components.platform import BASE_TYPE
from shared.vault.components.registry import MAX_CUSTOM_OBJECTS
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import VaultObject

router = APIRouter(prefix=PREFIX, tags=["Metadata"])


@router.get("/metadata/vobjects", summary="All objects")
async def all_objects(request: Request, caller: SignedIn) -> Response:
    """Lists the objects that the caller may read."""
    may_read = readable(caller)
    registry = vault_of(request).components.registry
    path = base_path(request)
    # Numbered before some are left out: an object has the same place for every caller.
    objects = enumerate(registry.objects.values())
    shown = [
        object_summary(each, number, registry, path)
        for number, each in objects
        if may_read(each.name)
    ]
    return envelope.success(objects=shown)


@router.get("/metadata/vobjects/{object_name}", summary="One object")
async def one_object(
    request: Request,
    caller: SignedIn,
    object_name: str,
) -> Response:
    """Returns the object with its fields, relationships, types and lifecycles."""
    target = _object(request, caller, object_name)
    components = vault_of(request).components
    dates = await components.dates(target.name)
    document = object_document(
        target,
        components.registry,
        base_path(request),
        dates,
        caller,
    )
    return envelope.success(object=document)


@router.get("/metadata/vobjects/{object_name}/fields/{field_name}", summary="One field")
async def one_field(
    request: Request,
    caller: SignedIn,
    object_name: str,
    field_name: str,
) -> Response:
    """Returns one field of an object."""
    target = _object(request, caller, object_name)
    if field_name not in target.fields:
        message = f"[{target.name}] has no field [{field_name[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    components = vault_of(request).components
    dates = await components.dates(target.name)
    document = field_document(
        target,
        field_name,
        components.registry,
        base_path(request),
        dates,
        caller,
    )
    return envelope.success(field=document)


@router.get(
    "/metadata/vobjects/{object_name}/page_layouts", summary="Page layouts of an object"
)
async def page_layouts(
    request: Request,
    caller: SignedIn,
    object_name: str,
) -> Response:
    """Lists the page layouts whose markup names the object; this Vault stores page layouts but does not use them."""
    target = _object(request, caller, object_name)
    path = f"{base_path(request)}/metadata/vobjects/{target.name}/page_layouts"
    layouts = _layouts(request, target).values()
    shown = [_layout_json(layout, target, path) for layout in layouts]
    return envelope.success(data=shown)


@router.get(
    "/metadata/vobjects/{object_name}/page_layouts/{layout_name}",
    summary="One page layout",
)
async def page_layout(
    request: Request,
    caller: SignedIn,
    object_name: str,
    layout_name: str,
) -> Response:
    """Returns a page layout with its markup as it was deployed."""
    target = _object(request, caller, object_name)
    layout = _layouts(request, target).get(layout_name)
    if layout is None:
        message = f"[{target.name}] has no page layout [{layout_name[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    path = f"{base_path(request)}/metadata/vobjects/{target.name}/page_layouts"
    shown = _layout_json(layout, target, path)
    shown["page_markup"] = layout.text("page_markup")
    return envelope.success(data=shown)


def _layouts(request: Request, target: VaultObject) -> dict[str, Component]:
    """Return the page layouts of an object by name."""
    # A layout names its object in its markup alone; the component has no attribute for it.
    controller = f'controller="Object.{target.name}"'
    components = vault_of(request).components.registry.components.values()
    layouts = (each for each in components if each.type == "Pagelayout")
    return {
        layout.name: layout
        for layout in layouts
        if controller in layout.text("page_markup")
    }


def _layout_json(
    layout: Component,
    target: VaultObject,
    path: str,
) -> dict[str, object]:
    """Return a page layout; ``path`` is the address of its object's layouts."""
    return {
        "name": layout.name,
        "label": layout.text("label"),
        "object": target.name,
        # Vault API reference, Retrieve Page Layouts; the markup names no object type but that of all.
        "object_type": layout.reference("object_type") or BASE_TYPE,
        "active": layout.flag("active", True),
        "description": layout.text("description"),
        "default_layout": layout.flag("default_layout"),
        "display_lifecycle_stages": layout.flag("display_lifecycle_stages"),
        "url": f"{path}/{layout.name}",
    }


@router.post(
    "/metadata/vobjects/{object_name}/actions/canceldeployment",
    summary="Cancel a waiting deployment",
)
async def cancel_deployment(
    request: Request,
    caller: SignedIn,
    object_name: str,
) -> Response:
    """Cancels the asynchronous MDL scripts that wait to change the object; a running script cannot be cancelled."""
    await vault_of(request).script_jobs.cancel_deployment(caller, object_name)
    return envelope.success()


@router.get("/limits", summary="Limits on objects")
async def limits(request: Request, caller: SignedIn) -> Response:
    """Returns the maximum number of custom objects, and how many more may be created."""
    del caller  # every signed-in user may call it
    objects = vault_of(request).components.registry.objects
    # Standard objects do not count, as in the documented limit.
    custom = sum(name.endswith("__c") for name in objects)
    limit = {
        "name": "custom_objects",
        "remaining": MAX_CUSTOM_OBJECTS - custom,
        "max": MAX_CUSTOM_OBJECTS,
    }
    return envelope.success(data=[limit])


@router.get("/metadata/components", summary="Component types")
async def component_types(request: Request, caller: SignedIn) -> Response:
    """Lists the component types of this Vault."""
    authorize(caller, Grant.READ_CONFIGURATION)
    path = base_path(request)
    shown = [
        {"url": f"{path}/metadata/components/{name}", **type_summary(name)}
        for name in COMPONENT_TYPES
    ]
    return envelope.success(data=shown)


@router.get("/metadata/components/{type_name}", summary="One component type")
async def component_type(caller: SignedIn, type_name: str) -> Response:
    """Returns the attributes and sub-components of a component type."""
    authorize(caller, Grant.READ_CONFIGURATION)
    if type_name not in COMPONENT_TYPES:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no component type [{type_name[:60]}]"
        )
    # From the tables by which MDL is checked, so that what is described here is what MDL accepts.
    return envelope.success(data=type_metadata(type_name))


def _object(request: Request, caller: Caller, object_name: str) -> VaultObject:
    """Return an object that the caller may read.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read it; INVALID_DATA when there is no such object.
    """
    # First: who may not read an object must not learn whether it exists.
    require(caller, object_name, Operation.READ)
    target = vault_of(request).components.registry.objects.get(object_name)
    if target is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
        )
    return target
