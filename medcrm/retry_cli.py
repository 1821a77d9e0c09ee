"""Defines the commands about open user exceptions: list them by cause, retry one, some or all."""

from __future__ import annotations

from typing import Annotated

import typer

from medcrm.console_session import DIFFERENT, Url, Username, run_signed_in
from medcrm.retrying import (
    OPEN_MESSAGES,
    RESOLVED,
    all_resolved,
    causes,
    outcome_table,
    retry_all,
    retry_messages,
    table,
)
from medcrm.tables import AsJson, progress_bar, show
from shared.client import VaultClient
from shared.client.results import Row

retry = typer.Typer(
    help="Open user exceptions: list by cause, retry one, some or all.",
    no_args_is_help=True,
)

Ids = Annotated[list[str], typer.Argument(help="Ids of User Exception Messages.")]
Connection = Annotated[
    str, typer.Option("--connection", help="API name; only its exceptions.")
]
Integration = Annotated[
    str, typer.Option("--integration", help="API name; only its exceptions.")
]


@retry.command("list")
def list_command(
    url: Url,
    username: Username,
    integration: Integration = "",
    as_json: AsJson = False,
) -> None:
    """List open exceptions by cause, those with the most items first; ends with exit code 1 when there are any."""
    messages = run_signed_in(url, username, lambda client: client.query(OPEN_MESSAGES))
    found = causes(messages.rows, integration or None)
    show([cause.to_json() for cause in found], table(found), as_json=as_json)
    if found:
        raise typer.Exit(DIFFERENT)


@retry.command("messages")
def messages_command(
    ids: Ids, url: Url, username: Username, as_json: AsJson = False
) -> None:
    """Retry one or several exceptions; ends with exit code 1 when not all are resolved."""
    wanted = list(dict.fromkeys(ids))

    async def work(client: VaultClient) -> dict[str, str]:
        with progress_bar("Retrying") as progress:
            return await retry_messages(client, wanted, progress)

    outcomes = run_signed_in(url, username, work)
    show(outcomes, outcome_table(outcomes), as_json=as_json)
    if any(outcome != RESOLVED for outcome in outcomes.values()):
        raise typer.Exit(DIFFERENT)


@retry.command("all")
def all_command(
    url: Url,
    username: Username,
    connection: Connection = "",
    integration: Integration = "",
    as_json: AsJson = False,
) -> None:
    """Retry all open exceptions, of a connection or an integration; ends with exit code 1 when not all are resolved."""
    named = {"connection": connection, "integration": integration}
    scope = {name: value for name, value in named.items() if value}

    async def work(client: VaultClient) -> Row:
        with progress_bar("Retrying") as progress:
            return await retry_all(client, scope, progress)

    answer = run_signed_in(url, username, work)
    lines = [f"{name}: {number}" for name, number in answer.items()]
    show(answer, lines, as_json=as_json)
    if not all_resolved(answer):
        raise typer.Exit(DIFFERENT)
