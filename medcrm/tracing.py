"""Traces a message or a record: reads the queue log, lineage and user exceptions of Vaults."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass

from medcrm.configuration import ConfigurationFault
from medcrm.tables import aligned
from shared.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row, rows_of, text
from shared.protocol.error_types import ErrorType

EXCEPTIONS = (
    "SELECT id, message_id__sys, name__v, error_type__sys, error_message__sys, error_status__sys, queue__sys, "
    "created_date__v, modified_date__v FROM exception_message__sys WHERE message_id__sys = '{message}'"
)
ITEMS = (
    "SELECT id, item__sys, error_type__sys, error_message__sys, error_status__sys, created_date__v, modified_date__v, "
    "exception_message__sysr.message_id__sys FROM exception_item__sys WHERE item__sys = '{record}'"
)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One known event of a message in a Vault; ``date`` is in the Vault's format, whose text order is that of time."""

    date: str
    vault: str
    what: str
    message_id: str
    detail: str


async def of_messages(
    client: VaultClient, vault: str, message_ids: Collection[str]
) -> list[Event]:
    """Return the known events of messages in a Vault: queue log, writes, exceptions; the earliest first."""
    events: list[Event] = []
    for message in message_ids:
        events += writes(vault, await client.written_by(message))
        found = await client.query(EXCEPTIONS.format(message=quoted(message)))
        events += exceptions(vault, found.rows)
    if message_ids:
        events += log_entries(vault, await _log(client), message_ids)
    return sorted(events)


async def of_record(
    client: VaultClient, object_name: str, record: str
) -> tuple[list[Row], set[str]]:
    """Return the fields of a record that transfers have set, and the messages that it was in."""
    try:
        fields = await client.origins(object_name, record)
    except VaultRefused as error:
        if error.type != ErrorType.INVALID_DATA:
            raise
        # It may have gone since, or have failed and never been written; its exceptions stay.
        fields = []
    items = await client.query(ITEMS.format(record=quoted(record)))
    messages = {text(field, "message_id") for field in fields}
    messages |= {
        text(item, "exception_message__sysr.message_id__sys") for item in items.rows
    }
    return fields, messages - {""}


def quoted(name: str) -> str:
    """Return the text of a VQL literal.

    :raises ConfigurationFault: the name is empty, or has a character that no id has.
    """
    if not name or not all(char.isalnum() or char in "-_:." for char in name):
        raise ConfigurationFault(f"{name!r} is no id")
    return name


async def _log(client: VaultClient) -> list[Row]:
    entries: list[Row] = []
    for day in await client.queue_log_days():
        entries += await client.queue_log(day)
    return entries


def writes(vault: str, found: Iterable[Row]) -> list[Event]:
    """Return an event for each record that a message has written."""
    return [
        Event(
            text(row, "date"),
            vault,
            "written",
            text(row, "message_id"),
            " ".join(
                text(row, name)
                for name in ("object_name", "record_id", "integration_point")
            ),
        )
        for row in found
    ]


def exceptions(vault: str, found: Iterable[Row]) -> list[Event]:
    """Return an event for each exception, with its status now."""
    events = []
    for row in found:
        status = text(row, "error_status__sys").removesuffix("__sys")
        error = text(row, "error_message__sys")
        events.append(
            Event(
                text(row, "created_date__v"),
                vault,
                "exception",
                text(row, "message_id__sys"),
                f"{text(row, 'id')} {status}: {error}",
            )
        )
    return events


def log_entries(
    vault: str, found: Iterable[Row], message_ids: Collection[str]
) -> list[Event]:
    """Return the entries of the queue log that are about these messages."""
    events = []
    for row in found:
        if text(row, "message_id") not in message_ids:
            continue
        about = (text(row, "queue_name"), text(row, "connection_name"))
        detail = " over ".join(part for part in about if part)
        attempts = f"{detail}, attempt {text(row, 'attempts')}"
        error = text(row, "last_error")
        events.append(
            Event(
                text(row, "timestamp"),
                vault,
                text(row, "entry_type").lower(),
                text(row, "message_id"),
                f"{attempts}: {error}" if error else attempts,
            )
        )
    return events


def event_table(events: Sequence[Event]) -> list[str]:
    """Return events as the lines of a table."""
    if not events:
        return ["These Vaults have no event of the message"]
    rows = [["when", "vault", "what", "message", "detail"]]
    rows += [list(asdict(event).values()) for event in events]
    return aligned(rows)


def field_table(fields: Sequence[Row]) -> list[str]:
    """Return lineage as lines: which rule of which message has set each field."""
    names = ("field_name", "integration_rule", "message_id", "date")
    rows = [["field", "rule", "message", "set on", "changed since"]]
    for field in fields:
        since = rows_of([field.get("changed_since") or {}], "changed_since")[0]
        rows.append([*(text(field, name) for name in names), text(since, "date")])
    return aligned(rows) if fields else []
