"""Defines the commands that compare Vaults, and have findings transferred again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medcrm.console_session import DIFFERENT, Url, Username, run_signed_in
from medcrm.files import target_file, write_text
from medcrm.reconciling import number_of_findings, reconcile, table
from medcrm.tables import AsJson, progress_bar, show
from shared.client import VaultClient
from shared.client.results import Row, whole

Connection = Annotated[
    str | None, typer.Option("--connection", help="API name of a connection.")
]
Integration = Annotated[
    str | None,
    typer.Option("--integration", help="API name of an integration; only this one."),
]
IntegrationPoint = Annotated[
    str | None,
    typer.Option(
        "--integration-point", help="API name of an integration point; only this one."
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        help="Minutes before the beginning in which a change counts as under way; 10 without it.",
    ),
]
Findings = Annotated[
    Path | None,
    typer.Option(
        "--findings",
        help="File to write the findings to, as CSV.",
        callback=target_file,
    ),
]
Job = Annotated[
    int, typer.Argument(help="Job of the reconciliation.", show_default=False)
]
Chosen = Annotated[
    list[str] | None,
    typer.Option("--finding", help="Record id of a finding; may be repeated."),
]


def reconcile_command(
    url: Url,
    username: Username,
    connection: Connection = None,
    integration: Integration = None,
    integration_point: IntegrationPoint = None,
    window: Window = None,
    as_json: AsJson = False,
    findings: Findings = None,
) -> None:
    """Compare a Vault with the remote Vault of a connection; ends with exit code 1 when something differs."""
    named = {
        "connection": connection,
        "integration": integration,
        "integration_point": integration_point,
        "window_minutes": None if window is None else str(window),
    }
    scope = {name: value for name, value in named.items() if value}

    async def work(client: VaultClient) -> Row:
        with progress_bar("Comparing") as progress:
            state = await reconcile(client, scope, progress)
        job = whole(state.get("job_id"), "job_id")
        if findings is not None:
            write_text(findings, await client.findings(job))
        return state

    state = run_signed_in(url, username, work)
    show(state, table(state), as_json=as_json)
    if number_of_findings(state):
        raise typer.Exit(DIFFERENT)


def transfer_again_command(
    job: Job,
    url: Url,
    username: Username,
    chosen: Chosen = None,
) -> None:
    """Transfer findings of a reconciliation once more: all, or the named ones."""
    number = run_signed_in(
        url, username, lambda client: client.transfer_again(job, chosen or ())
    )
    typer.echo(f"{number} findings are transferred again")
    if number < len(set(chosen or ())):
        typer.echo(
            "The others that were named are no findings that a transfer can mend",
            err=True,
        )
        raise typer.Exit(2)
