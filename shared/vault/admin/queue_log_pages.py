"""Queue Logs: the days that have entries, and the lines of a day."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.vault.admin.listing import MAX_ROWS
from shared.vault.admin.visit import Visiting
from shared.vault.model.component_model import QueueType
from shared.vault.queues.log_columns import SHOWN

router = APIRouter(prefix="/queue-log")

After = Annotated[int, Query(ge=0, le=2**62)]
Queue = Annotated[str, Query(max_length=100)]


@router.get("")
async def days(visit: Visiting) -> Response:
    """Days (UTC), the latest first, of the last 30."""
    return visit.page(
        "queue_log.html", days=await visit.vault.queue_log.days(visit.caller)
    )


@router.get("/{day}")
async def of_day(
    visit: Visiting, day: date, queue: Queue = "", after: After = 0
) -> Response:
    """The lines of a day in their order, of one queue or all."""
    wanted = queue.replace("\x00", "") or None
    lines = await visit.vault.queue_log.page(
        visit.caller, day, queue=wanted, after=after, limit=MAX_ROWS
    )
    more = lines[-1].number if len(lines) == MAX_ROWS else None
    queues = [
        name
        for name, each in visit.registry.queues.items()
        if each.type is QueueType.OUTBOUND
    ]
    return visit.page(
        "queue_log_day.html",
        day=day,
        columns=SHOWN,
        lines=lines,
        more=more,
        queue=queue,
        queues=queues,
    )
