"""Serves the queue log by day, as JSON or CSV, and stores the reports of connectors in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ReportsDeliveries
from shared.vault.api.body import read_rows
from shared.vault.api.openapi.request_bodies import array_documentation
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
    wants_csv,
)
from shared.vault.api.response_envelope import CSV, STATUS_HEADER, Status
from shared.vault.errors import VaultFault
from shared.vault.queues.log import PAGE
from shared.vault.queues.log_columns import COLUMNS, LogEntry
from shared.vault.records.rows import MAX_ROWS

router = APIRouter(prefix=f"{PREFIX}/services", tags=["Spark queues"])

DELIVERIES = array_documentation(MAX_ROWS)


@router.post(
    "/queues/{queue_name}/deliveries",
    summary="Report deliveries",
    openapi_extra=DELIVERIES,
)
async def report(
    request: Request,
    caller: ReportsDeliveries,
    queue_name: str,
) -> Response:
    """Takes reports on deliveries of messages; for connectors.

    Rows have `message_id`, `connection_name`, `queue_time`, `send_time` and `attempts`. A row of a message that could
    not be delivered and was removed also has `error`, and the message's envelope as text in `message`.
    """
    sent = await read_rows(request)
    await vault_of(request).deliveries.store(caller, queue_name, sent.rows)
    return envelope.success()


@router.put(
    "/queues/{queue_name}/actions/trace_delivery", summary="Trace a queue's deliveries"
)
async def trace(
    request: Request,
    caller: SignedIn,
    queue_name: str,
) -> Response:
    """Writes every delivery of the outbound queue to the queue log, for 20 minutes."""
    ends = await vault_of(request).queue_log.trace(caller, queue_name)
    return envelope.success(data={"trace_ends": date_time_text(ends)})


@router.get("/queue_logs", summary="Days of the queue log")
async def days(request: Request, caller: SignedIn) -> Response:
    """Lists the days (UTC) that have entries, the latest first; entries are stored for 30 days."""
    found = await vault_of(request).queue_log.days(caller)
    url = f"{base_path(request)}/services/queue_logs"
    listed = []
    for each in found:
        day = each.day.isoformat()
        counts = {"removals": each.removals, "traces": each.traces}
        listed.append({"log_date": day, **counts, "url": f"{url}/{day}"})
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
    """Lists the entries of a day in order, of one queue or of all; with `Accept: text/csv`, the whole day as CSV."""
    log = vault_of(request).queue_log
    day = _day(log_date)
    # PostgreSQL takes NUL in no text.
    wanted = queue.replace("\x00", "") if queue else None
    if wants_csv(request.headers.get("accept", "")):
        # The first page is read before the answer begins, so that a refusal is an envelope and no broken file.
        await log.page(caller, day, limit=1)
        headers = {
            STATUS_HEADER: Status.SUCCESS,
            "Content-Disposition": f'attachment; filename="queue-log-{day}.csv"',
        }
        lines = _lines(log.whole_day(caller, day, queue=wanted))
        return StreamingResponse(lines, 200, headers, CSV)
    page = await log.page(caller, day, queue=wanted, after=after, limit=limit)
    details: dict[str, object] = {"limit": limit, "size": len(page)}
    # A full page may be the last one; the page after it is empty then.
    if len(page) == limit:
        chosen = f"&queue={wanted}" if wanted else ""
        last = page[-1].number
        # The entry, not an offset: entries that are added or removed meanwhile shift nothing.
        details["next_page"] = f"{request.url.path}?limit={limit}&after={last}{chosen}"
    entries = [entry.to_json() for entry in page]
    return envelope.success(responseDetails=details, data=entries)


def _day(text: str) -> date:
    """Return the day in an address.

    :raises VaultFault: INVALID_DATA when it is not a date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, "A day of the queue log is written YYYY-MM-DD"
        ) from error


async def _lines(pages: AsyncIterator[Sequence[LogEntry]]) -> AsyncIterator[str]:
    """Yield a day as CSV, page by page, so that no day has to fit in memory."""
    yield exact_csv_text([[column.title for column in COLUMNS]])
    async for page in pages:
        yield exact_csv_text(tuple(entry.to_json().values()) for entry in page)


@router.get("/messages/{message_id}", summary="The steps of a message")
async def message_steps(
    request: Request, caller: SignedIn, message_id: str
) -> Response:
    """Lists the steps of a message that this Vault sent in the last 30 days, the earliest first.

    `step` is `entered`, `sent`, `delivered`, `removed` or `logged`.
    """
    steps = await vault_of(request).message_steps.steps(caller, message_id)
    return envelope.success(data=[step.to_json() for step in steps])
