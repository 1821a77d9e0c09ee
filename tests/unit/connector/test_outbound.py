"""Deliveries to several Vaults: one that is away delays no message to the others, and none is sent there again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from services.connector.delivery.external import Receivers
from services.connector.delivery.outbound_queue import Attempts, Outbound
from services.connector.vaults import vaults
from services.connector.vaults.vaults import (
    ConnectedVault,
    KnownVault,
    Patience,
    Vaults,
)
from shared.client.errors import ExpiredPage, QueryTimeout, VaultRefused
from shared.client.results import QueryResult, Row
from shared.runtime.retry_policies import PEER_AWAY
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.consumer import Delivery
from shared.spark.envelope import Envelope, Message
from shared.spark.publisher import Outgoing

QUEUE = "out__v"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CONNECTED = {
    "state__v": "active_state__sys",
    "status__v": "active__v",
    "object_type__vr.api_name__v": "vault_to_vault",
}


@dataclass
class Sender:
    """The Vault of the queue: two connections, and the delivery reports."""

    reported: list[Mapping[str, object]] = field(default_factory=list)
    refusals: list[VaultRefused] = field(default_factory=list)

    async def configuration(self, _kind: str) -> list[Row]:
        entries = [
            {"connection_name": name, "deliver_to_queue": "in__v"}
            for name in ("steady__v", "away__v")
        ]
        return [{"name": QUEUE, "Queueconnection": entries}]

    async def query(self, _vql: str) -> QueryResult:
        if self.refusals:
            raise self.refusals.pop()
        names = {"steady__v": "1", "away__v": "2"}
        rows: list[Row] = [
            {
                "id": name,
                "api_name__sys": name,
                "remote_vault_id__sys": vault,
                **CONNECTED,
            }
            for name, vault in names.items()
        ]
        return QueryResult(rows, None)

    async def revision_since(self, _moment: datetime) -> None:
        return None

    async def report_deliveries(
        self, _queue: str, rows: Sequence[Mapping[str, object]]
    ) -> None:
        self.reported += rows


@dataclass
class Broker:
    """Accepts messages; the first publish to an ``away`` one fails, before the confirms of the other."""

    failed: asyncio.Event
    away: bool = False
    taken: list[str] = field(default_factory=list)

    async def publish_all(self, messages: Sequence[Outgoing]) -> None:
        if self.away and not self.failed.is_set():
            self.failed.set()
            raise BrokerUnavailable("away")
        self.taken += [message.message_id for message in messages]
        await self.failed.wait()
        for _ in range(10):
            await asyncio.sleep(0)


def vault(number: int, broker: Broker) -> ConnectedVault:
    return ConnectedVault(
        f"vault {number}",
        number,
        cast("Any", None),
        cast("Any", None),
        cast("Any", broker),
    )


def outbound(sender: Sender, *others: ConnectedVault) -> Outbound:
    """The deliveries of the sender's queue to these Vaults."""
    own = ConnectedVault(
        "own", 3, cast("Any", sender), cast("Any", None), cast("Any", None)
    )
    known: dict[int, KnownVault] = {each.vault_id: each for each in (own, *others)}
    attempts = Attempts(first_pause=0)
    return Outbound(Vaults(known), own, QUEUE, attempts, Patience(), Receivers(1))


def delivery() -> Delivery:
    message = Message({}, ("R1",))
    envelope = Envelope("Vault", "localhost", QUEUE, NOW, NOW, 1, "m-1", message)
    return Delivery(envelope.encode(), "m-1", {}, redelivered=False, queue=QUEUE)


async def test_what_one_vault_has_taken_is_not_sent_to_it_again_when_another_is_away() -> (
    None
):
    sender, failed = Sender(), asyncio.Event()
    steady, away = Broker(failed), Broker(failed, away=True)
    deliveries = outbound(sender, vault(1, steady), vault(2, away))
    await deliveries.handle([delivery()])
    assert (steady.taken, away.taken) == (["m-1"], ["m-1"])
    assert {row["connection_name"] for row in sender.reported} == {
        "steady__v",
        "away__v",
    }
    assert not any("error" in row for row in sender.reported)


# What the Vault refuses while its routes are read → at which attempt the message is delivered.
READS = {
    "stopped": (QueryTimeout("OPERATION_NOT_ALLOWED", "[query timeout]"), 1),
    "a page that is gone": (ExpiredPage("INVALID_DATA", "expired"), 1),
    "its own error": (VaultRefused("UNEXPECTED_ERROR", "no"), 1),
    "shut out": (VaultRefused("API_LIMIT_EXCEEDED", "no"), 1),
    "not permitted": (VaultRefused("INSUFFICIENT_ACCESS", "no"), 2),
}


@pytest.mark.parametrize(("refused", "attempt"), READS.values(), ids=READS)
async def test_a_read_that_a_vault_stops_is_no_attempt(
    refused: VaultRefused, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        vaults, "PEER_AWAY", replace(PEER_AWAY, first_pause=0, longest_pause=0)
    )
    sender, open_broker = Sender(refusals=[refused]), Broker(asyncio.Event())
    open_broker.failed.set()
    deliveries = outbound(sender, vault(1, open_broker), vault(2, open_broker))
    await deliveries.handle([delivery()])
    assert {row["attempts"] for row in sender.reported} == {attempt}
    assert not any("error" in row for row in sender.reported)
