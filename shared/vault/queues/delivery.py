"""Reads one reported delivery, as a connector sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.protocol.error_types import ErrorType
from shared.protocol.moments import read_moment
from shared.spark.envelope import MAX_NAME_LENGTH
from shared.vault.errors import VaultFault

MAX_ATTEMPTS = 10_000
MAX_ERROR = 1500  # characters
MAX_BODY = 300_000  # characters


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one message over one connection.

    ``connection`` is empty where the message failed before its connections were known.
    ``error`` and ``body`` are set when the message was removed from the queue
    undelivered.
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
    """Return the value as a text of at most ``limit`` characters; an optional text may be missing, and is empty then.

    :raises VaultFault: INVALID_DATA
    """
    value = row.get(name)
    if value is None and not required:
        return ""
    # PostgreSQL takes no NUL character in a text.
    valid = isinstance(value, str) and len(value) <= limit and "\x00" not in value
    if not isinstance(value, str) or not valid or (required and not value):
        message = f"[{name}] of a delivery is no text of at most {limit} characters"
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
        message = f"[{name}] of a delivery is no date and time"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error


def _count(row: Mapping[str, object], name: str) -> int:
    """Return the value as a number from 1 to ``MAX_ATTEMPTS``.

    :raises VaultFault: INVALID_DATA
    """
    value = row.get(name)
    # In Python True is an int as well.
    number = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if not 0 < number <= MAX_ATTEMPTS:
        raise VaultFault(ErrorType.INVALID_DATA, f"[{name}] of a delivery is no count")
    return number
