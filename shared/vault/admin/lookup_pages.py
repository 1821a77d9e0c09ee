"""Admin > Connections > Reference Lookups: what keys of the other Vault are called here, and files of them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.vault.access.permissions import Operation
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.listing import MAX_ROWS as SHOWN
from shared.vault.admin.listing import Page, Search, find, listed, selected
from shared.vault.admin.showing import Shower
from shared.vault.admin.viewing import object_of
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.api.body import decoded
from shared.vault.api.csv_rows import parse_csv, results_csv
from shared.vault.errors import ApiError, VaultFault
from shared.vault.integrations.reference_lookups import (
    CONNECTION,
    KEY,
    NAME,
    OBJECT,
    SOURCE,
    TYPE,
)
from shared.vault.records.rows import MAX_ROWS
from shared.vault.vql import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.vault.records.rows import RowResult

router = APIRouter(prefix="/lookups")

COLUMNS = ("name__v", NAME, TYPE, SOURCE, "target_key__sys", CONNECTION, "status__v")
CONNECTION_NAMES = (CONNECTION, "connection__sysr.api_name__sys")

Connection = Annotated[str, Query(max_length=40)]


@router.get("")
async def lookups(
    visit: Visiting, connection: Connection = "", page: Page = 1, q: Search = ""
) -> Response:
    """The rows of a connection or of all, those with the words of ``q``, by set and source key."""
    shower = Shower(object_of(visit, OBJECT), visit.caller, visit.registry)
    where = (
        f" WHERE {CONNECTION} = {literal(connection.replace(chr(0), ''))}"
        if connection
        else ""
    )
    order = f" ORDER BY {NAME}, {SOURCE}"
    statement = (
        f"SELECT {shower.selection(COLUMNS)} FROM {OBJECT}{find(q)}{where}{order}"
    )
    return visit.page(
        "lookups.html",
        shower=shower,
        columns=[name for name in COLUMNS if not (connection and name == CONNECTION)],
        listing=await listed(visit, statement, page),
        connections=await _connections(visit),
        connection=connection,
        q=q,
    )


@router.get("/upload")
async def upload_form(visit: Visiting, connection: Connection = "") -> Response:
    """Asks for the file."""
    object_of(visit, OBJECT, Operation.CREATE)
    return await _form(visit, connection, None)


@router.post("/upload")
async def upload(visit: Visiting) -> Response:
    """Creates a row for each line of a CSV file, or updates it where the file names Lookup Keys; tells of each row."""
    connection = visit.form.fields.get("connection", "")
    object_of(visit, OBJECT, Operation.CREATE)
    try:
        content = b"".join([chunk async for chunk in visit.form.content()])
        rows = [_of(connection, row) for row in parse_csv(decoded(content), MAX_ROWS)]
        service = visit.vault.records
        keyed = bool(rows) and KEY in rows[0]
        if keyed:
            results = await service.upsert(visit.caller, OBJECT, rows, KEY)
        else:
            results = await service.create(visit.caller, OBJECT, rows)
    except VaultFault as fault:
        return await _form(visit, connection, fault.error)
    return _outcome(visit, connection, rows, results)


def _of(connection: str, row: dict[str, object]) -> dict[str, object]:
    """A row, of the chosen connection unless it names one itself."""
    named = any(name in row for name in CONNECTION_NAMES)
    return row if named or not connection else {**row, CONNECTION: connection}


def _outcome(
    visit: Visit,
    connection: str,
    rows: Sequence[dict[str, object]],
    results: Sequence[RowResult],
) -> Response:
    """What became of each row: the refused ones first, and all of them as a file."""
    numbered = list(zip(range(1, len(rows) + 1), rows, results, strict=True))
    told = sorted(numbered, key=lambda each: each[2].ok)
    report = bytes(results_csv(results).body)
    return visit.page(
        "lookups_uploaded.html",
        connection=connection,
        told=told[:SHOWN],
        total=len(rows),
        failed=sum(not result.ok for result in results),
        source=SOURCE,
        report=f"data:text/csv;base64,{base64.b64encode(report).decode()}",
    )


async def _form(visit: Visit, connection: str, error: ApiError | None) -> Response:
    return visit.page(
        "lookups_upload.html",
        status_of(error) if error else 200,
        connection=connection,
        connections=await _connections(visit),
        most=MAX_ROWS,
        error=error,
    )


async def _connections(visit: Visit) -> list[tuple[str, str]]:
    rows = await selected(
        visit, "SELECT id, name__v FROM connection__sys ORDER BY name__v"
    )
    return [(str(row["id"]), str(row["name__v"])) for row in rows]
