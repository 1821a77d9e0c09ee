"""Messages as they arrive at the connector's queues, and the queues' handlers on Vaults in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from services.connector.processing.inbox import Inbox, Slots
from services.connector.vaults.vaults import Patience
from shared.spark.consumer import Delivery
from shared.spark.envelope import Envelope, JsonValue, Message
from tests.captured_logs import own_logs
from tests.unit.connector.example_records import INQUIRIES, INQUIRY
from tests.unit.connector.standard_vaults import CRM_ID, Pair

QUEUE = "medical_crm_inbound_queue__v"
ENTERED = datetime(2026, 1, 31, 12, tzinfo=UTC)
_NUMBERS = count(1)


def envelope(
    *items: str,
    point: str = INQUIRIES,
    of: str = INQUIRY,
    message_id: str = "",
    queue: str = QUEUE,
    **attributes: JsonValue,
) -> Envelope:
    """A message about records, for an integration point."""
    said = {"object": of, "integration_point": point, "event": "sent", **attributes}
    return Envelope(
        vault_name="crm",
        vault_host_name="crm.example",
        queue_name=queue,
        enter_queue_timestamp=ENTERED,
        send_message_timestamp=ENTERED,
        send_attempt=1,
        message_id=message_id or f"m-{next(_NUMBERS)}",
        message=Message(said, items),
    )


def delivery(
    message: Envelope | bytes,
    sender: object = CRM_ID,
    message_id: str = "",
) -> Delivery:
    """A message as the broker delivers it."""
    if isinstance(message, bytes):
        return Delivery(message, message_id, {}, redelivered=False, queue=QUEUE)
    headers = {} if sender is None else {"vault_id": sender}
    body = message.encode()
    return Delivery(body, message.message_id, headers, redelivered=False, queue=QUEUE)


def slots(places: int = 4, patience: Patience | None = None) -> Slots:
    """Places for units at work."""
    overlap = timedelta(minutes=2)
    return Slots(asyncio.Semaphore(places), patience or Patience(), overlap)


def inbox(of: Pair, shared: Slots | None = None) -> Inbox:
    """The handler of the Medical Vault's inbound queue."""
    return Inbox(of.vaults, of.medical_end, QUEUE, shared or slots())


@contextmanager
def logged() -> Iterator[list[str]]:
    """The names of the events that are logged meanwhile, which are not printed with all their variables."""
    names: list[str] = []
    with own_logs() as lines:
        yield names
    names += [str(line["event"]) for line in lines]


async def handle(of: Pair, *messages: Envelope) -> None:
    """Let messages of Vault CRM be handled together."""
    await inbox(of).handle([delivery(message) for message in messages])


def exceptions(of: Pair, *fields: str) -> list[dict[str, object]]:
    """The records of messages that failed."""
    names = [f"{name}__sys" for name in fields]
    rows = of.medical.rows("exception_message__sys", *names)
    return [
        {name.removesuffix("__sys"): value for name, value in row.items()}
        for row in rows
    ]


def items(of: Pair, *fields: str) -> list[Sequence[object]]:
    """The records of items that failed: values of these fields."""
    names = [f"{name}__sys" for name in fields]
    rows = of.medical.rows("exception_item__sys", *names)
    return [tuple(row.values()) for row in rows]
