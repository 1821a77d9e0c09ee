"""One message on its way out: where it has arrived, and why it has not elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.connector.delivery.destinations import Destination, Routes
from shared.spark.envelope import DESTINATION_ATTRIBUTE, Envelope, format_moment

MAX_KEPT = 32_000  # bytes of a body that is no message


@dataclass(slots=True)
class Sending:
    """A message of an outbound queue; ``missing`` has a reason for each connection it has yet to get over."""

    envelope: Envelope
    attempts: int = 0
    sent: datetime = field(default_factory=lambda: datetime.now(UTC))
    reached: set[Destination] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)

    def begin(self, attempt: int) -> None:
        """Note that another attempt begins."""
        self.attempts, self.sent = attempt, datetime.now(UTC)
        self.missing.clear()

    def routes(self, routes: Routes) -> Routes:
        """Those of its queue's routes that are its own."""
        wanted = self.envelope.message.attributes.get(DESTINATION_ATTRIBUTE)
        return routes.only_to(wanted) if isinstance(wanted, int) else routes

    @property
    def delivered(self) -> bool:
        """Whether nothing is left to be done."""
        return not self.missing

    def report(self) -> Iterable[dict[str, object]]:
        """Rows that tell the message's Vault what became of it, one a connection."""
        common: dict[str, object] = {
            "message_id": self.envelope.message_id,
            "queue_time": format_moment(self.envelope.enter_queue_timestamp),
            "send_time": format_moment(self.sent),
            "attempts": self.attempts,
        }
        for destination in self.reached:
            yield {**common, "connection_name": destination.connection}
        body = self.envelope.recorded(None) if self.missing else ""
        for connection, reason in self.missing.items():
            yield {
                **common,
                "connection_name": connection,
                "error": reason,
                "message": body,
            }


def unreadable(body: bytes, message_id: str, reason: str) -> dict[str, object]:
    """The row of a body that is no message."""
    now = format_moment(datetime.now(UTC))
    text = body[:MAX_KEPT].decode(errors="replace").replace("\x00", "")
    return {
        "message_id": message_id,
        "connection_name": "",
        "queue_time": now,
        "send_time": now,
        "attempts": 1,
        "error": reason,
        "message": text or "(empty)",
    }
