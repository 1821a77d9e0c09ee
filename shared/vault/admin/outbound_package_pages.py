"""Serves packages for export: selects components, adds missing ones, and exports the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, may, require
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.inputs import Input, InputKind
from shared.vault.admin.listing import selected
from shared.vault.admin.viewing import record_of
from shared.vault.admin.visit import Visit, Visiting, visiting
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


Managing = Annotated[Visit, Depends(visiting(admit=_may_manage))]
Creating = Annotated[Visit, Depends(visiting(admit=_may_create))]
Editing = Annotated[Visit, Depends(visiting(admit=_may_edit))]


@router.get("/new")
async def new(visit: Visiting) -> Response:
    """Show the form that asks for the package's name and description."""
    _may_create(visit.caller)
    return visit.page("package_new.html", inputs=_inputs({}), errors=())


@router.post("/new")
async def create(visit: Creating) -> Response:
    """Create a package without components, and redirect to its page, where components are added."""
    form = visit.form.fields
    row: dict[str, object] = {
        each.name: form.get(each.name, "") for each in _inputs({})
    }
    refused: Sequence[ApiError] = ()

    async def carry_out() -> str | None:
        nonlocal refused
        (result,) = await visit.vault.records.create(visit.caller, OUTBOUND, [row])
        refused = result.errors
        return None if result.errors else _path(str(result.id))

    path = await visit.once(carry_out)
    if path is None:
        inputs = at_fields(_inputs(form), refused)
        return visit.page("package_new.html", 400, inputs=inputs, errors=refused)
    return visit.go(path, "The Outbound Package was created. Add components to it.")


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
async def one_package(visit: Visiting, package_id: str) -> Response:
    """Show a package: its components, the components that they need and the package lacks, and its last file."""
    return await _page(visit, package_id)


@router.post("/{package_id}/components")
async def change_components(visit: Editing, package_id: str) -> Response:
    """Add a component to a package, or remove one."""
    path, sent = _path(package_id), visit.form.fields
    records = visit.vault.records
    if removed := sent.get("remove", ""):
        (result,) = await records.delete(visit.caller, MEMBER, [{"id": removed}])
        return visit.go_with(path, result, "The component was removed.")
    name = sent.get("component", "").strip()
    if name not in _names(visit):
        return await _page(visit, package_id, UNKNOWN)
    row = {"outbound_package__v": package_id, "vault_component__v": name}
    (result,) = await records.create(visit.caller, MEMBER, [row])
    return visit.go_with(path, result, f"{name} was added.")


@router.post("/{package_id}/export")
async def export(visit: Managing, package_id: str) -> Response:
    """Export a package to a file as a job, and redirect to the job's page."""
    record = await record_of(visit, OUTBOUND, package_id)
    outbound = visit.vault.outbound_packages
    job_id = await outbound.submit_export(visit.caller, str(record["name__v"]))
    return visit.go(f"/ui/jobs/{job_id}", "The file is being made.")


async def _page(
    visit: Visit, package_id: str, error: ApiError | None = None
) -> Response:
    """Show a package; with an error, as the answer to a component that was refused."""
    _may_manage(visit.caller)
    record = await record_of(visit, OUTBOUND, package_id)
    outbound = visit.vault.outbound_packages
    where = f"WHERE outbound_package__v = '{record['id']}'"
    statement = f"SELECT id, vault_component__v FROM {MEMBER} {where} ORDER BY vault_component__v"
    members = await selected(visit, statement)
    missing, problem = await _missing(visit, str(record["id"]), members)
    names = [(name, "") for name in sorted(_names(visit))]
    component = Input(
        "component",
        "Component",
        InputKind.SUGGEST,
        visit.form.fields.get("component", ""),
        options=tuple(names),
        help="type and name",
    )
    errors = [error] if error else []
    return visit.page(
        "package_outbound.html",
        status_of(error) if error else 200,
        record=record,
        members=members,
        missing=missing,
        problem=problem,
        component=at_fields([component], errors)[0],
        edits=may(visit.caller, MEMBER, Operation.CREATE),
        stored=await outbound.table.find(str(record["id"])),
    )


async def _missing(
    visit: Visit, package_id: str, members: Sequence[dict[str, Any]]
) -> tuple[Sequence[Mapping[str, object]], str]:
    """Return the components that a package's components need and the package lacks, and an error text.

    The error text says why they cannot be determined; it is empty when they can.
    """
    if not members:
        return (), ""
    outbound = visit.vault.outbound_packages
    try:
        _, missing = await outbound.dependencies(visit.caller, package_id)
    except VaultFault as fault:
        # A component may have been dropped since it was added.
        return (), fault.error.message
    return missing, ""


def _names(visit: Visit) -> set[str]:
    """Return the components that a package may have, as ``Type.name``."""
    return {each.full_name for each in visit.registry.components.values()}


def _path(package_id: str) -> str:
    return f"/ui/packages/outbound/{package_id}"
