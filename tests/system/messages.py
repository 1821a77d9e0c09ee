"""Puts messages on a queue by hand, as with the management console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import aio_pika

from shared.spark.envelope import Envelope, Message
from tests.broker_connections import broker_connection
from tests.system.conditions import Connected

INBOUND = "medical_crm_inbound_queue__v"
POINT = "medical_inquiry_details_inbound__v"
TIMEOUT = 10.0


def envelope(
    items: Sequence[str], *, point: str = POINT, object_name: str = "medical_inquiry__v"
) -> Envelope:
    """A message as the CRM Vault sends it."""
    attributes = {
        "object": object_name,
        "event": "transfer",
        "integration_point": point,
    }
    now = datetime.now(UTC)
    message = Message(attributes=attributes, items=tuple(items))
    return Envelope(
        "Vault CRM", "localhost", INBOUND, now, now, 1, str(uuid4()), message
    )


async def put_on_queue(
    connected: Connected,
    body: bytes,
    message_id: str | None = None,
    queue: str = INBOUND,
    vault: str = "medical",
) -> None:
    """Publish a body as it is to a queue of a Vault: medical or crm."""
    async with broker_connection(f"{connected.amqp_url}/{vault}") as connection:
        channel = await connection.channel()
        message = aio_pika.Message(
            body, message_id=message_id, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        await channel.default_exchange.publish(
            message, routing_key=queue, timeout=TIMEOUT
        )
