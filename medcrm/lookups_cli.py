"""Defines the commands about reference lookups: list, download, upload, and list missing ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from medcrm.connector_calls import MEDICAL, ConnectorUrl, VaultName, connector_at
from medcrm.console_session import (
    DIFFERENT,
    ConsoleFault,
    RemoteUrl,
    RemoteUsername,
    Url,
    Username,
    account,
    failed,
    remote_account,
    run,
    run_signed_in,
)
from medcrm.files import csv_rows, rows_to_upload, target_file, write_text
from medcrm.tables import AsJson, Progress, aligned, progress_bar, show
from shared.client import VaultClient
from shared.client.results import Row, RowResult, text
from shared.client.transport import MAX_ROWS
from shared.protocol.csv_cells import csv_text, restorable_cell

lookups = typer.Typer(
    help="Reference lookups: list, missing, download, upload.", no_args_is_help=True
)

Connection = Annotated[
    str, typer.Option("--connection", help="API name; all connections without it.")
]
OfConnection = Annotated[str, typer.Argument(help="API name of the connection.")]
Integration = Annotated[
    str,
    typer.Option(
        "--integration",
        help="API name; look at the records that a run would read, not at exceptions.",
    ),
]
Target = Annotated[
    Path, typer.Argument(help="CSV file to write.", callback=target_file)
]
Source = Annotated[
    Path, typer.Argument(help="CSV file to read.", exists=True, dir_okay=False)
]
Template = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        help="CSV file to write, to be filled in and uploaded.",
        callback=target_file,
    ),
]
KEYS = (
    "reference_lookup_name__sys",
    "reference_lookup_type__sys",
    "source_key__sys",
)
# What an upload needs of each row, in the order in which a download has it.
COLUMNS = (
    "connection__sysr.api_name__sys",
    *KEYS,
    "target_key__sys",
    "target_object__sys",
    "target_key_field__sys",
    "status__v",
)


@lookups.command("list")
def list_command(
    url: Url, username: Username, connection: Connection = "", as_json: AsJson = False
) -> None:
    """List the lookups of a connection, or of all."""
    sheet = run_signed_in(url, username, lambda client: client.lookups(connection))
    rows = csv_rows(sheet)
    body = [[row.get(name, "") for name in COLUMNS] for row in rows]
    show(rows, aligned([[_heading(name) for name in COLUMNS], *body]), as_json=as_json)


@lookups.command("download")
def download_command(
    file: Target, url: Url, username: Username, connection: Connection = ""
) -> None:
    """Write the lookups of a connection, or of all, to a CSV file that can be changed and uploaded."""
    sheet = run_signed_in(url, username, lambda client: client.lookups(connection))
    _write(file, sheet)
    typer.echo(f"{len(csv_rows(sheet))} lookups in {file}")


@lookups.command("upload")
def upload_command(file: Source, url: Url, username: Username) -> None:
    """Create or update the lookups of a CSV file; ends with exit code 1 when a row was refused, and shows its error."""
    rows = _rows(file)

    async def work(client: VaultClient) -> list[RowResult]:
        with progress_bar("Uploading") as progress:
            return await _uploaded(client, rows, progress)

    results = run_signed_in(url, username, work)
    # The heading is line 1 of the file.
    refused = [
        f"row {number}: {result.errors[0].message}"
        for number, result in enumerate(results, 2)
        if not result.ok
    ]
    typer.echo(
        "\n".join([*refused, f"{len(results) - len(refused)} rows are uploaded"])
    )
    if refused:
        raise typer.Exit(DIFFERENT)


@lookups.command("missing")
def missing_command(  # noqa: PLR0913, PLR0917  options of the command
    connection: OfConnection,
    url: Url,
    username: Username,
    remote_url: RemoteUrl,
    remote_username: RemoteUsername,
    connector: ConnectorUrl,
    vault: VaultName = MEDICAL,
    integration: Integration = "",
    file: Template = None,
    as_json: AsJson = False,
) -> None:
    """List source keys without a lookup, and how many records have each; ends with exit code 1 when there are any."""
    who, source = account(url, username), remote_account(remote_url, remote_username)
    params = {"integration": integration} if integration else {}

    async def ask() -> list[Row]:
        async with connector_at(connector, vault, who, source) as found:
            return await found.missing_lookups(connection, params)

    missing = run(ask())
    if file is not None:
        _write(file, to_fill_in(connection, missing))
    columns = (*KEYS, "count")
    body = [[text(row, name) for name in columns] for row in missing]
    lines = aligned([[_heading(name) for name in columns], *body])
    show(missing, lines if missing else ["None is missing"], as_json=as_json)
    if missing:
        raise typer.Exit(DIFFERENT)


def _heading(column: str) -> str:
    name = column.partition(".")[0]
    for ending in ("__sysr", "__sys", "__v"):
        name = name.removesuffix(ending)
    return name.removeprefix("reference_lookup_").replace("_", " ")


def _write(file: Path, sheet: str) -> None:
    """Write a file; end the command when it cannot be written."""
    try:
        write_text(file, sheet)
    except OSError as error:
        raise failed(error) from error


def _rows(file: Path) -> list[Row]:
    """Return the rows of a file to upload; end the command when there is none."""
    try:
        return [{**row} for row in rows_to_upload(file)]
    except (ConsoleFault, OSError) as error:
        raise failed(error) from error


async def _uploaded(
    client: VaultClient, rows: Sequence[Row], progress: Progress
) -> list[RowResult]:
    results: list[RowResult] = []
    for part in _parts(rows):
        results += await client.upload_lookups(part)
        progress(len(results), len(rows))
    return results


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), MAX_ROWS):
        yield rows[start : start + MAX_ROWS]


def to_fill_in(connection: str, missing: Sequence[Row]) -> str:
    """Return missing lookups as CSV whose target keys are empty, to be filled in and uploaded."""
    rows = [[connection, *(text(row, name) for name in COLUMNS[1:])] for row in missing]
    return csv_text(
        [COLUMNS, *([restorable_cell(each) for each in row] for row in rows)]
    )
