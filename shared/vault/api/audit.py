"""Serves audit trails: their fields, their entries, and the entries of one record or document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.file_body import file_response
from shared.vault.api.jobs import submitted
from shared.vault.api.paging import MAX_OFFSET, Offset, PageSize
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    parse_moment,
    vault_of,
)
from shared.vault.api.response_envelope import CSV, STATUS_HEADER, Status
from shared.vault.audit.audit_service import AuditFilter, AuditPage
from shared.vault.audit.trails import Trail
from shared.vault.errors import VaultFault

router = APIRouter(prefix=PREFIX, tags=["Audit"])

MAX_NAMES = 100
DEFAULT_RANGE = timedelta(days=30)
# Before it, a range that ends here would begin before the calendar does.
EARLIEST_END = datetime.min.replace(tzinfo=UTC) + DEFAULT_RANGE
# Earlier than the first entry of any Vault.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# The parameters that the link to another page replaces; ``all_dates`` takes no dates beside it.
OF_PAGE = frozenset({"all_dates", "start_date", "end_date", "limit", "offset"})

When = Annotated[str | None, Query(description="`YYYY-MM-DDTHH:MM:SSZ`, or a date.")]
Names = Annotated[str | None, Query(description="Separated by commas.")]
Format = Annotated[
    str | None, Query(description="`csv` returns the entries as CSV; `json`.")
]
CSV_FORMAT, JSON_FORMAT = "csv", "json"


@dataclass(frozen=True, slots=True)
class Paging:
    """The requested page of a list; ``csv`` requests it as CSV."""

    limit: int
    offset: int
    csv: bool


def _paging(
    limit: PageSize = 200,
    offset: Offset = 0,
    format_result: Format = None,
) -> Paging:
    """Return the page that a call requests.

    :raises VaultFault: INVALID_DATA for a format other than CSV and JSON.
    """
    # Public clients name the default, too.
    chosen = (format_result or JSON_FORMAT).lower()
    if chosen not in (CSV_FORMAT, JSON_FORMAT):
        raise VaultFault(
            ErrorType.INVALID_DATA, "Invalid value for parameter [format_result]"
        )
    return Paging(limit, offset, csv=chosen == CSV_FORMAT)


def _named(
    objects: Names = None, events: Names = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of objects and of events that a call requests.

    :raises VaultFault: INVALID_DATA when they are too many.
    """
    return _names("objects", objects), _names("events", events)


# Parameters that several calls take are declared once, as dependencies.
Shown = Annotated[Paging, Depends(_paging)]
Named = Annotated[tuple[tuple[str, ...], tuple[str, ...]], Depends(_named)]


@router.get("/metadata/audittrail", summary="Audit trails")
async def trails(request: Request, caller: SignedIn) -> Response:
    """Lists the audit trails with name, label and address."""
    listed = vault_of(request).audit.trails(caller)
    shown = [_reference(request, trail) for trail in listed]
    return envelope.success(audittrails=shown)


@router.get(
    "/metadata/audittrail/{audit_trail_type}", summary="The fields of an audit trail"
)
async def trail_metadata(
    request: Request,
    caller: SignedIn,
    audit_trail_type: str,
) -> Response:
    """Lists the fields of an audit trail with name, label and type."""
    trail = vault_of(request).audit.trail(caller, audit_trail_type)
    fields = [
        {"name": f.name, "label": f.label, "type": f.type.value} for f in trail.fields
    ]
    data = {"name": trail.name, "label": trail.label, "fields": fields}
    return envelope.success(data=data)


@router.get("/audittrail/{audit_trail_type}", summary="Entries of an audit trail")
async def entries(
    request: Request,
    caller: SignedIn,
    audit_trail_type: str,
    start_date: When = None,
    end_date: When = None,
    *,
    all_dates: bool = False,
    named: Named,
    shown: Shown,
) -> Response:
    """Lists the entries of an audit trail, the latest first.

    Without `start_date`, the list begins 30 days before its end. `format_result=csv` begins a job that writes all
    entries of the period to a CSV file; its status links to the file.
    """
    start, end = _range(start_date, end_date, all_dates=all_dates)
    wanted = AuditFilter(start, end, *named)
    if shown.csv:
        exports = vault_of(request).audit_exports
        job_id = await exports.submit(caller, audit_trail_type, wanted)
        # Vault API reference, Retrieve Audit Details: other calls name the job's id ``job_id``, this one ``jobId``.
        return submitted(request, job_id, jobId=job_id)
    page = await vault_of(request).audit.page(
        caller, audit_trail_type, wanted, limit=shown.limit, offset=shown.offset
    )
    return _answer(request, page, shown)


@router.get(
    "/audittrail/{audit_trail_type}/exports/{job_id}",
    summary="Download exported entries",
)
async def exported(
    request: Request,
    caller: SignedIn,
    audit_trail_type: str,
    job_id: int,
) -> Response:
    """Returns the CSV file that a job has written, to the user who began the job; the job's status has this address."""
    exports = vault_of(request).audit_exports
    item, content = await exports.file(caller, audit_trail_type, job_id)
    return file_response(
        content, f"{audit_trail_type}.csv", item.size, media="text/csv"
    )


@router.get(
    "/vobjects/{object_name}/{record_id}/audittrail", summary="Audit trail of a record"
)
async def of_record(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
    *,
    start_date: When = None,
    end_date: When = None,
    events: Names = None,
    shown: Shown,
) -> Response:
    """Lists the entries of a record, the latest first, also of a deleted record; without dates, all of them."""
    wanted = AuditFilter(
        parse_moment("start_date", start_date),
        parse_moment("end_date", end_date),
        # Not looked up: the trail of a record outlives the record, and that of an object its configuration.
        (_text(object_name),),
        _names("events", events),
        _text(record_id),
    )
    page = await vault_of(request).audit.of_record(
        caller, wanted, limit=shown.limit, offset=shown.offset
    )
    return _answer(request, page, shown)


@router.get(
    "/objects/documents/{document_id}/audittrail", summary="Audit trail of a document"
)
async def of_document(
    request: Request,
    caller: SignedIn,
    document_id: Annotated[int, Path(ge=1, le=MAX_OFFSET)],
    *,
    start_date: When = None,
    end_date: When = None,
    events: Names = None,
    shown: Shown,
) -> Response:
    """Lists the entries of a document, the latest first, also of a deleted document; without dates, all of them."""
    wanted = AuditFilter(
        parse_moment("start_date", start_date),
        parse_moment("end_date", end_date),
        (),
        _names("events", events),
        # The trail has one column for the ids of records and documents, which is text.
        str(document_id),
    )
    page = await vault_of(request).audit.of_document(
        caller, wanted, limit=shown.limit, offset=shown.offset
    )
    return _answer(request, page, shown)


def _answer(request: Request, page: AuditPage, shown: Paging) -> Response:
    """Return a page as CSV, or as an envelope with the addresses of the next and previous page."""
    if shown.csv:
        return _csv(page)

    period = {"start_date": page.wanted.start, "end_date": page.wanted.end}
    # Of this page and not of the time when the next is read: new entries would move those that are listed.
    bounds = {name: _exact(at) for name, at in period.items() if at is not None}

    # With the other parameters of this call, so that the next page is one of the same list.
    params = request.query_params.items()
    rest = {name: value for name, value in params if name not in OF_PAGE}

    def link(to: int) -> str:
        query = {**rest, **bounds, "limit": shown.limit, "offset": to}
        return f"{request.url.path}?{urlencode(query)}"

    details: dict[str, object] = {
        "offset": shown.offset,
        "limit": shown.limit,
        "size": len(page.rows),
        "total": page.total,
        "object": _reference(request, page.trail),
    }
    if shown.offset > 0:
        details["previous_page"] = link(max(0, shown.offset - shown.limit))
    if shown.offset + len(page.rows) < page.total:
        details["next_page"] = link(shown.offset + shown.limit)
    return envelope.success(responseDetails=details, data=page.rows)


def _exact(moment: datetime) -> str:
    """Return a moment as text, to the microsecond, as the trail has it."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def _csv(page: AuditPage) -> Response:
    """Return a page as CSV, with a column for each field."""
    header = [f.name for f in page.trail.fields]
    content = exact_csv_text([header, *(tuple(row.values()) for row in page.rows)])
    headers = {STATUS_HEADER: Status.SUCCESS}
    return Response(content.encode(), 200, headers, CSV)


def _reference(request: Request, trail: Trail) -> dict[str, str]:
    """Return the members by which answers refer to an audit trail."""
    url = f"{base_path(request)}/metadata/audittrail/{trail.name}"
    return {"name": trail.name, "label": trail.label, "url": url}


def _range(
    start: str | None,
    end: str | None,
    *,
    all_dates: bool,
) -> tuple[datetime | None, datetime | None]:
    """Return start and end of the requested period; None for a side that is not limited.

    :raises VaultFault: INVALID_DATA when the parameters are not moments, or contradict each other.
    """
    if all_dates:
        if start or end:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "[all_dates] takes neither [start_date] nor [end_date]",
            )
        return BEGINNING, None
    first = parse_moment("start_date", start)
    last = parse_moment("end_date", end)
    if first is None:
        # The trail of a Vault grows without end: a call without dates must not read all of it.
        range_end = max(last or datetime.now(UTC), EARLIEST_END)
        first = range_end - DEFAULT_RANGE
    if last is not None and last < first:
        raise VaultFault(
            ErrorType.INVALID_DATA, "[end_date] is earlier than [start_date]"
        )
    return first, last


def _names(parameter: str, text: str | None) -> tuple[str, ...]:
    """Return the names in a comma-separated parameter.

    :raises VaultFault: INVALID_DATA when they are too many.
    """
    parts = [_text(part.strip()) for part in (text or "").split(",")]
    names = tuple(part for part in parts if part)
    if len(names) > MAX_NAMES:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{parameter}] names at most {MAX_NAMES}"
        )
    return names


def _text(value: str) -> str:
    """Return a name from a URL without NUL characters, which PostgreSQL refuses in text."""
    return value.replace("\x00", "")
