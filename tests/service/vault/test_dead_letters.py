"""Dead letters: a message returned too often is put back on its queue, a rejected one becomes an exception."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from local.polling import answers_within
from shared.runtime.retry_policies import REDELIVERY
from shared.spark.connection import BrokerConnection
from shared.spark.consumer import Consumer, Delivery
from shared.spark.envelope import Envelope, Message
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import (
    BEGUN_HEADER,
    DEAD_LETTER,
    DELIVERY_LIMIT,
    MAX_BEGUN,
    Direction,
    queue_state,
)
from shared.vault.assembly.vault import Vault
from tests.service.vault.objects import key
from tests.service.vault.served import Api

QUEUE = "given_up_in__c"  # no other test puts messages there
SENDER = 20202
FIELDS = (
    "id, queue__sys, error_type__sys, error_status__sys, error_message__sys, LONGTEXT(message_body_json__sys), "
    "message_items_received__sys, message_items_failed__sys"
)


def message(message_id: str, items: Sequence[str] = ("V4T1", "V4T2")) -> bytes:
    now = datetime.now(UTC)
    content = Message({"object": "x__c", "integration_point": "p__c"}, tuple(items))
    return Envelope(
        "Vault CRM", "localhost", QUEUE, now, now, 1, message_id, content
    ).encode()


async def put(vault: Vault, message_id: str, body: bytes, begun: int = 0) -> None:
    """Publish a body to the queue, as a connector does, with the count of how often it began."""
    headers = {"vault_id": SENDER, BEGUN_HEADER: begun}
    async with broker_of(vault) as broker:
        publisher = Publisher(broker, Direction.INBOUND.exchange)
        await publisher.publish(Outgoing(QUEUE, body, message_id, headers))
        await publisher.close()


async def came_back(vault: Vault) -> None:
    """Consume the one message of the queue with a handler that never finishes, until the broker gives it up."""
    asked = 0

    async def refuse(deliveries: list[Delivery]) -> None:
        nonlocal asked
        asked += len(deliveries)
        raise ValueError

    async def often() -> str | None:
        return None if asked > DELIVERY_LIMIT else f"asked {asked} times"

    async with broker_of(vault) as broker:
        consumer = Consumer(
            broker,
            QUEUE,
            refuse,
            redelivery=replace(REDELIVERY, first_pause=0.001, longest_pause=0.01),
        )
        await consumer.start()
        assert await answers_within(60, often) is None
        await consumer.stop()
    assert asked >= DELIVERY_LIMIT + 1


async def taken(vault: Vault, message_id: str) -> Delivery:
    """Take a message off the queue, once it is there."""
    found: list[Delivery] = []

    async def take(deliveries: list[Delivery]) -> None:
        found.extend(deliveries)

    async def there() -> str | None:
        ids = [each.message_id for each in found]
        return None if message_id in ids else f"found {ids}"

    async with broker_of(vault) as broker:
        consumer = Consumer(broker, QUEUE, take)
        await consumer.start()
        assert await answers_within(60, there) is None
        await consumer.stop()
    (delivery,) = found
    return delivery


@asynccontextmanager
async def broker_of(vault: Vault) -> AsyncIterator[BrokerConnection]:
    """The Vault's broker, once the Vault has declared its queues."""
    async with BrokerConnection(
        vault.settings.amqp_url.get_secret_value(), "tests"
    ) as broker:

        async def declared() -> str | None:
            return (
                None
                if await queue_state(broker, QUEUE)
                and await queue_state(broker, DEAD_LETTER)
                else "no queue"
            )

        assert await answers_within(60, declared) is None
        yield broker


async def exception_of(
    admin: Api, message_id: str, status: str = "open__sys"
) -> dict[str, Any]:
    """The one exception of the message, once it has this status."""
    found: list[dict[str, Any]] = []

    async def recorded() -> str | None:
        query = f"SELECT {FIELDS} FROM exception_message__sys WHERE message_id__sys = '{message_id}'"
        found[:] = (await admin.query(query)).data
        return (
            None
            if [row["error_status__sys"] for row in found] == [[status]]
            else f"recorded: {len(found)}"
        )

    assert await answers_within(60, recorded) is None
    (row,) = found
    return row


@pytest.mark.parametrize("rounds", [1, 2])
async def test_what_came_back_too_often_is_put_back(
    vault: Vault, admin: Api, rounds: int
) -> None:
    message_id = key()
    await put(vault, message_id, message(message_id), MAX_BEGUN - 1)
    for _ in range(rounds):
        await came_back(vault)
    delivery = await taken(vault, message_id)
    # The broker counts anew; the consumer above may have had it once more before it was stopped.
    assert delivery.returns < DELIVERY_LIMIT
    assert (delivery.begun, delivery.rounds >= rounds) == (MAX_BEGUN - 1, True)
    assert Envelope.parse(delivery.body).message_id == message_id
    assert delivery.headers["vault_id"] == SENDER
    query = (
        f"SELECT id FROM exception_message__sys WHERE message_id__sys = '{message_id}'"
    )
    assert (await admin.query(query)).data == []


async def test_a_message_that_ends_its_connectors_is_an_exception_to_retry(
    vault: Vault, admin: Api
) -> None:
    message_id = key()
    await put(vault, message_id, message(message_id), MAX_BEGUN)
    await came_back(vault)
    row = await exception_of(admin, message_id)
    assert (row["queue__sys"], row["error_type__sys"]) == (
        QUEUE,
        ["message_processing_error__sys"],
    )
    assert (row["message_items_received__sys"], row["message_items_failed__sys"]) == (
        2,
        2,
    )
    recorded = Envelope.parse(row["message_body_json__sys"].encode())
    assert recorded.message.attributes["source_vault_id"] == SENDER
    assert recorded.message.items == ("V4T1", "V4T2")

    again = "Objectaction.exception_message__sys.retry_transfer__sys"
    assert (
        await admin.post(
            f"/vobjects/exception_message__sys/{row['id']}/actions/{again}"
        )
    ).status == "SUCCESS"
    await exception_of(admin, message_id, "retrying__sys")
    # A retry begins anew.
    assert (await taken(vault, message_id)).begun == 0


@pytest.mark.parametrize("body", [b"not json", b"\x00\xff"], ids=["text", "bytes"])
async def test_what_is_no_message_is_an_exception_too(
    vault: Vault, admin: Api, body: bytes
) -> None:
    message_id = key()
    await put(vault, message_id, body, MAX_BEGUN)
    await came_back(vault)
    row = await exception_of(admin, message_id)
    assert row["error_type__sys"] == ["malformed_message__sys"]
    assert "cannot be read" in row["error_message__sys"]
