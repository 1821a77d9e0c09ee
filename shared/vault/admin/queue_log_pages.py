"""Serves Queue Logs: the days that have entries, and the entries of a day."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.vault.admin.listing import MAX_ROWS
from shared.vault.admin.page_context import CurrentPage
from shared.vault.queues.log_columns import SHOWN

router = APIRouter(prefix="/queue-log")

After = Annotated[int, Query(ge=0, le=2**62)]
Queue = Annotated[str, Query(max_length=100)]


@router.get("")
async def days(context: CurrentPage) -> Response:
    """List the days (UTC) of the last 30 that have entries, the latest first."""
    found = await context.vault.queue_log.days(context.caller)
    return context.page("queue_log.html", days=found)


@router.get("/{day}")
async def of_day(
    context: CurrentPage,
    day: date,
    queue: Queue = "",
    after: After = 0,
) -> Response:
    """List the entries of a day by time, of one queue or of all queues; ``after`` is the id before the first entry."""
    # PostgreSQL takes NUL in no text.
    wanted = queue.replace("\x00", "") or None
    lines = await context.vault.queue_log.page(
        context.caller, day, queue=wanted, after=after, limit=MAX_ROWS
    )
    more = lines[-1].number if len(lines) == MAX_ROWS else None
    # The log has deliveries, which only outbound queues have.
    queues = [
        name for name, each in context.registry.queues.items() if each.type.delivers
    ]
    return context.page(
        "queue_log_day.html",
        day=day,
        columns=SHOWN,
        lines=lines,
        more=more,
        queue=queue,
        queues=queues,
    )
