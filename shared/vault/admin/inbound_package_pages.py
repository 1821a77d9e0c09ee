"""Serves Admin > Packages: imported packages, the changes that their deployment would make, their steps and logs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.listing import Page, listed, selected
from shared.vault.admin.page_context import CurrentPage, PageContext, page_context
from shared.vault.admin.script_review import MAX_EXPECTED, expected_results
from shared.vault.admin.showing import ValueFormatter
from shared.vault.admin.viewing import object_of, record_of
from shared.vault.api.file_body import disposition, file_response
from shared.vault.errors import ApiError, VaultFault
from shared.vault.packages.package_archive import MAX_FILE_BYTES
from shared.vault.packages.package_model import OUTBOUND, PACKAGE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.admin.showing import Shown

router = APIRouter(prefix="/packages")

COLUMNS = ("name__v", "package_status__v", "summary__v", "author__v", "created_date__v")
OUTBOUND_COLUMNS = ("name__v", "summary__v", "modified_date__v")
DETAILS = (
    "summary__v",
    "description__v",
    "author__v",
    "source_vault__v",
    "file_name__v",
    "created_date__v",
    "created_by__v",
)
NO_FILE = ApiError(ErrorType.PARAMETER_REQUIRED, "[file] is required")


def _may_manage(caller: Caller) -> None:
    authorize(caller, Grant.MANAGE_PACKAGES)


Managing = Annotated[PageContext, Depends(page_context(admit=_may_manage))]
WithFile = Annotated[PageContext, Depends(page_context(MAX_FILE_BYTES, _may_manage))]


@router.get("")
async def packages(context: CurrentPage, page: Page = 1) -> Response:
    """List the imported packages, the latest first, and the latest packages for export."""
    _may_manage(context.caller)
    formatter = ValueFormatter(
        object_of(context, PACKAGE), context.caller, context.registry
    )
    statement = f"SELECT {formatter.selection(COLUMNS)} FROM {PACKAGE} ORDER BY created_date__v DESC"
    outbound = ValueFormatter(
        object_of(context, OUTBOUND), context.caller, context.registry
    )
    selection = outbound.selection(OUTBOUND_COLUMNS)
    latest = f"SELECT {selection} FROM {OUTBOUND} ORDER BY modified_date__v DESC"
    return context.page(
        "packages.html",
        formatter=formatter,
        columns=COLUMNS,
        listing=await listed(context, statement, page, counted=False),
        outbound=outbound,
        outbound_columns=OUTBOUND_COLUMNS,
        outbound_rows=await selected(context, latest),
    )


@router.get("/import")
async def import_form(context: CurrentPage) -> Response:
    """Show the form that asks for the file."""
    _may_manage(context.caller)
    return context.page("package_import.html", error=None)


@router.post("/import")
async def import_package(context: WithFile) -> Response:
    """Import a package from a file as a job that also validates it, and redirect to the job's page."""
    packages = context.vault.inbound_packages
    try:
        if context.form.file is None or not context.form.file.size:
            raise VaultFault(NO_FILE.type, NO_FILE.message)
        content, name = await context.form.whole(), context.form.sent_name()
        job_id = await packages.submit_import(context.caller, content, name)
    except VaultFault as fault:
        status = status_of(fault.error)
        return context.page("package_import.html", status, error=fault.error)
    return context.go(
        f"/ui/jobs/{job_id}", "The package is being imported.", NoteKind.BEGUN
    )


@router.get("/inbound/{package_id}")
async def one_package(context: CurrentPage, package_id: str) -> Response:
    """Show a package: its validation and deployment step by step, and their logs."""
    inbound = context.vault.inbound_packages
    stored = await inbound.results(context.caller, package_id)
    record = await record_of(context, PACKAGE, package_id)
    formatter = ValueFormatter(
        object_of(context, PACKAGE), context.caller, context.registry
    )
    deployment: Mapping[str, Any] = stored.deployment or {}
    return context.page(
        "package.html",
        package_id=package_id,
        name=record["name__v"],
        status=formatter.show("package_status__v", record),
        details=_details(formatter, record),
        validation=stored.validation or {},
        deployment=deployment,
        logs=await inbound.table.logs(package_id),
    )


def _details(formatter: ValueFormatter, record: Mapping[str, Any]) -> list[Shown]:
    return [formatter.show(name, record) for name in DETAILS]


@router.post("/inbound/{package_id}/validate")
async def validate(context: Managing, package_id: str) -> Response:
    """Validate a package against the present components."""
    await context.vault.inbound_packages.validate(context.caller, package_id)
    return context.go(_path(package_id), "The package was validated.")


@router.get("/inbound/{package_id}/review")
async def review(context: CurrentPage, package_id: str) -> Response:
    """Show the changes that the deployment of a package would make, with the button that deploys it."""
    inbound = context.vault.inbound_packages
    statements = await inbound.statements(context.caller, package_id)
    stored = await inbound.results(context.caller, package_id)
    looked_at = statements[:MAX_EXPECTED]
    # Each is checked against all components, which takes long enough to keep other requests waiting.
    seen = await asyncio.to_thread(
        expected_results, context.caller, context.registry, looked_at
    )
    record = await record_of(context, PACKAGE, package_id)
    return context.page(
        "package_review.html",
        package_id=package_id,
        name=record["name__v"],
        expected_results=seen,
        unseen=statements[len(seen) :],
        refused=any(each.refusal for each in seen),
        steps=(stored.validation or {}).get("package_steps", ()),
    )


@router.post("/inbound/{package_id}/deploy")
async def deploy(context: Managing, package_id: str) -> Response:
    """Deploy a package as a job, and redirect to the job's page."""
    job_id = await context.vault.inbound_packages.submit_deploy(
        context.caller, package_id
    )
    return context.go(
        f"/ui/jobs/{job_id}", "The package is being deployed.", NoteKind.BEGUN
    )


@router.get("/inbound/{package_id}/logs/{name}")
async def log_of(context: CurrentPage, package_id: str, name: str) -> Response:
    """Download a log of a validation or deployment."""
    inbound = context.vault.inbound_packages
    # Refuses callers who may not see the package.
    await inbound.results(context.caller, package_id)
    text = await inbound.table.log(package_id, name)
    if text is None:
        message = f"The log [{name[:100]}] does not exist"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    media = "text/csv" if name.endswith(".csv") else "text/plain"
    headers = {"Content-Disposition": disposition(name)}
    return Response(text, 200, headers, f"{media};charset=UTF-8")


@router.get("/{package_id}/content")
async def content_of(context: CurrentPage, package_id: str) -> Response:
    """Download the file of an imported package, or the last export of a package of this Vault."""
    stored = await context.vault.inbound_packages.file(context.caller, package_id)
    content = context.vault.files.get(stored.file_key)
    return file_response(content, stored.file_name, stored.size)


def _path(package_id: str) -> str:
    return f"/ui/packages/inbound/{package_id}"
