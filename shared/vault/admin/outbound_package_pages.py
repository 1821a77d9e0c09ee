"""Serves packages for export: selects components, adds missing ones, and exports the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, may, require
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.inputs import Input, InputKind
from shared.vault.admin.listing import selected
from shared.vault.admin.page_context import CurrentPage, PageContext, page_context
from shared.vault.admin.viewing import record_of
from shared.vault.errors import ApiError, VaultFault
from shared.vault.packages.package_model import MEMBER, OUTBOUND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.vault.access.caller import Caller

router = APIRouter(prefix="/packages/outbound")

UNKNOWN = ApiError(
    ErrorType.INVALID_DATA,
    "[component] There is no such component; choose one of the suggested components",
)


def _may_manage(caller: Caller) -> None:
    authorize(caller, Grant.MANAGE_PACKAGES)


def _may_create(caller: Caller) -> None:
    _may_manage(caller)
    require(caller, OUTBOUND, Operation.CREATE)


def _may_edit(caller: Caller) -> None:
    _may_manage(caller)
    require(caller, MEMBER, Operation.CREATE)


Managing = Annotated[PageContext, Depends(page_context(admit=_may_manage))]
Creating = Annotated[PageContext, Depends(page_context(admit=_may_create))]
Editing = Annotated[PageContext, Depends(page_context(admit=_may_edit))]


@router.get("/new")
async def new(context: CurrentPage) -> Response:
    """Show the form that asks for the package's name and description."""
    _may_create(context.caller)
    return context.page("package_new.html", inputs=_inputs({}), errors=())


@router.post("/new")
async def create(context: Creating) -> Response:
    """Create a package without components, and redirect to its page, where components are added."""
    form = context.form.fields
    row: dict[str, object] = {
        each.name: form.get(each.name, "") for each in _inputs({})
    }
    refused: Sequence[ApiError] = ()

    async def carry_out() -> str | None:
        nonlocal refused
        (result,) = await context.vault.records.create(context.caller, OUTBOUND, [row])
        refused = result.errors
        return None if result.errors else _path(str(result.id))

    path = await context.once(carry_out)
    if path is None:
        inputs = at_fields(_inputs(form), refused)
        return context.page("package_new.html", 400, inputs=inputs, errors=refused)
    return context.go(path, "The Outbound Package was created. Add components to it.")


def _inputs(values: Mapping[str, str]) -> list[Input]:
    text = values.get
    return [
        Input(
            "summary__v",
            "Summary",
            InputKind.TEXT,
            text("summary__v", ""),
            max_length=500,
        ),
        Input(
            "description__v",
            "Description",
            InputKind.TEXT_AREA,
            text("description__v", ""),
            max_length=1500,
        ),
    ]


@router.get("/{package_id}")
async def one_package(context: CurrentPage, package_id: str) -> Response:
    """Show a package: its components, the components that they need and the package lacks, and its last file."""
    return await _page(context, package_id)


@router.post("/{package_id}/components")
async def change_components(context: Editing, package_id: str) -> Response:
    """Add a component to a package, or remove one."""
    path, sent = _path(package_id), context.form.fields
    records = context.vault.records
    if removed := sent.get("remove", ""):
        (result,) = await records.delete(context.caller, MEMBER, [{"id": removed}])
        return context.go_with(path, result, "The component was removed.")
    name = sent.get("component", "").strip()
    if name not in _names(context):
        return await _page(context, package_id, UNKNOWN)
    row = {"outbound_package__v": package_id, "vault_component__v": name}
    (result,) = await records.create(context.caller, MEMBER, [row])
    return context.go_with(path, result, f"{name} was added.")


@router.post("/{package_id}/export")
async def export(context: Managing, package_id: str) -> Response:
    """Export a package to a file as a job, and redirect to the job's page."""
    record = await record_of(context, OUTBOUND, package_id)
    outbound = context.vault.outbound_packages
    job_id = await outbound.submit_export(context.caller, str(record["name__v"]))
    return context.go(f"/ui/jobs/{job_id}", "The file is being made.", NoteKind.BEGUN)


async def _page(
    context: PageContext, package_id: str, error: ApiError | None = None
) -> Response:
    """Show a package; with an error, as the answer to a component that was refused."""
    _may_manage(context.caller)
    record = await record_of(context, OUTBOUND, package_id)
    outbound = context.vault.outbound_packages
    where = f"WHERE outbound_package__v = '{record['id']}'"
    statement = f"SELECT id, vault_component__v FROM {MEMBER} {where} ORDER BY vault_component__v"
    members = await selected(context, statement)
    missing, problem = await _missing(context, str(record["id"]), members)
    names = [(name, "") for name in sorted(_names(context))]
    component = Input(
        "component",
        "Component",
        InputKind.SUGGEST,
        context.form.fields.get("component", ""),
        options=tuple(names),
        help="type and name",
    )
    errors = [error] if error else []
    return context.page(
        "package_outbound.html",
        status_of(error) if error else 200,
        record=record,
        members=members,
        missing=missing,
        problem=problem,
        component=at_fields([component], errors)[0],
        edits=may(context.caller, MEMBER, Operation.CREATE),
        stored=await outbound.table.find(str(record["id"])),
    )


async def _missing(
    context: PageContext, package_id: str, members: Sequence[dict[str, Any]]
) -> tuple[Sequence[Mapping[str, object]], str]:
    """Return the components that a package's components need and the package lacks, and an error text.

    The error text says why they cannot be determined; it is empty when they can.
    """
    if not members:
        return (), ""
    outbound = context.vault.outbound_packages
    try:
        _, missing = await outbound.dependencies(context.caller, package_id)
    except VaultFault as fault:
        # A component may have been dropped since it was added.
        return (), fault.error.message
    return missing, ""


def _names(context: PageContext) -> set[str]:
    """Return the components that a package may have, as ``Type.name``."""
    return {each.full_name for each in context.registry.components.values()}


def _path(package_id: str) -> str:
    return f"/ui/packages/outbound/{package_id}"
