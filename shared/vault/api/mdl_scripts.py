"""Serves components: executes MDL at once or as a job, returns components as MDL, as configuration and as files."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import Grant, authorize
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ChangesComponents, ExecutesMdl
from shared.vault.api.body import read_text
from shared.vault.api.file_body import download_headers, upload_form
from shared.vault.api.jobs import job_url, submitted
from shared.vault.api.openapi.request_bodies import FILE_FORM, MDL_DOCUMENTATION
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.configuration import component_jobs, standard_items
from shared.vault.configuration.component_files import MAX_FILE_BYTES
from shared.vault.errors import ApiError, VaultFault

router = APIRouter(tags=["Components"])

# The language of labels.
LANGUAGE = "en"


@router.post("/api/mdl/execute", summary="Execute MDL", openapi_extra=MDL_DOCUMENTATION)
@router.post(f"{PREFIX}/api/mdl/execute", include_in_schema=False)
async def execute(request: Request, caller: ChangesComponents) -> Response:
    """Executes the MDL text of the body; each statement is executed completely or not at all."""
    vault = vault_of(request)
    text = await read_text(request)
    script = await vault.components.execute(caller, text)
    return _executed(script.to_json(vault.definition.label))


@router.post(
    "/api/mdl/execute_async",
    summary="Execute MDL as a job",
    openapi_extra=MDL_DOCUMENTATION,
)
@router.post(f"{PREFIX}/api/mdl/execute_async", include_in_schema=False)
@router.post(
    "/api/mdl/execute_asyc", include_in_schema=False
)  # as the Java client spells it
async def execute_async(request: Request, caller: ChangesComponents) -> Response:
    """Starts a job that executes the MDL text of the body; invalid MDL is refused at once."""
    text = await read_text(request)
    job_id, statements = await vault_of(request).script_jobs.submit(caller, text)
    # The documented members of a script's result; nothing has been executed yet.
    accepted = {
        "code": "GEN-S-0",
        "message": "OK",
        "warnings": 0,
        "failures": 0,
        "exceptions": 0,
        "components_affected": len(statements),
        "execution_time": 0.0,
    }
    return submitted(request, job_id, script_execution=accepted)


@router.get("/api/mdl/execute_async/{job_id}/results", summary="Results of an MDL job")
@router.get(
    f"{PREFIX}/api/mdl/execute_async/{{job_id}}/results", include_in_schema=False
)
async def async_results(
    request: Request,
    caller: SignedIn,
    job_id: int,
) -> Response:
    """Returns the same answer as `POST /api/mdl/execute`; while the job runs, `WARNING` with its id and address."""
    jobs = vault_of(request).jobs
    job = await jobs.job_of_type(caller, job_id, component_jobs.EXECUTE)
    if not job.status.finished:
        message = f"The job [{job_id}] has not finished"
        url = job_url(request, job_id)
        return envelope.in_progress(message, job_id=job_id, url=url)
    if "script_execution" in job.results:
        return _executed(job.results)
    raise VaultFault(
        ErrorType.OPERATION_NOT_ALLOWED,
        f"The job [{job_id}] ended as [{job.status}] without results",
    )


def _executed(members: Mapping[str, object]) -> Response:
    """Return the answer to a script: a failure that has the errors of all its statements, or a success."""
    statements = members["statement_execution"]
    listed = statements if isinstance(statements, list) else []
    found = chain.from_iterable(statement.get("errors", ()) for statement in listed)
    errors = [ApiError(ErrorType.INVALID_DATA, error["message"]) for error in found]
    if not errors:
        return envelope.success(**members)
    return envelope.failures(errors, dict(members))


@router.get("/api/mdl/components/{component_name}", summary="A component as MDL")
@router.get(f"{PREFIX}/api/mdl/components/{{component_name}}", include_in_schema=False)
async def component_mdl(
    request: Request,
    caller: SignedIn,
    component_name: str,
) -> Response:
    """Returns MDL text that makes the same component when executed; `component_name` is `Type.name`."""
    text = vault_of(request).components.mdl(caller, component_name)
    headers = {STATUS_HEADER: Status.SUCCESS}
    return Response(text, 200, headers, "text/plain;charset=UTF-8")


@router.post("/api/mdl/files", summary="Upload a content file", openapi_extra=FILE_FORM)
@router.post(f"{PREFIX}/api/mdl/files", include_in_schema=False)
@router.post("/api/api/mdl/files", include_in_schema=False)  # the Java client's path
async def upload_file(request: Request, caller: ExecutesMdl) -> Response:
    """Stores a file of up to 10 MB; components refer to it by the `name__v` in the answer."""
    # Before the file is read, so that only those who may use it can send it.
    authorize(caller, Grant.EXECUTE_MDL)
    async with upload_form(request, MAX_FILE_BYTES) as form:
        name = form.sent_name()
        content = await form.whole()
        uploaded = await vault_of(request).component_files.upload(caller, name, content)
    return envelope.success(data=uploaded.to_json())


@router.get("/api/mdl/files/{file_name}", summary="A content file")
@router.get(f"{PREFIX}/api/mdl/files/{{file_name}}", include_in_schema=False)
async def file_content(
    request: Request,
    caller: SignedIn,
    file_name: str,
) -> Response:
    """Returns the bytes of a content file, by its `name__v`."""
    found, content = await vault_of(request).component_files.content(caller, file_name)
    headers = download_headers(found.original_name)
    return Response(content, 200, headers, found.format)


@router.get(
    "/api/mdl/components/{component_name}/files",
    summary="The content files of a component",
)
@router.get(
    f"{PREFIX}/api/mdl/components/{{component_name}}/files", include_in_schema=False
)
async def component_files(
    request: Request,
    caller: SignedIn,
    component_name: str,
) -> Response:
    """Lists the files that the component refers to, and the addresses of their content."""
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
    summary="Withheld standard configuration",
)
async def withheld_standard(request: Request, caller: SignedIn) -> Response:
    """Lists standard configuration of this version that was not applied, because it was changed in this Vault.

    `shipped` is the MDL that this version has.
    """
    # Stored when this version first started; the call compares nothing.
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
    request: Request,
    caller: SignedIn,
    component_name: str,
    loc: Annotated[
        bool, Query(description="`true` adds the labels of object types by language.")
    ] = False,
) -> Response:
    """Returns all components of a type (`Integrationrule`), or one of them (`Integrationrule.name__c`)."""
    kind, _, name = component_name.partition(".")
    listed = vault_of(request).components.configuration(caller, kind)
    if kind not in COMPONENT_TYPES:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"There is no component type [{kind[:60]}]"
        )
    of_types = kind == ComponentKind.OBJECT_TYPE
    if of_types and loc:
        listed = [{**each, "localized_data": _localized(each)} for each in listed]
    if of_types and not name:
        # Vault API reference, Retrieve Details from All Object Types; all of them stand on one page.
        counts = {"size": len(listed), "total": len(listed)}
        return envelope.success(responseDetails=counts, data=listed)
    if not name:
        return envelope.success(data=listed)
    for component in listed:
        full_name = component["name"]
        # Types of different objects may have the same name.
        if of_types:
            full_name = f"{component['object']}.{full_name}"
        if full_name == name:
            return envelope.success(data=component)
    raise VaultFault(
        ErrorType.INVALID_DATA, f"There is no component [{component_name[:200]}]"
    )


def _localized(object_type: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the labels of an object type by language; a Vault has one language."""
    return {name: {LANGUAGE: object_type[name]} for name in ("label", "label_plural")}
