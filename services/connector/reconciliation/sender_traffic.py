"""Asks the sending Vault for messages under way and for failed deliveries, which explain differences."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.connector.points.evaluation import query_all
from services.connector.reconciliation.planned_readings import PlannedReading
from services.connector.rules.rows import contains
from shared.client.client import VaultClient
from shared.client.results import rows_of, text, whole
from shared.runtime.waiting import KeyLocks
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope, Message

_BODY = "message_body_json__sys"
_UNSETTLED = ("open__sys", "retrying__sys", "ignored__sys")
# The latest ones: what is undelivered for long and by the thousand is one cause, which is found without its items.
_MAX_MESSAGES = 1000
_UNDELIVERED = (
    f"SELECT LONGTEXT({_BODY}) FROM exception_message__sys "  # noqa: S608  VQL of names
    "WHERE error_type__sys = 'message_delivery_error__sys' "
    f"AND {contains('error_status__sys', _UNSETTLED)} ORDER BY id DESC MAXROWS {_MAX_MESSAGES}"
)
_AT_BROKER = timedelta(days=1)
"""How old a message may be that waits at the broker, which does not tell."""


@dataclass(frozen=True, slots=True)
class SenderTraffic:
    """The traffic of a Vault over its connection ``connection``.

    ``records`` are locks of the records in transfer here.
    """

    vault: VaultClient
    connection: str
    records: KeyLocks

    async def changed_since(self, window: datetime, now: datetime) -> datetime:
        """Return the moment since which changes may be under way: ``window``, or when an older message was queued.

        The age of a message at the broker is unknown to the Vault: it counts as one day before ``now``.

        :raises ClientError: one of the calls fails.
        """
        since = window
        for listed in await self.vault.queues():
            if listed.get("type") != "outbound":
                continue
            queue = await self.vault.queue(text(listed, "name"))
            connections = rows_of(queue.get("connections") or [], "connections")
            names = {text(each, "name") for each in connections}
            if self.connection not in names:
                continue
            waiting = text(queue, "waiting_since")
            if waiting:
                since = min(since, datetime.fromisoformat(waiting))
            elif whole(queue.get("messages_in_queue"), "messages_in_queue"):
                since = min(since, now - _AT_BROKER)
        return since

    def in_hand(self, planned: PlannedReading, items: Collection[str]) -> set[str]:
        """Return the source records that this connector is transferring at the moment."""
        name = planned.reading.object
        return {
            item
            for item in items
            if self.records.holds((self.vault.vault_id, name, item))
        }

    async def undelivered(
        self, planned: PlannedReading, items: Collection[str]
    ) -> set[str]:
        """Return the source records that an exception of the sender names as undelivered.

        :raises ClientError: one of the calls fails.
        """
        if not items:
            return set()
        found: set[str] = set()
        for row in await query_all(self.vault, [_UNDELIVERED]):
            try:
                message = Envelope.parse(text(row, _BODY).encode()).message
            except MalformedMessage:
                # Whatever it was, it names no record.
                continue
            if _is_of_reading(message, planned):
                found.update(message.items)
        return found & set(items)


def _is_of_reading(message: Message, planned: PlannedReading) -> bool:
    attributes = message.attributes
    place = (attributes.get("integration_point"), attributes.get("object"))
    return place == (planned.route.point.api_name, planned.reading.object)
