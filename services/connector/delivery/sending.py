"""Tracks the delivery of one message: the destinations it has reached, and why it has not reached the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.connector.delivery.destinations import Destination, Routes
from shared.spark.envelope import DESTINATION_ATTRIBUTE, Envelope, format_moment

# Bytes of a body that is no message: what a Long Text field of the report's record takes.
MAX_REPORTED = 32_000


@dataclass(slots=True)
class Sending:
    """A message of an outbound queue; ``missing`` has a reason for each connection it has yet to get over.

    ``revision`` is what it tells of its Vault's configuration when it was queued.
    """

    envelope: Envelope
    revision: str | None = None
    attempts: int = 0
    sent: datetime = field(default_factory=lambda: datetime.now(UTC))
    reached: set[Destination] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)

    def begin(self, attempt: int) -> None:
        """Note that another attempt begins."""
        self.attempts = attempt
        self.sent = datetime.now(UTC)
        # Faults of the attempt before may have been mended; those that remain are found again.
        self.missing.clear()

    def routes(self, routes: Routes) -> Routes:
        """Return those of its queue's routes that are its own."""
        attributes = self.envelope.message.attributes
        vault_id = attributes.get(DESTINATION_ATTRIBUTE)
        if not isinstance(vault_id, int):
            return routes
        return routes.only_to(vault_id)

    @property
    def delivered(self) -> bool:
        """Whether nothing is left to be done."""
        return not self.missing

    def report(self) -> Iterable[dict[str, object]]:
        """Yield the rows that report the message's deliveries to its Vault, one for each connection."""
        common: dict[str, object] = {
            "message_id": self.envelope.message_id,
            "queue_time": format_moment(self.envelope.enter_queue_timestamp),
            "send_time": format_moment(self.sent),
            "attempts": self.attempts,
        }
        for destination in self.reached:
            yield {**common, "connection_name": destination.connection}
        # The body goes back only where a person may want to send it again.
        body = self.envelope.recorded(None) if self.missing else ""
        for connection, reason in self.missing.items():
            yield {
                **common,
                "connection_name": connection,
                "error": reason,
                "message": body,
            }


def unreadable(body: bytes, message_id: str, reason: str) -> dict[str, object]:
    """Return the row that reports a body that is no message."""
    now = format_moment(datetime.now(UTC))
    beginning = body[:MAX_REPORTED].decode(errors="replace")
    # PostgreSQL stores no zero character in a text.
    text = beginning.replace("\x00", "")
    return {
        "message_id": message_id,
        "connection_name": "",
        "queue_time": now,
        "send_time": now,
        "attempts": 1,
        "error": reason,
        "message": text or "(empty)",
    }
