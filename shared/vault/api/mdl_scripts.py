"""Components: MDL executed now or as a job, components as MDL and as configuration, their content files."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.date_times import date_time_text
from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_text
from shared.vault.api.file_body import disposition, upload_form
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.configuration import component_jobs, standard_items
from shared.vault.configuration.component_files import MAX_FILE_BYTES
from shared.vault.configuration.component_service import OBJECT_TYPE
from shared.vault.errors import ApiError, VaultFault

router = APIRouter(tags=["Components"])


MDL_TEXT = {
    "requestBody": {
        "content": {
            kind: {"schema": {"type": "string"}}
            for kind in ("text/plain", "application/octet-stream")
        }
    }
}
FILE_FORM = {
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


@router.post("/api/mdl/execute", summary="Execute MDL", openapi_extra=MDL_TEXT)
@router.post(f"{PREFIX}/api/mdl/execute", include_in_schema=False)
async def execute(request: Request, caller: SignedIn) -> Response:
    """The body is MDL text, whatever Content-Type says; each statement is carried out whole or not at all."""
    vault = vault_of(request)
    script = await vault.components.execute(caller, await read_text(request))
    return _executed(script.to_json(vault.definition.label))


@router.post(
    "/api/mdl/execute_async", summary="Execute MDL as a job", openapi_extra=MDL_TEXT
)
@router.post(f"{PREFIX}/api/mdl/execute_async", include_in_schema=False)
@router.post(
    "/api/mdl/execute_asyc", include_in_schema=False
)  # as the Java client spells it
async def execute_async(request: Request, caller: SignedIn) -> Response:
    """The script is read at once, and refused when it is not MDL; what its statements come to is the job's result."""
    job_id, statements = await vault_of(request).script_jobs.submit(
        caller, await read_text(request)
    )
    accepted = {
        "code": "GEN-S-0",
        "message": "OK",
        "warnings": 0,
        "failures": 0,
        "exceptions": 0,
        "components_affected": len(statements),
        "execution_time": 0.0,
    }
    url = f"{base_path(request)}/services/jobs/{job_id}"
    return envelope.success(script_execution=accepted, job_id=job_id, url=url)


@router.get(
    "/api/mdl/execute_async/{job_id}/results", summary="What an MDL job came to"
)
@router.get(
    f"{PREFIX}/api/mdl/execute_async/{{job_id}}/results", include_in_schema=False
)
async def async_results(request: Request, caller: SignedIn, job_id: int) -> Response:
    """As if the script had been executed at once; `OPERATION_NOT_ALLOWED` while the job runs."""
    job = await vault_of(request).jobs.finished_job(
        caller, job_id, component_jobs.EXECUTE
    )
    if "script_execution" in job.results:
        return _executed(job.results)
    raise VaultFault(
        ErrorType.OPERATION_NOT_ALLOWED,
        f"The job [{job_id}] ended as [{job.status}] without results",
    )


def _executed(members: Mapping[str, object]) -> Response:
    """The answer to a script: a failure names every statement that was refused."""
    statements = members["statement_execution"]
    listed = statements if isinstance(statements, list) else []
    messages = [
        error["message"]
        for statement in listed
        for error in statement.get("errors", ())
    ]
    if not messages:
        return envelope.success(**members)
    return envelope.failures(
        [ApiError(ErrorType.INVALID_DATA, message) for message in messages],
        dict(members),
    )


@router.get("/api/mdl/components/{component_name}", summary="A component as MDL")
@router.get(f"{PREFIX}/api/mdl/components/{{component_name}}", include_in_schema=False)
async def component_mdl(
    request: Request, caller: SignedIn, component_name: str
) -> Response:
    """MDL text that executes to the same component; `component_name` is `Type.name`."""
    text = vault_of(request).components.mdl(caller, component_name)
    return Response(
        text, 200, {STATUS_HEADER: Status.SUCCESS}, "text/plain;charset=UTF-8"
    )


@router.post("/api/mdl/files", summary="Upload a content file", openapi_extra=FILE_FORM)
@router.post(f"{PREFIX}/api/mdl/files", include_in_schema=False)
@router.post("/api/api/mdl/files", include_in_schema=False)  # the Java client's path
async def upload_file(request: Request, caller: SignedIn) -> Response:
    """A file of up to 10 MB; a component names it by the `name__v` of the answer."""
    authorize(caller, Grant.EXECUTE_MDL)
    async with upload_form(request, MAX_FILE_BYTES) as form:
        if form.file is None:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [file]"
            )
        content = b"".join([chunk async for chunk in form.content()])
        uploaded = await vault_of(request).component_files.upload(
            caller, form.file.filename or "", content
        )
    return envelope.success(data=uploaded.to_json())


@router.get("/api/mdl/files/{file_name}", summary="A content file")
@router.get(f"{PREFIX}/api/mdl/files/{{file_name}}", include_in_schema=False)
async def file_content(request: Request, caller: SignedIn, file_name: str) -> Response:
    """The bytes of a content file, by its `name__v`."""
    found, content = await vault_of(request).component_files.content(caller, file_name)
    headers = {
        STATUS_HEADER: Status.SUCCESS,
        "Content-Disposition": disposition(found.original_name),
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, 200, headers, found.format)


@router.get(
    "/api/mdl/components/{component_name}/files",
    summary="The content files of a component",
)
@router.get(
    f"{PREFIX}/api/mdl/components/{{component_name}}/files", include_in_schema=False
)
async def component_files(
    request: Request, caller: SignedIn, component_name: str
) -> Response:
    """The files that the component names, and where their content is."""
    files = await vault_of(request).component_files.files_of(caller, component_name)
    links = [
        {
            "rel": "content",
            "href": f"/api/mdl/files/{file.name}",
            "method": "GET",
            "accept": file.format,
        }
        for file in files
    ]
    return envelope.success(links=links, data=[file.to_json() for file in files])


@router.get(
    f"{PREFIX}/services/standard_configuration",
    summary="Standard configuration that was withheld",
)
async def withheld_standard(request: Request, caller: SignedIn) -> Response:
    """What this version brings and the Vault could not be given, since it was changed here; `shipped` is its text."""
    listed = await standard_items.withheld(vault_of(request).database, caller)
    return envelope.success(
        data=[
            {
                "kind": item["kind"],
                "name": item["name"],
                "reason": item["reason"],
                "withheld_date": date_time_text(item["withheld_date"]),
                "shipped": item["withheld"],
            }
            for item in listed
        ]
    )


@router.get(
    f"{PREFIX}/configuration/{{component_name}}", summary="Components as configuration"
)
async def configuration(
    request: Request, caller: SignedIn, component_name: str
) -> Response:
    """All components of a type (`Integrationrule`), or one of them (`Integrationrule.name__c`)."""
    kind, _, name = component_name.partition(".")
    listed = vault_of(request).components.configuration(caller, kind)
    if kind not in COMPONENT_TYPES:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no component type [{kind[:60]}]"
        )
    if not name:
        return envelope.success(data=listed)
    for component in listed:
        full_name = (
            f"{component['object']}.{component['name']}"
            if kind == OBJECT_TYPE
            else component["name"]
        )
        if full_name == name:
            return envelope.success(data=component)
    raise VaultFault(
        ErrorType.INVALID_DATA, f"There is no component [{component_name[:200]}]"
    )
