"""Counts how often the processing of a message that was put back has begun, on the queue itself.

A message that an outage has returned is processed as any other. One that comes back again is marked before it is
processed, when its Vaults are reachable: a copy with the count takes its place on the queue. Whatever ends the process
leaves that count there, and an outage that the processing meets sets it back.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from services.connector.vaults.vaults import ConnectedVault, Patience, Vaults
from shared.runtime.logging import get_logger
from shared.runtime.retry_policies import SUSPECT
from shared.runtime.waiting import concurrently
from shared.spark.publisher import Outgoing
from shared.spark.subscription import Delivery
from shared.spark.topology import BEGUN_HEADER, KEPT_HEADERS, MAX_BEGUN

_log = get_logger(__name__)

GIVEN_UP = (
    f"The processing of the message began {MAX_BEGUN} times while its Vaults were reachable, and never came to an end. "
    "It may end the connector, whose log says more; correct the cause, then run Retry Transfer"
)


class Step(Enum):
    """What is done next with a message."""

    PROCESS = auto()
    PROCESS_COUNTED = auto()
    MARK = auto()
    GIVE_UP = auto()


def step(delivery: Delivery) -> Step:
    """Return what is done next with a delivery, by its headers."""
    if not delivery.rounds:
        return Step.PROCESS
    if delivery.begun >= MAX_BEGUN:
        return Step.GIVE_UP
    if delivery.redelivered:
        return Step.MARK
    return Step.PROCESS_COUNTED if delivery.begun else Step.PROCESS


class Suspects:
    """Puts copies of messages with their count on one inbound queue; ``turn`` is shared by the process."""

    def __init__(
        self,
        vaults: Vaults,
        own: ConnectedVault,
        queue: str,
        patience: Patience,
        turn: asyncio.Lock,
    ) -> None:
        self._vaults = vaults
        self._own = own
        self._queue = queue
        self._patience = patience
        self._turn = turn

    async def mark(self, delivery: Delivery) -> None:
        """Put a copy that has begun once more on the queue, when the Vaults are reachable.

        :raises Interrupted: the process stops first.
        """
        await self._turn.acquire()
        try:
            await self._patience.wait_for("Vaults (message put back)", self._reach)
            await self._copy(delivery, delivery.begun + 1)
        finally:
            # Others begin a little later: what ends the process now is most likely this one.
            loop = asyncio.get_running_loop()
            loop.call_later(SUSPECT.first_pause, self._turn.release)

    async def set_back(self, delivery: Delivery) -> None:
        """Put a copy on the queue that counts as not begun: what its processing has met is an outage.

        :raises Interrupted: the process stops first.
        """
        await self._copy(delivery, 0)

    async def _reach(self) -> None:
        # The clock is announced by a write, so that a Vault that takes none does not answer.
        async with concurrently() as group:
            for vault in self._vaults.by_id.values():
                group.create_task(vault.client.clock())

    async def _copy(self, delivery: Delivery, begun: int) -> None:
        kept = {
            name: value
            for name, value in delivery.headers.items()
            if name in KEPT_HEADERS and isinstance(value, str | int)
        }
        headers = {**kept, BEGUN_HEADER: begun}
        copy = Outgoing(self._queue, delivery.body, delivery.message_id, headers)
        publisher = self._own.publisher
        name = f"broker of {self._own.name}"
        await self._patience.wait_for(name, lambda: publisher.publish(copy))
        _log.warning("message put back is marked", queue=self._queue, begun=begun)
