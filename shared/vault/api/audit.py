"""Audit trails: which there are, their entries, and the entries of one record."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.api.response_envelope import STATUS_HEADER, Status, safe_cell
from shared.vault.audit.audit_service import AuditFilter, AuditPage
from shared.vault.audit.trails import Trail
from shared.vault.errors import VaultFault

router = APIRouter(prefix=PREFIX, tags=["Audit"])

MAX_LIMIT = 1000
MAX_OFFSET = 2**31
MAX_NAMES = 100
USUAL_RANGE = timedelta(days=30)

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
When = Annotated[str | None, Query(description="`YYYY-MM-DDTHH:MM:SSZ`, or a date.")]
Names = Annotated[str | None, Query(description="Separated by commas.")]
Format = Annotated[str | None, Query(description="`csv`, for the page as CSV.")]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page, and in which form."""

    limit: int
    offset: int
    csv: bool


def _paging(
    limit: Limit = 200, offset: Offset = 0, format_result: Format = None
) -> Paging:
    if (format_result or "csv").lower() != "csv":
        raise VaultFault(
            ErrorType.INVALID_DATA, "Invalid value for parameter [format_result]"
        )
    return Paging(limit, offset, csv=bool(format_result))


def _named(
    objects: Names = None, events: Names = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _names("objects", objects), _names("events", events)


Shown = Annotated[Paging, Depends(_paging)]
Named = Annotated[tuple[tuple[str, ...], tuple[str, ...]], Depends(_named)]


@router.get("/metadata/audittrail", summary="Audit trails")
async def trails(request: Request, caller: SignedIn) -> Response:
    """Name, label and address of each."""
    listed = vault_of(request).audit.trails(caller)
    return envelope.success(
        audittrails=[_reference(request, trail) for trail in listed]
    )


@router.get(
    "/metadata/audittrail/{audit_trail_type}", summary="The fields of an audit trail"
)
async def trail_metadata(
    request: Request, caller: SignedIn, audit_trail_type: str
) -> Response:
    """Their names, labels and types."""
    trail = vault_of(request).audit.trail(caller, audit_trail_type)
    fields = [
        {"name": f.name, "label": f.label, "type": f.type.value} for f in trail.fields
    ]
    return envelope.success(
        data={"name": trail.name, "label": trail.label, "fields": fields}
    )


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
    """The latest first; those of the 30 days before the end where no start is given."""
    start, end = _range(start_date, end_date, all_dates=all_dates)
    wanted = AuditFilter(start, end, *named)
    page = await vault_of(request).audit.page(
        caller, audit_trail_type, wanted, limit=shown.limit, offset=shown.offset
    )
    return _answer(request, page, shown)


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
    """The latest first, of all time where no dates are given; that of a deleted record, too."""
    start, end = _moment("start_date", start_date), _moment("end_date", end_date)
    wanted = AuditFilter(
        start, end, (_text(object_name),), _names("events", events), _text(record_id)
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
    """The latest first, of all time where no dates are given; that of a deleted document, too."""
    start, end = _moment("start_date", start_date), _moment("end_date", end_date)
    wanted = AuditFilter(start, end, (), _names("events", events), str(document_id))
    page = await vault_of(request).audit.of_document(
        caller, wanted, limit=shown.limit, offset=shown.offset
    )
    return _answer(request, page, shown)


def _answer(request: Request, page: AuditPage, shown: Paging) -> Response:
    if shown.csv:
        return _csv(page)

    def link(to: int) -> str:
        return f"{request.url.path}?{urlencode({**request.query_params, 'limit': shown.limit, 'offset': to})}"

    details: dict[str, object] = {
        "offset": shown.offset,
        "limit": shown.limit,
        "size": len(page.rows),
    }
    details |= {"total": page.total, "object": _reference(request, page.trail)}
    if shown.offset > 0:
        details["previous_page"] = link(max(0, shown.offset - shown.limit))
    if shown.offset + len(page.rows) < page.total:
        details["next_page"] = link(shown.offset + shown.limit)
    return envelope.success(responseDetails=details, data=page.rows)


def _csv(page: AuditPage) -> Response:
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow([f.name for f in page.trail.fields])
    for row in page.rows:
        writer.writerow(
            [safe_cell("" if value is None else str(value)) for value in row.values()]
        )
    return Response(
        sheet.getvalue().encode(),
        200,
        {STATUS_HEADER: Status.SUCCESS},
        "text/csv;charset=UTF-8",
    )


def _reference(request: Request, trail: Trail) -> dict[str, str]:
    url = f"{base_path(request)}/metadata/audittrail/{trail.name}"
    return {"name": trail.name, "label": trail.label, "url": url}


def _range(
    start: str | None, end: str | None, *, all_dates: bool
) -> tuple[datetime | None, datetime | None]:
    """From when to when; raises VaultFault where the parameters contradict each other."""
    if all_dates:
        if start or end:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "[all_dates] takes neither [start_date] nor [end_date]",
            )
        return None, None
    first, last = _moment("start_date", start), _moment("end_date", end)
    if first is None:
        first = (
            max(
                last or datetime.now(UTC),
                datetime.min.replace(tzinfo=UTC) + USUAL_RANGE,
            )
            - USUAL_RANGE
        )
    if last is not None and last < first:
        raise VaultFault(
            ErrorType.INVALID_DATA, "[end_date] is earlier than [start_date]"
        )
    return first, last


def _moment(name: str, text: str | None) -> datetime | None:
    """A moment from a parameter, UTC where it names no zone; raises VaultFault."""
    if not text:
        return None
    try:
        if len(text) == len("2000-01-01"):
            return datetime.combine(date.fromisoformat(text), time.min, UTC)
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"Invalid value for parameter [{name}]"
        ) from error


def _names(parameter: str, text: str | None) -> tuple[str, ...]:
    names = tuple(
        name for part in (text or "").split(",") if (name := _text(part.strip()))
    )
    if len(names) > MAX_NAMES:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{parameter}] names at most {MAX_NAMES}"
        )
    return names


def _text(value: str) -> str:
    """A name from an address, without what no stored text holds."""
    return value.replace("\x00", "")
