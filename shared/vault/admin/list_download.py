"""Writes a list as a CSV file in slices, so that other calls are answered in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from starlette.responses import Response

from shared.protocol.csv_cells import csv_text
from shared.protocol.error_types import ErrorType
from shared.vault.admin.listing import Row, listed
from shared.vault.api.file_body import disposition
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.admin.record_lists import RecordList

MAX_DOWNLOADED = 10_000
# Records that are read at a time: one fewer than a query returns, to see whether more follow.
READ_ROWS = 999
# Rows that are written at a time; they hold the event loop for a few milliseconds.
SLICE_ROWS = 50
WAIT_SECONDS = 30.0


async def download(context: PageContext, shown: RecordList) -> Response:
    """Return the list as a CSV file: the columns of the page, of up to ``MAX_DOWNLOADED`` records.

    :raises VaultFault: API_LIMIT_EXCEEDED when too many other downloads run; as ``QueryService.run``.
    """
    turns = context.vault.list_downloads
    user_id = context.caller.user_id
    try:
        await turns.enter(user_id, WAIT_SECONDS)
    except TimeoutError:
        message = "Other lists are being downloaded; try again when they have ended"
        raise VaultFault(ErrorType.API_LIMIT_EXCEEDED, message) from None
    try:
        content = await _content(context, shown)
    finally:
        turns.leave(user_id)
    headers = {"Content-Disposition": disposition(f"{shown.target.name}.csv")}
    return Response(content, 200, headers, "text/csv;charset=UTF-8")


async def _content(context: PageContext, shown: RecordList) -> str:
    labels = [shown.formatter.label(name) for name in shown.columns]
    texts = [csv_text([["id", *labels]])]
    number, more, left = 1, True, MAX_DOWNLOADED
    while more and left > 0:
        page = await listed(context, shown.statement, number, READ_ROWS, counted=False)
        cells = (_cells(shown, row) for row in page.rows[:left])
        texts.append(await written(cells))
        left -= len(page.rows)
        number, more = number + 1, page.more
    return "".join(texts)


def _cells(shown: RecordList, row: Row) -> list[str]:
    """Return the cells of a record: its id, and its values as the list shows them; dates in UTC."""
    values = (shown.formatter.show(name, row) for name in shown.columns)
    return [str(row["id"]), *(each.moment or each.text for each in values)]


async def written(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text, written slice by slice; other tasks run after each slice."""
    texts = []
    for slice_of_rows in _slices(iter(rows)):
        texts.append(csv_text(slice_of_rows))
        await asyncio.sleep(0)
    return "".join(texts)


def _slices(rows: Iterator[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    while taken := list(islice(rows, SLICE_ROWS)):
        yield taken
