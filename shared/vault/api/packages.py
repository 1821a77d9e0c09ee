"""Packages (VPK): import, validation, deployment and its results; export and the dependencies of what is exported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.file_body import disposition, file_response, upload_form
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    origin,
    vault_of,
)
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.errors import VaultFault
from shared.vault.packages.package_archive import MAX_FILE_BYTES
from shared.vault.packages.package_model import MEMBER, OUTBOUND, PACKAGE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.assembly.vault import Vault
    from shared.vault.packages.package_table import PackageLog

router = APIRouter(prefix=PREFIX, tags=["Packages"])

RECORD = f"/vobject/{PACKAGE}/{{package_id}}"
VALIDATE = f"/services{RECORD}/actions/validate"

FILE: dict[str, object] = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        }
    }
}
NAME = form_documentation(
    {"packageName": "Name of the outbound package, such as PKG-0001"}
)


@router.post("/services/package", summary="Export a package", openapi_extra=NAME)
async def export_package(request: Request, caller: SignedIn) -> Response:
    """Starts a job that writes the outbound package `packageName`; the job's status links to the file."""
    fields = await read_fields(request)
    name = fields.get("packageName", "").strip()
    return submitted(
        request, await vault_of(request).outbound_packages.submit_export(caller, name)
    )


@router.put("/services/package", summary="Import a package", openapi_extra=FILE)
async def import_package(request: Request, caller: SignedIn) -> Response:
    """Starts a job that imports and validates the package in the form field `file`, as a `vault_package__v` record."""
    content, name = await _file(request, caller)
    return submitted(
        request,
        await vault_of(request).inbound_packages.submit_import(caller, content, name),
    )


@router.post(
    "/services/package/actions/validate",
    summary="Validate a package",
    openapi_extra=FILE,
)
async def validate_package(request: Request, caller: SignedIn) -> Response:
    """Tries the package in the form field `file` on the Vault's components, without importing it."""
    content, _ = await _file(request, caller)
    return envelope.success(
        responseDetails=await vault_of(request).inbound_packages.validate_file(
            caller, content
        )
    )


@router.post(VALIDATE, summary="Validate an imported package")
@router.post(
    VALIDATE.replace(PACKAGE, "vault_package_v"), include_in_schema=False
)  # as the Java client spells it
async def validate_imported(
    request: Request, caller: SignedIn, package_id: str
) -> Response:
    """Tries an imported package on the Vault's components as they are now."""
    document = await vault_of(request).inbound_packages.validate(caller, package_id)
    return envelope.success(responseDetails=document)


@router.post(f"{RECORD}/actions/deploy", summary="Deploy a package")
@router.put(f"{RECORD}/actions/deploy", include_in_schema=False)
async def deploy(request: Request, caller: SignedIn, package_id: str) -> Response:
    """Starts a job that carries out all steps of an imported package, or none of them."""
    return submitted(
        request,
        await vault_of(request).inbound_packages.submit_deploy(caller, package_id),
    )


@router.get(f"{RECORD}/actions/deploy/results", summary="Results of a deployment")
async def deploy_results(
    request: Request, caller: SignedIn, package_id: str
) -> Response:
    """What every step of the last deployment came to, and where its logs are."""
    packages = vault_of(request).inbound_packages
    stored = await packages.results(caller, package_id)
    if stored.deployment is None:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED, "The package has not been deployed yet"
        )
    logs = await packages.table.logs(package_id)
    details = _mapping(stored.deployment["details"])
    texts = [_log(request, package_id, log) for log in logs if log.kind != "data"]
    rows = [_log(request, package_id, log) for log in logs if log.kind == "data"]
    listed = {"deployment_log": texts} | ({"data_deployment_log": rows} if rows else {})
    return envelope.success(
        responseDetails={**details, **listed},
        package_steps=stored.deployment["package_steps"],
    )


@router.get(f"{RECORD}/actions/import/results", summary="Results of an import")
async def import_results(
    request: Request, caller: SignedIn, package_id: str
) -> Response:
    """The imported package, and what its validation came to."""
    packages = vault_of(request).inbound_packages
    stored = await packages.results(caller, package_id)
    found = _mapping(stored.validation or {})
    logs = [
        log for log in await packages.table.logs(package_id) if log.kind == "validation"
    ]
    package = {
        "id": package_id,
        "name": found.get("package_name"),
        "status": "active__v",
        "package_status": found.get("package_status"),
        "log": [_log(request, package_id, log) for log in logs],
        "package_steps": found.get("package_steps", []),
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
async def dependencies(request: Request, caller: SignedIn, package_id: str) -> Response:
    """Components that those of the package refer to, and that it lacks; `id` is what a member's record takes."""
    details, missing = await vault_of(request).outbound_packages.dependencies(
        caller, package_id
    )
    details["url"] = f"{origin(request)}{base_path(request)}/vobjects/{MEMBER}"
    return envelope.success(
        responseDetails=details,
        **({"package_dependencies": missing} if missing else {}),
    )


@router.get("/services/package/{package_id}/content", summary="Download a package")
async def content_of(request: Request, caller: SignedIn, package_id: str) -> Response:
    """The file of an imported package, or of an outbound one as it was last exported."""
    vault = vault_of(request)
    stored = await vault.inbound_packages.results(caller, package_id)
    return file_response(
        vault.files.get(stored.file_key), stored.file_name, stored.size
    )


@router.get(
    "/services/package/{package_id}/logs/{name}", summary="Download a log of a package"
)
async def log_of(
    request: Request, caller: SignedIn, package_id: str, name: str
) -> Response:
    """A log of validation or deployment as text; of data steps as CSV, a line a record."""
    packages = vault_of(request).inbound_packages
    await packages.results(caller, package_id)
    text = await packages.table.log(package_id, name)
    if text is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The log [{name[:100]}] does not exist"
        )
    headers = {STATUS_HEADER: Status.SUCCESS, "Content-Disposition": disposition(name)}
    return Response(
        text, 200, headers, "text/csv" if name.endswith(".csv") else "text/plain"
    )


@router.post(
    "/services/configuration_mode/actions/enable", summary="Enable configuration mode"
)
async def enable_configuration_mode(request: Request, caller: SignedIn) -> Response:
    """From now on all but administrators are refused with `CONFIGURATION_MODE_ENABLED`."""
    await vault_of(request).configuration_mode.switch(caller, enabled=True)
    return envelope.success(responseMessage="Configuration Mode Active enabled.")


@router.post(
    "/services/configuration_mode/actions/disable", summary="Disable configuration mode"
)
async def disable_configuration_mode(request: Request, caller: SignedIn) -> Response:
    """The Vault is open to everyone again."""
    await vault_of(request).configuration_mode.switch(caller, enabled=False)
    return envelope.success(responseMessage="Configuration Mode Active disabled.")


async def _file(request: Request, caller: Caller) -> tuple[bytes, str]:
    """The uploaded package and its name; who may not have one deployed does not get to send it."""
    vault: Vault = vault_of(request)
    vault.inbound_packages.admit(caller)
    async with upload_form(request, MAX_FILE_BYTES) as form:
        if form.file is None:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [file]"
            )
        content = b"".join([chunk async for chunk in form.content()])
        return content, form.file.filename or ""


def _log(request: Request, package_id: str, log: PackageLog) -> dict[str, object]:
    url = f"{origin(request)}{base_path(request)}/services/package/{package_id}/logs/{quote(log.name, safe='')}"
    created = log.created_date.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return {"filename": log.name, "url": url, "created_date__v": created}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
