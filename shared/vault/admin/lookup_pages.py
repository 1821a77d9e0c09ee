"""Serves Admin > Connections > Reference Lookups: source and target keys, and uploads of CSV files."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Operation, require
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.listing import MAX_ROWS as SHOWN
from shared.vault.admin.listing import Page, Search, find, listed, selected
from shared.vault.admin.page_context import CurrentPage, PageContext, page_context
from shared.vault.admin.showing import ValueFormatter
from shared.vault.admin.viewing import object_of
from shared.vault.api.body import read_off_loop
from shared.vault.api.body_limits import MAX_ROWS_BYTES
from shared.vault.api.csv_rows import parse_csv
from shared.vault.api.lookup_sheets import sheet_response, template_response
from shared.vault.api.response_envelope import results_csv
from shared.vault.errors import ApiError, VaultFault
from shared.vault.integrations.lookup_files import LookupFiles
from shared.vault.integrations.reference_lookups import (
    CONNECTION,
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

# Columns of the list; a column with the same value in all rows is left out.
COLUMNS = (SOURCE, "target_key__sys", NAME, TYPE, CONNECTION, "status__v")

Connection = Annotated[str, Query(max_length=40)]
Set = Annotated[str, Query(max_length=45)]
NO_FILE = "Choose a file with the rows of lookups"
NO_ROWS = "The file has no rows below the column names"
NUL = "\x00"  # PostgreSQL takes it in no text


@router.get("")
async def lookups(
    context: CurrentPage,
    connection: Connection = "",
    name: Set = "",
    page: Page = 1,
    q: Search = "",
) -> Response:
    """List the lookup rows by source key; connection (id), set and the words of ``q`` restrict them, unless empty."""
    formatter = ValueFormatter(
        object_of(context, OBJECT), context.caller, context.registry
    )
    filters = {CONNECTION: connection, NAME: name}
    terms = [
        f"{column} = {literal(value.replace(NUL, ''))}"
        for column, value in filters.items()
        if value
    ]
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    order = f" ORDER BY {NAME}, {SOURCE}"
    selection = formatter.selection(COLUMNS)
    statement = f"SELECT {selection} FROM {OBJECT}{find(q)}{where}{order}"
    connections = await connections_of(context)
    same = {NAME} if name else set()
    if connection or len(connections) == 1:
        same.add(CONNECTION)
    return context.page(
        "lookups.html",
        formatter=formatter,
        columns=[each for each in COLUMNS if each not in same],
        listing=await listed(context, statement, page, counted=False),
        connections=connections,
        connection=connection,
        name=name,
        q=q,
    )


@router.get("/upload")
async def upload_form(
    context: CurrentPage,
    connection: Connection = "",
) -> Response:
    """Show the form that asks for the file."""
    object_of(context, OBJECT, Operation.CREATE)
    return await _form(context, connection, None)


def _may_create(caller: Caller) -> None:
    require(caller, OBJECT, Operation.CREATE)


WithFile = Annotated[PageContext, Depends(page_context(MAX_ROWS_BYTES, _may_create))]


@router.post("/upload")
async def upload(context: WithFile) -> Response:
    """Create or update a row for each line of a CSV file, and show the results."""
    connection = context.form.fields.get("connection", "")
    object_of(context, OBJECT, Operation.CREATE)
    try:
        if context.form.file is None or not context.form.file.filename:
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, NO_FILE)
        read = partial(parse_csv, max_rows=MAX_ROWS)
        rows = await read_off_loop(read, await context.form.whole())
        if not rows:
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, NO_ROWS)
        results = await _files(context).upload(context.caller, rows, connection)
    except VaultFault as fault:
        return await _form(context, connection, fault.error)
    return _outcome(context, connection, rows, results)


@router.get("/download")
async def download(context: CurrentPage, connection: Connection = "") -> Response:
    """Download the rows of a connection, or of all connections, as CSV."""
    object_of(context, OBJECT)
    sheet = _files(context).download(context.caller, connection, CONNECTION)
    return await sheet_response(sheet)


@router.get("/template")
async def empty_file(context: CurrentPage) -> Response:
    """Download a file that has the names of the columns only."""
    object_of(context, OBJECT, Operation.CREATE)
    return template_response()


def _files(context: PageContext) -> LookupFiles:
    return LookupFiles(context.vault.records, context.vault.queries)


def _outcome(
    context: PageContext,
    connection: str,
    rows: Sequence[dict[str, object]],
    results: Sequence[RowResult],
) -> Response:
    """Show the results of the rows, the refused ones first, and all of them as a download."""
    numbers = range(1, len(rows) + 1)
    numbered = zip(numbers, rows, results, strict=True)
    # A stable order: rows that were refused come first, and stay in the order of the file.
    refused_first = sorted(numbered, key=lambda each: each[2].ok)
    failed = sum(not result.ok for result in results)
    # In the page itself: results are stored nowhere.
    report = bytes(results_csv(results).body)
    encoded = base64.b64encode(report).decode()
    return context.page(
        "lookups_uploaded.html",
        connection=connection,
        shown=refused_first[:SHOWN],
        total=len(rows),
        failed=failed,
        source=SOURCE,
        report=f"data:text/csv;base64,{encoded}",
    )


async def _form(
    context: PageContext, connection: str, error: ApiError | None
) -> Response:
    """Show the form of an upload; with an error, when the upload was refused."""
    return context.page(
        "lookups_upload.html",
        status_of(error) if error else 200,
        connection=connection,
        connections=await connections_of(context),
        most=MAX_ROWS,
        error=error,
    )


async def connections_of(context: PageContext) -> list[tuple[str, str]]:
    """Return the id and name of each connection that the caller may read."""
    statement = "SELECT id, name__v FROM connection__sys ORDER BY name__v"
    rows = await selected(context, statement)
    return [(str(row["id"]), str(row["name__v"])) for row in rows]
