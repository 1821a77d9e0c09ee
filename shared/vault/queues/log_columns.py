"""Defines the columns of the queue log, once for the table, the API's JSON and CSV, and the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.protocol.json_values import date_time_text

if TYPE_CHECKING:
    from shared.vault.queues.deliveries import Delivery


class EntryType(StrEnum):
    """The types of log entries: of traced deliveries, and of messages that were removed undelivered."""

    TRACE = "TRACE"
    REMOVAL = "REMOVAL"


class CellKind(StrEnum):
    """The ways in which pages show the values of a column."""

    MOMENT = "moment"
    ENTRY_TYPE = "entry_type"
    NAME = "name"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A reported delivery that becomes an entry."""

    queue: str
    entry_type: EntryType
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class LogColumn:
    """One column of the log.

    ``name`` is its member in JSON, ``title`` its header in CSV. ``stored_as`` and ``sql_type``
    describe its column in the database, where it has one; ``read`` reads it from a delivery,
    where the database does not set it. Pages show it under ``label`` at ``place``, or not.
    """

    name: str
    title: str
    stored_as: str | None = None
    sql_type: str = "text"
    read: Callable[[LoggedDelivery], object] | None = None
    label: str = ""
    place: int = 0
    kind: CellKind = CellKind.TEXT


VAULT_ID = LogColumn(name="vault_id", title="VaultId")
"""The one column that is not stored: all entries of a database are of one Vault."""

COLUMNS = (
    LogColumn(
        name="timestamp",
        title="TimeStamp",
        stored_as="logged",
        sql_type="timestamptz",
        label="Time",
        place=1,
        kind=CellKind.MOMENT,
    ),
    VAULT_ID,
    LogColumn(
        name="queue_name",
        title="QueueName",
        stored_as="queue",
        read=lambda logged: logged.queue,
        label="Queue",
        place=3,
        kind=CellKind.NAME,
    ),
    LogColumn(
        name="connection_name",
        title="ConnectionName",
        stored_as="connection",
        read=lambda logged: logged.delivery.connection,
        label="Connection",
        place=4,
        kind=CellKind.NAME,
    ),
    LogColumn(
        name="message_id",
        title="MessageId",
        stored_as="message_id",
        read=lambda logged: logged.delivery.message_id,
        label="Message",
        place=5,
        kind=CellKind.NAME,
    ),
    LogColumn(
        name="entry_type",
        title="EntryType",
        stored_as="entry_type",
        read=lambda logged: logged.entry_type.value,
        label="Type",
        place=2,
        kind=CellKind.ENTRY_TYPE,
    ),
    LogColumn(
        name="queue_time",
        title="QueueTime",
        stored_as="queue_time",
        sql_type="timestamptz",
        read=lambda logged: logged.delivery.queue_time,
    ),
    LogColumn(
        name="send_time",
        title="SendTime",
        stored_as="send_time",
        sql_type="timestamptz",
        read=lambda logged: logged.delivery.send_time,
    ),
    LogColumn(
        name="attempts",
        title="Attempts",
        stored_as="attempts",
        sql_type="integer",
        read=lambda logged: logged.delivery.attempts,
        label="Attempts",
        place=6,
        kind=CellKind.NUMBER,
    ),
    LogColumn(
        name="last_error",
        title="LastError",
        stored_as="error",
        read=lambda logged: logged.delivery.error,
        label="Last error",
        place=7,
    ),
)
# The database numbers and dates an entry itself; a delivery says the rest.
STORED = tuple(column for column in COLUMNS if column.stored_as is not None)
REPORTED = tuple(column for column in STORED if column.read is not None)
SHOWN = tuple(
    sorted(
        (column for column in COLUMNS if column.label),
        key=lambda column: column.place,
    )
)


# Values by name, so that no second list of the columns is needed.
@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry; ``number`` orders the entries, ``values`` are those of the columns by name."""

    number: int
    values: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """Return the entry as the API writes it, in the order of the columns."""
        return {column.name: _json(self.values[column.name]) for column in COLUMNS}


def _json(value: object) -> object:
    return date_time_text(value) if isinstance(value, datetime) else value


def insert_statement() -> str:
    """Return the SQL that stores entries; its parameters are the values of ``REPORTED``, an array for each column."""
    # Arrays, so that a report of any length is one statement that is prepared once.
    names = [str(column.stored_as) for column in REPORTED]
    arrays = [
        f"${number}::{column.sql_type}[]" for number, column in enumerate(REPORTED, 1)
    ]
    values = ", ".join(arrays)
    return f"INSERT INTO platform.queue_log ({', '.join(names)}) SELECT * FROM unnest({values})"


def insert_values(logged: list[LoggedDelivery]) -> list[list[object]]:
    """Return the parameters of ``insert_statement`` for these deliveries."""
    readers = [column.read for column in REPORTED if column.read is not None]
    return [list(map(read, logged)) for read in readers]


def selected_columns() -> str:
    """Return the select list of entries: their number, and each stored column by its name."""
    columns = [f"{column.stored_as} AS {column.name}" for column in STORED]
    return ", ".join(["entry", *columns])
