"""An inbound queue's messages: read, gathered into units, transferred, and their exceptions kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.connector.messages.units import Inbound, WorkUnit, gather, requested_run
from services.connector.processing.exception_records import (
    ExceptionRecords,
    MessageFailure,
    malformed,
)
from services.connector.processing.execution import UnitExecution
from services.connector.runs.run_reading import RunReading
from services.connector.runs.run_reports import counts, report
from services.connector.vaults.faults import Patience
from services.connector.vaults.vaults import ConnectedVault, Vaults
from shared.runtime.concurrency import KeyLocks, each_to_its_end
from shared.runtime.telemetry import metrics
from shared.spark.broker_errors import MalformedMessage
from shared.spark.consumer import Delivery
from shared.spark.envelope import Envelope

VAULT_ID_HEADER = "vault_id"

Attempt = Callable[[], Awaitable[None]]


@dataclass
class Slots:
    """What all inbound queues of this process share: places for units at work, locks, and the will to wait.

    ``run_overlap`` is how long before Last Successful Run Time a run begins to read.
    """

    places: asyncio.Semaphore
    patience: Patience
    run_overlap: timedelta
    records: KeyLocks = field(default_factory=KeyLocks)


class Inbox:
    """Handles the deliveries of one inbound queue of one Vault."""

    def __init__(
        self, vaults: Vaults, own: ConnectedVault, queue: str, slots: Slots
    ) -> None:
        self._vaults = vaults
        self._own = own
        self._queue = queue
        self._slots = slots
        self._exceptions = ExceptionRecords(own.client)

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Process deliveries to the end: each is transferred or recorded when this returns.

        A Vault or broker that is away is waited for. Raises VaultRefused only when the target Vault takes
        no exception record; the broker then keeps the deliveries.
        """
        messages, unreadable = self._read(deliveries)
        runs = {
            m.envelope.message_id: (m, batch)
            for m in messages
            if (batch := requested_run(m.envelope.message))
        }
        others = [
            message for message in messages if message.envelope.message_id not in runs
        ]
        work = [self._process(unit) for unit in gather(others, self._own.vault_id)]
        for message, batch in runs.values():
            reading = RunReading(
                self._vaults,
                self._own,
                self._queue,
                self._slots.run_overlap,
                message,
                batch,
            )
            work.append(self._patiently(reading.run))
        if unreadable:
            work.append(self._patiently(lambda: self._exceptions.record(unreadable)))
        await each_to_its_end(work)
        now = datetime.now(UTC)
        for message in messages:
            age = (now - message.envelope.enter_queue_timestamp).total_seconds()
            metrics.message_age.labels(self._queue).observe(max(0.0, age))

    def _read(
        self, deliveries: Sequence[Delivery]
    ) -> tuple[list[Inbound], list[MessageFailure]]:
        messages: list[Inbound] = []
        unreadable: list[MessageFailure] = []
        for delivery in deliveries:
            try:
                envelope = Envelope.parse(delivery.body)
            except MalformedMessage as problem:
                unreadable.append(
                    malformed(
                        delivery.body,
                        delivery.message_id or None,
                        self._queue,
                        problem.reason,
                    )
                )
            else:
                messages.append(
                    Inbound(envelope, _whole(delivery.headers.get(VAULT_ID_HEADER)))
                )
        return messages, unreadable

    async def _process(self, unit: WorkUnit) -> None:
        key = unit.key
        # An id at work in one unit is never at work in another: the later one then sees what the earlier did.
        async with self._slots.records.hold(
            (key.source, key.object, item) for item in unit.ids
        ):
            execution = UnitExecution(
                self._vaults,
                self._own,
                self._queue,
                unit,
                self._slots.records,
                self._exceptions,
            )

            async def executed() -> None:
                outcome = await execution.run()
                if key.batch is not None:
                    await report(
                        self._own.client,
                        key.batch,
                        key.integration_point,
                        counts(outcome, len(unit.ids)),
                    )

            await self._patiently(executed)

    async def _patiently(self, attempt: Attempt) -> None:
        async def bounded() -> None:
            # A unit that waits for a Vault leaves its place to those that need not.
            async with self._slots.places:
                self._slots.patience.proceed()
                await attempt()

        await self._slots.patience.wait_for(
            f"Vaults of queue {self._queue} ({self._own.name})", bounded
        )


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
