"""Defines the commands that trace a message or a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from medcrm.console_session import (
    DIFFERENT,
    Account,
    RemoteUrl,
    RemoteUsername,
    Url,
    Username,
    account,
    remote_account,
    run,
    signed_in,
)
from medcrm.tables import AsJson, show
from medcrm.tracing import Event, event_table, field_table, of_messages, of_record
from shared.client.results import Row

trace = typer.Typer(
    help="The way of a message or a record: queue log, lineage, user exceptions.",
    no_args_is_help=True,
)

MessageId = Annotated[str, typer.Argument(help="Id of the message.")]
ObjectName = Annotated[str, typer.Argument(help="Object of the record.")]
RecordId = Annotated[str, typer.Argument(help="Id of the record, in this Vault.")]


@trace.command("message")
def message_command(
    message: MessageId,
    url: Url,
    username: Username,
    remote_url: RemoteUrl = "",
    remote_username: RemoteUsername = "",
    as_json: AsJson = False,
) -> None:
    """Show the known events of a message, the earliest first; ends with exit code 1 when there are none."""
    ends = _ends(url, username, remote_url, remote_username)
    events = run(_events(ends, {message}))
    show([asdict(event) for event in events], event_table(events), as_json=as_json)
    if not events:
        raise typer.Exit(DIFFERENT)


@trace.command("record")
def record_command(
    object_name: ObjectName,
    record: RecordId,
    url: Url,
    username: Username,
    remote_url: RemoteUrl = "",
    remote_username: RemoteUsername = "",
    as_json: AsJson = False,
) -> None:
    """Show which message and rule set each field of a record, and the known events of these messages."""
    ends = _ends(url, username, remote_url, remote_username)

    async def look() -> tuple[list[Row], list[Event]]:
        async with signed_in(ends[0]) as client:
            fields, messages = await of_record(client, object_name, record)
        return fields, await _events(ends, messages)

    fields, events = run(look())
    value = {"fields": fields, "events": [asdict(event) for event in events]}
    lines = [*field_table(fields), "", *event_table(events)]
    show(value, lines, as_json=as_json)
    if not fields and not events:
        raise typer.Exit(DIFFERENT)


def _ends(
    url: str, username: str, remote_url: str, remote_username: str
) -> list[Account]:
    """Return the users at one Vault or, when the command has a remote URL, at both."""
    ends = [account(url, username)]
    if remote_url:
        ends.append(remote_account(remote_url, remote_username))
    return ends


async def _events(ends: Sequence[Account], messages: set[str]) -> list[Event]:
    events: list[Event] = []
    for end in ends:
        async with signed_in(end) as client:
            vault = str(client.vault_id)
            events += await of_messages(client, vault, messages)
    return sorted(events)
