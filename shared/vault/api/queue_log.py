"""The queue log by day, as JSON or CSV, and the reports of connectors that fill it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX, base_path
from shared.vault.api.body import JSON, read_rows
from shared.vault.api.csv_rows import safe_cell
from shared.vault.api.jobs import moment
from shared.vault.api.records import wants_csv
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.errors import VaultFault
from shared.vault.queues.log import PAGE
from shared.vault.queues.log_columns import COLUMNS, LogEntry
from shared.vault.records.rows import MAX_ROWS

router = APIRouter(prefix=f"{PREFIX}/services", tags=["Spark queues"])

DELIVERIES: dict[str, object] = {
    "requestBody": {
        "content": {
            JSON: {
                "schema": {
                    "type": "array",
                    "maxItems": MAX_ROWS,
                    "items": {"type": "object"},
                }
            }
        },
    }
}


@router.post(
    "/queues/{queue_name}/deliveries",
    summary="Report deliveries",
    openapi_extra=DELIVERIES,
)
async def report(request: Request, caller: SignedIn, queue_name: str) -> Response:
    """Rows of `message_id`, `connection_name`, `queue_time`, `send_time`, `attempts`.

    Of a message that is given up, with `error` and its envelope as the text `message`.
    """
    await vault_of(request).deliveries.take(
        caller, queue_name, (await read_rows(request)).rows
    )
    return envelope.success()


@router.put(
    "/queues/{queue_name}/actions/trace_delivery", summary="Trace a queue's deliveries"
)
async def trace(request: Request, caller: SignedIn, queue_name: str) -> Response:
    """For 20 minutes, every delivery of the outbound queue is written to the queue log."""
    ends = await vault_of(request).queue_log.trace(caller, queue_name)
    return envelope.success(data={"trace_ends": moment(ends)})


@router.get("/queue_logs", summary="Days of the queue log")
async def days(request: Request, caller: SignedIn) -> Response:
    """Days (UTC) that have entries, the latest first; entries are kept 30 days."""
    found = await vault_of(request).queue_log.days(caller)
    url = f"{base_path(request)}/services/queue_logs"
    listed = [
        {
            "log_date": day.isoformat(),
            "removals": d.removals,
            "traces": d.traces,
            "url": f"{url}/{day.isoformat()}",
        }
        for d in found
        for day in (d.day,)
    ]
    return envelope.success(data=listed)


@router.get("/queue_logs/{log_date}", summary="The queue log of a day")
async def of_day(
    request: Request,
    caller: SignedIn,
    log_date: str,
    queue: str | None = None,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> Response:
    """In order, of one queue or all; as CSV the whole day, with `Accept: text/csv`."""
    log, day = vault_of(request).queue_log, _day(log_date)
    wanted = queue.replace("\x00", "") if queue else None
    if wants_csv(request.headers.get("accept", "")):
        # The first page is asked for here, so that a refusal is an envelope and no broken file.
        await log.page(caller, day, limit=1)
        headers = {
            STATUS_HEADER: Status.SUCCESS,
            "Content-Disposition": f'attachment; filename="queue-log-{day}.csv"',
        }
        lines = _lines(log.whole_day(caller, day, queue=wanted))
        return StreamingResponse(lines, 200, headers, "text/csv;charset=UTF-8")
    page = await log.page(caller, day, queue=wanted, after=after, limit=limit)
    details: dict[str, object] = {"limit": limit, "size": len(page)}
    if len(page) == limit:
        chosen = f"&queue={wanted}" if wanted else ""
        details["next_page"] = (
            f"{request.url.path}?limit={limit}&after={page[-1].number}{chosen}"
        )
    return envelope.success(
        responseDetails=details, data=[entry.to_json() for entry in page]
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, "A day of the queue log is written YYYY-MM-DD"
        ) from error


async def _lines(pages: AsyncIterator[Sequence[LogEntry]]) -> AsyncIterator[str]:
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow([column.title for column in COLUMNS])
    async for page in pages:
        for entry in page:
            cells = entry.to_json().values()
            writer.writerow(
                [safe_cell("" if cell is None else str(cell)) for cell in cells]
            )
        yield sheet.getvalue()
        sheet.seek(0)
        sheet.truncate()
    yield sheet.getvalue()
