"""Reads one reported delivery, as a connector sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.protocol.error_types import ErrorType
from shared.spark.envelope import MAX_NAME_LENGTH
from shared.vault.errors import VaultFault

MAX_ATTEMPTS = 10_000


MAX_ERROR = 1500


MAX_BODY = 300_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message on one connection; ``connection`` is empty where it was not even clear which.

    ``body`` is given for a message that is removed from the queue without having been delivered.
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
        """Whether it is given up."""
        return self.error is not None

    @classmethod
    def read(cls, row: Mapping[str, object]) -> Delivery:
        """A row of a report; raises VaultFault ``INVALID_DATA``."""
        error = _text(row, "error", MAX_ERROR) or None
        return cls(
            message_id=_text(row, "message_id", MAX_NAME_LENGTH, required=True),
            connection=_text(row, "connection_name", MAX_NAME_LENGTH),
            queue_time=_moment(row, "queue_time"),
            send_time=_moment(row, "send_time"),
            attempts=_count(row, "attempts"),
            error=error,
            body=_text(row, "message", MAX_BODY, required=True) if error else None,
        )


def _text(
    row: Mapping[str, object], name: str, limit: int, *, required: bool = False
) -> str:
    value = row.get(name)
    if value is None and not required:
        return ""
    if (
        not isinstance(value, str)
        or len(value) > limit
        or "\x00" in value
        or (required and not value)
    ):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[{name}] of a delivery is no text of at most {limit} characters",
        )
    return value


def _moment(row: Mapping[str, object], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(row.get(name)))
    except ValueError as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{name}] of a delivery is no date and time"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _count(row: Mapping[str, object], name: str) -> int:
    value = row.get(name)
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not 0 < value <= MAX_ATTEMPTS
    ):
        raise VaultFault(ErrorType.INVALID_DATA, f"[{name}] of a delivery is no count")
    return value
