"""Serves reconciliations: starts and lists them, returns findings as CSV, transfers them again, and takes reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, Field
from starlette.responses import Response

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.protocol.reconciliation_verdicts import Verdict
from shared.protocol.whole_numbers import whole_number
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ReportsRuns, RequestsRuns
from shared.vault.api.body import missing, read_fields, read_record
from shared.vault.api.integrations import (
    Limit,
    Number,
    ReportBody,
    milliseconds,
    parsed,
    without_nul,
)
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import (
    OBJECT_DOCUMENTATION,
    form_documentation,
)
from shared.vault.api.paging import Offset
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.api.response_envelope import CSV, STATUS_HEADER, Status
from shared.vault.errors import VaultFault
from shared.vault.integrations.reconciliation_model import (
    WINDOW_MINUTES,
    Candidates,
    Item,
    Reconciliation,
    SliceReport,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.assembly.vault import Vault

router = APIRouter(prefix=f"{PREFIX}/services/reconciliations", tags=["Integrations"])

MAX_ID = 100  # characters, of the field of a finding
MAX_WINDOW = 10_080  # minutes: a week
MAX_REPORTED = 1000  # above the 500 records of a slice
COLUMNS = (
    "id",
    "kind__sys",
    "integration_point__sys",
    "source_object__sys",
    "source_record__sys",
    "details__sys",
    "transferred_again__sys",
)

Line = Annotated[str, Field(min_length=1, max_length=10_000)]


class _Progress(ReportBody):
    """The source's clock before the comparison begins, or the error that ends the reconciliation."""

    source_time: AwareDatetime | None = None
    error: str | None = None


class _Slice(ReportBody):
    """The result of one slice; each line of ``items`` has verdict, record id and field names, separated by blanks."""

    position: Annotated[str, Field(max_length=500)] = ""
    ended: bool = False
    integration_point: Annotated[str, Field(max_length=100)] = ""
    object: Annotated[str, Field(max_length=100)] = ""
    equal: Annotated[int, Field(ge=0, le=MAX_REPORTED, strict=True)] = 0
    items: Annotated[tuple[Line, ...], Field(max_length=MAX_REPORTED)] = ()


@router.post(
    "",
    summary="Compare both Vaults",
    openapi_extra=form_documentation(
        {
            "connection": "API name of a connection",
            "integration": "API name of an integration; only its integration points",
            "integration_point": "API name of an integration point; only this one",
            "window_minutes": "How long before the beginning a change counts as under way; 10 without it",
        }
    ),
)
async def request_reconciliation(request: Request, caller: RequestsRuns) -> Response:
    """Starts a job that compares this Vault's records with those that the rules make from each source record.

    One reconciliation of a connection runs at a time; the next one waits.
    """
    fields = await read_fields(request)
    unknown = fields.keys() - {
        "connection",
        "integration",
        "integration_point",
        "window_minutes",
    }
    if unknown:
        message = f"There is no parameter [{min(unknown)[:100]}]"
        raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    names = [
        without_nul(fields.get(name, "")) or None
        for name in ("connection", "integration", "integration_point")
    ]
    window = _window(fields.get("window_minutes", ""))
    service = vault_of(request).reconciliations
    job_id = await service.request(caller, *names, window_minutes=window)
    return submitted(request, job_id)


@router.get("", summary="Reconciliations")
async def list_reconciliations(
    request: Request,
    caller: SignedIn,
    connection: Annotated[
        str, Query(max_length=100, description="API name; all connections without it.")
    ] = "",
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Lists reconciliations of a `connection` (its API name), or of all, the latest first, with their counts."""
    name = without_nul(connection) or None
    service = vault_of(request).reconciliations
    found = await service.listed(caller, name, limit=limit, offset=offset)
    return envelope.success(
        responseDetails={"limit": limit, "offset": offset},
        data=[_json(stored) for stored in found],
    )


@router.get("/{job_id}", summary="One reconciliation")
async def one_reconciliation(
    request: Request, caller: SignedIn, job_id: Number
) -> Response:
    """Returns a reconciliation: its progress, and its counts in total and by integration point and target field."""
    stored = await vault_of(request).reconciliations.one(caller, job_id)
    return envelope.success(data=_json(stored))


@router.get("/{job_id}/findings", summary="Findings as CSV")
async def download_findings(
    request: Request, caller: SignedIn, job_id: Number
) -> Response:
    """Returns the findings of a reconciliation as CSV: kinds, names and record ids, no values."""
    return await findings_file(vault_of(request), caller, job_id)


async def findings_file(vault: Vault, caller: Caller, job_id: int) -> Response:
    """Return the findings of a reconciliation as a download.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not see it; INVALID_DATA when there is no such
        reconciliation.
    """
    stored = await vault.reconciliations.one(caller, job_id)
    rows = await vault.reconciliation_records.findings(caller, stored)
    lines = [COLUMNS, *([row[name] for name in COLUMNS] for row in rows)]
    headers = {
        STATUS_HEADER: Status.SUCCESS,
        "Content-Disposition": f'attachment; filename="reconciliation-{job_id}.csv"',
    }
    return Response(exact_csv_text(lines), 200, headers, CSV)


@router.post(
    "/{job_id}/actions/transfer_again",
    summary="Transfer findings again",
    openapi_extra=form_documentation(
        {"ids": "Record ids of findings, separated by commas; all without it"}
    ),
)
async def transfer_findings_again(
    request: Request, caller: RequestsRuns, job_id: Number
) -> Response:
    """Queues messages that transfer the findings once more; records that only this Vault has are left out."""
    fields = await read_fields(request)
    named = [part.strip() for part in without_nul(fields.get("ids", "")).split(",")]
    chosen = [part for part in named if part]
    # All of them only where nothing is named: a selection that came out empty is no wish for all.
    if "ids" in fields and not chosen:
        raise missing("ids")
    vault = vault_of(request)
    stored = await vault.reconciliations.one(caller, job_id)
    number = await vault.reconciliation_records.transfer_again(
        caller, stored, chosen or None
    )
    return envelope.success(data={"transferred_again": number})


@router.put(
    "/{job_id}",
    summary="Report the beginning of a reconciliation",
    openapi_extra=OBJECT_DOCUMENTATION,
)
async def report_progress(
    request: Request, caller: ReportsRuns, job_id: Number
) -> Response:
    """Takes `source_time`, the source's clock before the comparison begins, or `error`, which ends the job.

    For connectors.
    """
    progress = parsed(_Progress, await read_record(request))
    service = vault_of(request).reconciliations
    if progress.error is not None:
        error = without_nul(progress.error)
        stored = await service.give_up(caller, job_id, error)
    elif progress.source_time is not None:
        source_time = milliseconds("source_time", progress.source_time)
        stored = await service.begin_comparing(caller, job_id, source_time)
    else:
        raise missing("source_time")
    return envelope.success(data=_json(stored))


@router.put(
    "/{job_id}/slices/{slice_number}",
    summary="Report a slice",
    openapi_extra=OBJECT_DOCUMENTATION,
)
async def report_slice(
    request: Request, caller: ReportsRuns, job_id: Number, slice_number: Number
) -> Response:
    """Takes the result of a slice once, even if it is reported again, and sends the message of the next slice.

    For connectors: `integration_point`, `object`, the number of `equal` records, the other `items` as lines of verdict,
    record id and field names, the `position` of the next slice, and `ended` after the last one.
    """
    body = parsed(_Slice, await read_record(request))
    items = tuple(_item(without_nul(line)) for line in body.items)
    report = SliceReport(
        slice_number,
        without_nul(body.position),
        body.ended,
        without_nul(body.integration_point),
        without_nul(body.object),
        body.equal,
        items,
    )
    stored = await vault_of(request).reconciliations.report(caller, job_id, report)
    return envelope.success(data=_json(stored))


def _item(line: str) -> Item:
    """Return the record in a line of a report.

    :raises VaultFault: INVALID_DATA when the line has no verdict, or no record id.
    """
    verdict, _, rest = line.partition(" ")
    item, *details = rest.split(" ")
    if verdict not in tuple(Verdict) or not 0 < len(item) <= MAX_ID:
        message = "Invalid value for parameter [items]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return Item(item, Verdict(verdict), tuple(details))


def _window(text: str) -> int:
    """Return the minutes of the window; the default for an empty text.

    :raises VaultFault: INVALID_DATA when the text is not a whole number of minutes up to a week.
    """
    if not text:
        return WINDOW_MINUTES
    minutes = whole_number(text)
    if minutes is None or not 0 <= minutes <= MAX_WINDOW:
        message = f"[window_minutes] is a number up to {MAX_WINDOW}"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return minutes


def _json(stored: Reconciliation) -> dict[str, object]:
    """Return a reconciliation in the format of the API."""
    scope = stored.scope
    document: dict[str, object] = {
        "job_id": stored.job_id,
        "status": stored.status,
        "connection": stored.connection,
        "integration": scope.integration,
        "integration_point": scope.integration_point,
        "window_minutes": scope.window_minutes,
        "created_date": date_time_text(stored.created_date),
        "run_end_date": date_time_text(stored.run_end_date),
        "source_time": date_time_text(stored.source_time),
        "phase": stored.phase,
        "slice": stored.slice,
        "position": stored.position,
        "findings": stored.findings,
        "counts": stored.total,
        "integration_points": stored.by_point,
        "different_fields": dict(stored.fields),
    }
    if stored.candidates is not None:
        document["candidates"] = _candidates(stored.candidates)
    if stored.error is not None:
        document["error"] = stored.error
    return document


def _candidates(candidates: Candidates) -> dict[str, object]:
    return {
        "integration_point": candidates.integration_point,
        "object": candidates.object,
        "items": list(candidates.items),
    }
