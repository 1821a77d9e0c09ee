"""Serves document templates: lists, creates, changes and deletes them, and downloads their files."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.csv_cells import exact_csv_text
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ChangesTemplates
from shared.vault.api.body import media_type, read_fields, read_rows
from shared.vault.api.file_body import (
    RangeHeader,
    file_response,
    open_document_form,
    span_of,
)
from shared.vault.api.openapi.request_bodies import (
    CSV,
    MULTIPART,
    RECORD_DOCUMENTATION,
    ROWS_DOCUMENTATION,
)
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of, wants_csv
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.documents.document_templates import NAME, DocumentTemplate
from shared.vault.documents.versions import LEVELS
from shared.vault.errors import bounded_errors
from shared.vault.records.rows import RowResult

router = APIRouter(prefix=PREFIX, tags=["Documents"])

METADATA = "/metadata/objects/documents/templates"
ALL = "/objects/documents/templates"
ONE = f"{ALL}/{{template_name}}"
GREATEST = 2**63 - 1
# Name, type, requiredness, whether it can be changed, and what else its type has.
FIELDS: tuple[tuple[str, str, str, bool, dict[str, object]], ...] = (
    ("name__v", "String", "required", True, {"max_length": 50}),
    ("label__v", "String", "required", True, {"max_length": 100}),
    ("active__v", "Boolean", "required", True, {}),
    ("type__v", "Component", "required", True, {"component": "Doctype"}),
    ("subtype__v", "Component", "conditional", True, {"component": "Doctype"}),
    ("classification__v", "Component", "optional", True, {"component": "Doctype"}),
    ("format__v", "String", "required", False, {"max_length": 200}),
    ("size__v", "Number", "required", False, {}),
    ("created_by__v", "Number", "required", False, {}),
    ("file_uploaded_by__v", "Number", "required", False, {}),
    ("md5checksum__v", "String", "required", False, {"max_length": 100}),
)
OF_NUMBERS = {"max_value": GREATEST, "min_value": 0, "scale": 0}


@router.get(METADATA, summary="Fields of templates")
async def metadata(request: Request, caller: SignedIn) -> Response:
    """Lists the fields of document templates."""
    vault_of(request).documents.model(caller, Operation.READ)
    return envelope.success(data=[_field(*each) for each in FIELDS])


@router.get(ALL, summary="Document templates")
async def listed(request: Request, caller: SignedIn) -> Response:
    """Lists all document templates."""
    found = await vault_of(request).document_templates.all(caller)
    return envelope.success(data=[_json(each) for each in found])


@router.post(ALL, summary="Create templates", openapi_extra=ROWS_DOCUMENTATION)
async def create(request: Request, caller: ChangesTemplates) -> Response:
    """Creates one template from a form with its `file`, or up to 500 from rows that name files of the staging area.

    `label__v`, `type__v` and `active__v` are required; `name__v` defaults to a name derived from the label.
    """
    templates = vault_of(request).document_templates
    if media_type(request.headers) == MULTIPART:
        async with open_document_form(request, caller) as (fields, file):
            results = await templates.create(caller, [fields], file)
        return _one_result(request, results)
    sent = await read_rows(request)
    return _results(request, await templates.create(caller, sent.rows))


@router.put(ALL, summary="Update templates", openapi_extra=ROWS_DOCUMENTATION)
async def update_many(request: Request, caller: ChangesTemplates) -> Response:
    """Changes `label__v`, `active__v` and, by `new_name`, the name of templates, which rows name by `name__v`."""
    sent = await read_rows(request)
    templates = vault_of(request).document_templates
    return _results(request, await templates.update(caller, sent.rows))


@router.get(ONE, summary="One template")
async def one(request: Request, caller: SignedIn, template_name: str) -> Response:
    """Returns one document template."""
    found = await vault_of(request).document_templates.one(caller, template_name)
    return envelope.success(data=[_json(found)])


@router.put(ONE, summary="Update a template", openapi_extra=RECORD_DOCUMENTATION)
async def update(
    request: Request, caller: ChangesTemplates, template_name: str
) -> Response:
    """Changes `label__v`, `active__v` and, by `new_name` or another `name__v`, the name of a template."""
    fields = await read_fields(request)
    # The public example sends the new name as `name__v`, the description of the call as `new_name`.
    renamed = fields.pop(NAME, "")
    row = {"new_name": renamed, **fields, NAME: template_name}
    results = await vault_of(request).document_templates.update(caller, [row])
    return _one_result(request, results)


@router.delete(ONE, summary="Delete a template")
async def delete(
    request: Request, caller: ChangesTemplates, template_name: str
) -> Response:
    """Deletes a document template; documents that were created from it stay."""
    await vault_of(request).document_templates.delete(caller, template_name)
    return envelope.success()


@router.get(f"{ONE}/file", summary="Download a template's file")
async def file(
    request: Request,
    caller: SignedIn,
    template_name: str,
    wanted: RangeHeader = None,
) -> Response:
    """Returns the file of a template, or the part of it that `Range` names."""
    vault = vault_of(request)
    found = await vault.document_templates.file(caller, template_name)
    size = found.content.size
    span = span_of(wanted, size)
    content = vault.document_files.bytes_of(found, span.start, span.length)
    return file_response(content, found.filename, size, span)


def _field(
    name: str, kind: str, requiredness: str, editable: bool, more: dict[str, object]
) -> dict[str, object]:
    """Return the metadata of a field of templates; ``more`` are further members."""
    bounds = OF_NUMBERS if kind == "Number" else more
    return {
        "name": name,
        "type": kind,
        "requiredness": requiredness,
        "editable": editable,
        "multi_value": False,
        **bounds,
    }


def _json(template: DocumentTemplate) -> dict[str, object]:
    """Return a template; levels below its document type are left out."""
    levels = zip(LEVELS, template.document_type.split("."), strict=False)
    return {
        "name__v": template.name,
        "label__v": template.label,
        "active__v": template.active,
        **dict(levels),
        "format__v": template.format,
        "size__v": template.size,
        "created_by__v": template.created_by,
        # A template keeps the file that it was created with.
        "file_uploaded_by__v": template.created_by,
        "md5checksum__v": template.md5,
    }


def _one_result(request: Request, results: Sequence[RowResult]) -> Response:
    """Return the result of a call about one template."""
    if wants_csv(request.headers.get("accept", "")):
        return _csv(results)
    (result,) = results
    if not result.ok:
        return envelope.failures(result.errors)
    return envelope.success(name=result.id)


def _results(request: Request, results: Sequence[RowResult]) -> Response:
    """Return the results of rows, as CSV when the call accepts it."""
    if wants_csv(request.headers.get("accept", "")):
        return _csv(results)
    rows: list[dict[str, object]] = []
    for result in results:
        if result.ok:
            rows.append({"responseStatus": Status.SUCCESS, "name": result.id})
            continue
        errors = envelope.errors_json(result.errors)
        rows.append({"responseStatus": Status.FAILURE, "errors": errors})
    return envelope.success(data=rows)


def _csv(results: Sequence[RowResult]) -> Response:
    """Return results as CSV with the columns that the public API has for templates."""
    lines: list[Sequence[object]] = [("responseStatus", "name", "errors")]
    for result in results:
        errors = [f"{e.type}|{e.message}" for e in bounded_errors(result.errors)]
        status = Status.SUCCESS if result.ok else Status.FAILURE
        lines.append((status, result.id, "\n".join(errors)))
    content = exact_csv_text(lines).encode()
    return Response(content, 200, {STATUS_HEADER: Status.SUCCESS}, CSV)
