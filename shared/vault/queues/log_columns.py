"""Defines deliveries as connectors report them, and the columns of the queue log.

The columns are defined once for the table, the API's JSON and CSV, and the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text, read_moment
from shared.spark.envelope import MAX_NAME_LENGTH
from shared.vault.errors import VaultFault

MAX_ATTEMPTS = 10_000
MAX_ERROR = 1500  # characters
MAX_BODY = 300_000  # characters


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one message over one connection.

    ``connection`` is empty if the message failed before its connections were known. ``error`` and ``body`` are set when
    the message was removed from the queue undelivered.
    """

    message_id: str
    connection: str
    queue_time: datetime
    send_time: datetime
    attempts: int
    error: str | None = None
    body: str | None = None

    @property
    def removed(self) -> bool:
        """Return whether the message was removed undelivered."""
        return self.error is not None

    @classmethod
    def read(cls, row: Mapping[str, object]) -> Delivery:
        """Read a row of a report.

        :raises VaultFault: INVALID_DATA
        """
        error = _text(row, "error", MAX_ERROR) or None
        body = _text(row, "message", MAX_BODY, required=True) if error else None
        return cls(
            message_id=_text(row, "message_id", MAX_NAME_LENGTH, required=True),
            connection=_text(row, "connection_name", MAX_NAME_LENGTH),
            queue_time=_moment(row, "queue_time"),
            send_time=_moment(row, "send_time"),
            attempts=_count(row, "attempts"),
            error=error,
            body=body,
        )


def _text(
    row: Mapping[str, object],
    name: str,
    limit: int,
    *,
    required: bool = False,
) -> str:
    """Return the value as a text of at most ``limit`` characters; a missing optional text is empty.

    :raises VaultFault: INVALID_DATA
    """
    value = row.get(name)
    if value is None and not required:
        return ""
    # PostgreSQL takes no NUL character in a text.
    valid = isinstance(value, str) and len(value) <= limit and "\x00" not in value
    if not isinstance(value, str) or not valid or (required and not value):
        message = f"[{name}] of a delivery is not a text of at most {limit} characters"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return value


def _moment(row: Mapping[str, object], name: str) -> datetime:
    """Return the value as a moment, in UTC if it has no zone.

    :raises VaultFault: INVALID_DATA
    """
    text = str(row.get(name))
    try:
        return read_moment(text)
    except ValueError as error:
        message = f"[{name}] of a delivery is not a date and time"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error


def _count(row: Mapping[str, object], name: str) -> int:
    """Return the value as a number from 1 to ``MAX_ATTEMPTS``.

    :raises VaultFault: INVALID_DATA
    """
    value = row.get(name)
    # In Python True is an int as well.
    number = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if not 0 < number <= MAX_ATTEMPTS:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{name}] of a delivery is not a count"
        )
    return number


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

    ``name`` is its member in JSON, ``title`` its header in CSV. ``stored_as`` and ``sql_type`` describe its column in
    the database, if it has one; ``read`` returns its value for a delivery, and is None if the database sets the value.
    Pages show the column under ``label``, if set, in the order of ``place``.
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
