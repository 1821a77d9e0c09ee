"""Serves packages (VPK): imports, validates and deploys them, exports them, and lists missing components."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ManagesPackages
from shared.vault.api.body import read_fields
from shared.vault.api.file_body import disposition, file_response, upload_form
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import FILE_FORM, form_documentation
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
)
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.errors import VaultFault
from shared.vault.packages.package_archive import MAX_FILE_BYTES
from shared.vault.packages.package_model import MEMBER, OUTBOUND, PACKAGE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.packages.package_table import PackageLog

router = APIRouter(prefix=PREFIX, tags=["Packages"])

RECORD = f"/vobject/{PACKAGE}/{{package_id}}"
VALIDATE = f"/services{RECORD}/actions/validate"

NAME = form_documentation(
    {"packageName": "Name of the outbound package, such as PKG-0001"}
)


@router.post("/services/package", summary="Export a package", openapi_extra=NAME)
async def export_package(request: Request, caller: ManagesPackages) -> Response:
    """Starts a job that exports the outbound package `packageName` to a file, to which the job's status has a link."""
    fields = await read_fields(request)
    name = fields.get("packageName", "").strip()
    job_id = await vault_of(request).outbound_packages.submit_export(caller, name)
    return submitted(request, job_id)


@router.put("/services/package", summary="Import a package", openapi_extra=FILE_FORM)
async def import_package(request: Request, caller: ManagesPackages) -> Response:
    """Starts a job that imports the package in form field `file` as a `vault_package__v` record, and validates it."""
    content, name = await _file(request, caller)
    packages = vault_of(request).inbound_packages
    job_id = await packages.submit_import(caller, content, name)
    return submitted(request, job_id)


@router.post(
    "/services/package/actions/validate",
    summary="Validate a package",
    openapi_extra=FILE_FORM,
)
async def validate_package(request: Request, caller: ManagesPackages) -> Response:
    """Checks the package in form field `file` against the Vault's components, without importing it."""
    content, _ = await _file(request, caller)
    packages = vault_of(request).inbound_packages
    document = await packages.validate_file(caller, content)
    return envelope.success(responseDetails=document)


@router.post(VALIDATE, summary="Validate an imported package")
@router.post(
    VALIDATE.replace(PACKAGE, "vault_package_v"), include_in_schema=False
)  # as the Java client spells it
async def validate_imported(
    request: Request,
    caller: SignedIn,
    package_id: str,
) -> Response:
    """Checks an imported package against the Vault's present components."""
    document = await vault_of(request).inbound_packages.validate(caller, package_id)
    return envelope.success(responseDetails=document)


@router.post(f"{RECORD}/actions/deploy", summary="Deploy a package")
@router.put(f"{RECORD}/actions/deploy", include_in_schema=False)
async def deploy(
    request: Request,
    caller: SignedIn,
    package_id: str,
) -> Response:
    """Starts a job that deploys an imported package: all of its steps, or none."""
    job_id = await vault_of(request).inbound_packages.submit_deploy(caller, package_id)
    return submitted(request, job_id)


@router.get(f"{RECORD}/actions/deploy/results", summary="Results of a deployment")
async def deploy_results(
    request: Request,
    caller: SignedIn,
    package_id: str,
) -> Response:
    """Returns the result of each step of the last deployment, and the addresses of its logs."""
    packages = vault_of(request).inbound_packages
    stored = await packages.results(caller, package_id)
    # A package can be asked for its results as soon as it is imported.
    if stored.deployment is None:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED, "The package has not been deployed yet"
        )
    logs = await packages.table.logs(package_id)
    details = _mapping(stored.deployment["details"])
    # Two lists, as documented: the log of the steps, and those of data steps with a line for each record.
    texts = [_log(request, package_id, log) for log in logs if log.kind != "data"]
    rows = [_log(request, package_id, log) for log in logs if log.kind == "data"]
    listed = {"deployment_log": texts}
    if rows:
        listed["data_deployment_log"] = rows
    return envelope.success(
        responseDetails={**details, **listed},
        package_steps=stored.deployment["package_steps"],
    )


@router.get(f"{RECORD}/actions/import/results", summary="Results of an import")
async def import_results(
    request: Request,
    caller: SignedIn,
    package_id: str,
) -> Response:
    """Returns the imported package and the results of its validation."""
    packages = vault_of(request).inbound_packages
    stored = await packages.results(caller, package_id)
    found = _mapping(stored.validation or {})
    stored_logs = await packages.table.logs(package_id)
    logs = [log for log in stored_logs if log.kind == "validation"]
    package = {
        "id": package_id,
        "name": found.get("package_name"),
        "status": "active__v",
        "package_status": found.get("package_status"),
        "log": [_log(request, package_id, log) for log in logs],
        "package_steps": found.get("package_steps", []),
        # A documented member; packages have no code here.
        "package_code": [],
    }
    return envelope.success(vaultPackage=package)


@router.get(
    f"/vobjects/{OUTBOUND}/{{package_id}}/dependencies",
    summary="Dependencies of an outbound package",
)
@router.get(
    f"/vobject/{OUTBOUND}/{{package_id}}/dependencies", include_in_schema=False
)  # the Java client's path
async def dependencies(
    request: Request,
    caller: SignedIn,
    package_id: str,
) -> Response:
    """Lists components that the package's components refer to and that the package lacks.

    Creating a `package_component__v` record with a component's `id` adds the component to the package.
    """
    details, missing = await vault_of(request).outbound_packages.dependencies(
        caller, package_id
    )
    details["url"] = f"{origin(request)}{base_path(request)}/vobjects/{MEMBER}"
    members: dict[str, object] = {"responseDetails": details}
    if missing:
        members["package_dependencies"] = missing
    return envelope.success(**members)


@router.get("/services/package/{package_id}/content", summary="Download a package")
async def content_of(
    request: Request,
    caller: SignedIn,
    package_id: str,
) -> Response:
    """Returns the file of an imported package, or the last export of an outbound one."""
    vault = vault_of(request)
    stored = await vault.inbound_packages.file(caller, package_id)
    content = vault.files.get(stored.file_key)
    return file_response(content, stored.file_name, stored.size)


@router.get(
    "/services/package/{package_id}/logs/{name}", summary="Download a log of a package"
)
async def log_of(
    request: Request,
    caller: SignedIn,
    package_id: str,
    name: str,
) -> Response:
    """Returns a log of a validation or deployment as text; the log of a data step is CSV, one line for each record."""
    packages = vault_of(request).inbound_packages
    # Refuses callers who may not see the package.
    await packages.results(caller, package_id)
    text = await packages.table.log(package_id, name)
    if text is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The log [{name[:100]}] does not exist"
        )
    headers = {STATUS_HEADER: Status.SUCCESS, "Content-Disposition": disposition(name)}
    kind = "text/csv" if name.endswith(".csv") else "text/plain"
    return Response(text, 200, headers, kind)


@router.post(
    "/services/configuration_mode/actions/enable", summary="Enable configuration mode"
)
async def enable_configuration_mode(request: Request, caller: SignedIn) -> Response:
    """Refuses, from now on, the calls of all but administrators (`CONFIGURATION_MODE_ENABLED`)."""
    await vault_of(request).configuration_mode.switch(caller, enabled=True)
    return envelope.success(responseMessage="Configuration Mode Active enabled.")


@router.post(
    "/services/configuration_mode/actions/disable", summary="Disable configuration mode"
)
async def disable_configuration_mode(request: Request, caller: SignedIn) -> Response:
    """Admits all users again."""
    await vault_of(request).configuration_mode.switch(caller, enabled=False)
    return envelope.success(responseMessage="Configuration Mode Active disabled.")


async def _file(request: Request, caller: Caller) -> tuple[bytes, str]:
    """Return the uploaded package and its name.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not manage packages; PARAMETER_REQUIRED without a file;
        EXCEEDS_FILE_MAX_SIZE when it is too large.
    """
    # Before the file is read: who may not deploy packages need not send one to learn it.
    vault_of(request).inbound_packages.admit(caller)
    async with upload_form(request, MAX_FILE_BYTES) as form:
        name = form.sent_name()
        content = await form.whole()
        return content, name


def _log(request: Request, package_id: str, log: PackageLog) -> dict[str, object]:
    """Return a log of a package as an entry of a list."""
    head = f"{origin(request)}{base_path(request)}/services/package/{package_id}"
    url = f"{head}/logs/{quote(log.name, safe='')}"
    # Packages have moments of their own form, without a zone.
    created = log.created_date.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return {"filename": log.name, "url": url, "created_date__v": created}


def _mapping(value: object) -> Mapping[str, object]:
    """Return a member of stored JSON if it is an object, and an empty mapping otherwise."""
    if isinstance(value, Mapping):
        return value
    return {}
