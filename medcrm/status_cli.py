"""Defines the commands about the state of a connection: status, and readiness."""

from __future__ import annotations

from typing import Annotated

import typer

from medcrm.connector_calls import MEDICAL, ConnectorUrl, VaultName, connector_at
from medcrm.console_session import (
    DIFFERENT,
    RemoteUrl,
    RemoteUsername,
    Url,
    Username,
    account,
    remote_account,
    run,
)
from medcrm.status import Part, parts_of_vault, ready, table, to_json
from medcrm.tables import AsJson, aligned, show
from shared.client.results import Row, rows_of, text

ConnectionName = Annotated[
    str, typer.Argument(help="API name of the connection in this Vault.")
]
Only = Annotated[
    str | None,
    typer.Option("--connection", help="API name of a connection; only this one."),
]


def status_command(
    url: Url,
    username: Username,
    remote_url: RemoteUrl = "",
    remote_username: RemoteUsername = "",
    connector: ConnectorUrl = "",
    connection: Only = None,
    as_json: AsJson = False,
) -> None:
    """Show both Vaults, the connector, connections and queues; ends with exit code 1 when something is wrong."""
    ends = [account(url, username)]
    if remote_url:
        ends.append(remote_account(remote_url, remote_username))

    async def look() -> list[Part]:
        parts = [await ready(connector, "connector")] if connector else []
        for end in ends:
            vault = await ready(end.url, "Vault")
            parts.append(vault)
            if vault.state != "no answer":
                parts += await parts_of_vault(end, connection)
        return parts

    parts = run(look())
    show(to_json(parts), table(parts), as_json=as_json)
    if any(part.wrong for part in parts):
        raise typer.Exit(DIFFERENT)


def readiness_command(
    connection: ConnectionName,
    url: Url,
    username: Username,
    connector: ConnectorUrl,
    vault: VaultName = MEDICAL,
    as_json: AsJson = False,
) -> None:
    """List what prevents a connection from working, in the order of correction; ends with exit code 1 if not empty."""
    who = account(url, username)

    async def ask() -> Row:
        async with connector_at(connector, vault, who) as found:
            return await found.readiness(connection)

    answer = run(ask())
    show(answer, readiness_table(answer), as_json=as_json)
    if answer.get("ready") is not True:
        raise typer.Exit(DIFFERENT)


def readiness_table(answer: Row) -> list[str]:
    """Return the findings as lines; those that prevent transfers are marked."""
    findings = rows_of(answer.get("findings"), "findings")
    state = "Ready" if answer.get("ready") is True else "Not ready"
    if not findings:
        return [state]
    rows = [["", "step", "vault", "name", "what to do"]]
    for found in findings:
        mark = "!" if found.get("prevents_transfer") is True else ""
        named = [text(found, name) for name in ("step", "vault_id", "name", "message")]
        rows.append([mark, *named])
    return [state, *aligned(rows)]
