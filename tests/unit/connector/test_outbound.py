"""Deliveries to several Vaults: one that is away keeps no message from the others, and none is sent there again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from services.connector.delivery.external import Receivers
from services.connector.delivery.outbound_queue import Attempts, Outbound
from services.connector.vaults.vaults import (
    ConnectedVault,
    KnownVault,
    Patience,
    Vaults,
)
from shared.client.results import QueryResult, Row
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
    """The Vault whose queue it is: two connections, and what is reported of them."""

    reported: list[Mapping[str, object]] = field(default_factory=list)

    async def configuration(self, _kind: str) -> list[Row]:
        entries = [
            {"connection_name": name, "deliver_to_queue": "in__v"}
            for name in ("steady__v", "away__v")
        ]
        return [{"name": QUEUE, "Queueconnection": entries}]

    async def query(self, _vql: str) -> QueryResult:
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
    """Takes messages; one that is ``away`` fails the first time, before the confirms of the other have come."""

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


async def test_what_one_vault_has_taken_is_not_sent_to_it_again_when_another_is_away() -> (
    None
):
    sender, failed = Sender(), asyncio.Event()
    steady, away = Broker(failed), Broker(failed, away=True)
    own = ConnectedVault(
        "own", 3, cast("Any", sender), cast("Any", None), cast("Any", None)
    )
    known: dict[int, KnownVault] = {3: own, 1: vault(1, steady), 2: vault(2, away)}
    outbound = Outbound(Vaults(known), own, QUEUE, Attempts(), Patience(), Receivers(1))
    body = Envelope(
        "Vault", "localhost", QUEUE, NOW, NOW, 1, "m-1", Message({}, ("R1",))
    ).encode()
    await outbound.handle([Delivery(body, "m-1", {}, redelivered=False, queue=QUEUE)])
    assert (steady.taken, away.taken) == (["m-1"], ["m-1"])
    assert {row["connection_name"] for row in sender.reported} == {
        "steady__v",
        "away__v",
    }
    assert not any("error" in row for row in sender.reported)
