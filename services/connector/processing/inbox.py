"""Processes an inbound queue: reads its messages, marks those put back, gathers them into units, and runs the units."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import assert_never

from services.connector.messages.units import (
    Inbound,
    RunBatch,
    WorkUnit,
    gather,
    requested_run,
    requested_slice,
)
from services.connector.processing.exception_records import ExceptionRecords, malformed
from services.connector.processing.execution import UnitExecution
from services.connector.processing.message_failure import MessageFailure
from services.connector.reconciliation.slice_work import SliceWork
from services.connector.runs.run_reading import RunReading
from services.connector.runs.run_reports import counts, report
from services.connector.vaults.vaults import (
    PASSING,
    ConnectedVault,
    Impatience,
    Patience,
    Vaults,
)
from shared.client.errors import VaultRefused
from shared.protocol.whole_numbers import whole_number
from shared.runtime.logging import get_logger
from shared.runtime.retry_policies import MARK_FAILED, SUSPECT
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import KeyLocks, concurrently, each_to_its_end, state_log
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope
from shared.spark.publisher import Outgoing
from shared.spark.subscription import Delivery
from shared.spark.topology import BEGUN_HEADER, COPY_HEADERS, MAX_BEGUN, REVISION_HEADER

VAULT_ID_HEADER = "vault_id"

Attempt = Callable[[], Awaitable[object]]


@dataclass
class Slots:
    """The resources that all inbound queues of this process share: places for running units, record locks, patience.

    ``run_overlap`` is the time before Last Successful Run Time at which a run begins to read. Of the messages that were
    put back, only the one that has the lock ``turn`` begins.
    """

    places: asyncio.Semaphore
    patience: Patience
    run_overlap: timedelta
    records: KeyLocks = field(default_factory=KeyLocks)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Inbox:
    """Handles the deliveries of one inbound queue of one Vault."""

    def __init__(
        self,
        vaults: Vaults,
        own: ConnectedVault,
        queue: str,
        slots: Slots,
        rejection: str | None = None,
    ) -> None:
        """Take the queue, and the resources that it shares with other queues.

        When ``rejection`` contains a reason, nothing is transferred.
        """
        self._vaults = vaults
        self._own = own
        self._queue = queue
        self._slots = slots
        self._rejection = rejection
        self._exceptions = ExceptionRecords(own.client)
        self._suspects = Suspects(vaults, own, queue, slots.patience, slots.turn)

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Process deliveries: each is transferred, or recorded as an exception, when the call returns.

        It waits for a Vault or broker that is away. A message that was put back comes alone, and may be replaced by a
        copy of itself.

        :raises VaultRefused: the target Vault refuses an exception record; the broker then keeps the deliveries.
        :raises Interrupted: the process stops first.
        """
        first = deliveries[0]
        following = step(first)
        match following:
            case Step.PROCESS:
                await self.process(deliveries)
            case Step.PROCESS_COUNTED:
                await self._handle_counted(first)
            case Step.MARK:
                await self._suspects.mark(first)
            case Step.GIVE_UP:
                inbox = self._with(self._slots, BROKEN_OFF)
                await inbox.process([first])
            case _:
                assert_never(following)

    async def _handle_counted(self, delivery: Delivery) -> None:
        # Held through an outage it would come back, and count as begun without an end.
        inbox = self._with(replace(self._slots, patience=Impatience()), None)
        try:
            await inbox.process([delivery])
        except PASSING:
            await self._suspects.set_back(delivery)

    def _with(self, slots: Slots, rejection: str | None) -> Inbox:
        return Inbox(self._vaults, self._own, self._queue, slots, rejection)

    async def process(self, deliveries: Sequence[Delivery]) -> None:
        """Process deliveries, whether they were put back or not; raises the errors of ``handle``."""
        messages, unreadable = self._read(deliveries)
        # By message id: a request to read that is delivered twice is read once.
        runs: dict[str, tuple[Inbound, RunBatch]] = {}
        # By reconciliation: each has one slice at a time.
        slices: dict[int, Inbound] = {}
        others: list[Inbound] = []
        for message in messages:
            content = message.envelope.message
            batch, reconciliation = requested_run(content), requested_slice(content)
            if batch is not None:
                runs[message.envelope.message_id] = (message, batch)
            elif reconciliation is not None:
                slices[reconciliation] = message
            else:
                others.append(message)
        units = gather(others, self._own.vault_id)
        work = [self._process(unit) for unit in units]
        work += [self._read_run(message, batch) for message, batch in runs.values()]
        work += [self._compare(message, job) for job, message in slices.items()]
        if unreadable:
            work.append(
                self._repeat_while_away(lambda: self._exceptions.record(unreadable))
            )
        # A unit that fails must not break off the others, which may be half written.
        await each_to_its_end(work)
        self._measure_age(messages)

    def _read(
        self,
        deliveries: Sequence[Delivery],
    ) -> tuple[list[Inbound], list[MessageFailure]]:
        """Return the readable messages, and the failures of the others."""
        messages: list[Inbound] = []
        unreadable: list[MessageFailure] = []
        for delivery in deliveries:
            try:
                envelope = Envelope.parse(delivery.body)
            except MalformedMessage as problem:
                failure = malformed(
                    delivery.body,
                    delivery.message_id,
                    self._queue,
                    problem.reason,
                )
                unreadable.append(failure)
            else:
                sender = _whole(delivery.headers.get(VAULT_ID_HEADER))
                self._note_revision(sender, delivery, envelope)
                messages.append(Inbound(envelope, sender))
        return messages, unreadable

    def _note_revision(
        self,
        sender: int | None,
        delivery: Delivery,
        envelope: Envelope,
    ) -> None:
        revision = delivery.headers.get(REVISION_HEADER)
        vault = self._vaults.get(sender)
        if vault is not None and isinstance(revision, str):
            vault.client.note_revision(revision, envelope.enter_queue_timestamp)

    def _measure_age(self, messages: Sequence[Inbound]) -> None:
        now = datetime.now(UTC)
        ages = metrics.message_age.labels(self._queue)
        for message in messages:
            age = now - message.envelope.enter_queue_timestamp
            # The sender's clock may be ahead of this one.
            ages.observe(max(0.0, age.total_seconds()))

    async def _read_run(
        self,
        message: Inbound,
        batch: RunBatch,
    ) -> None:
        reading = RunReading(
            vaults=self._vaults,
            own=self._own,
            queue=self._queue,
            overlap=self._slots.run_overlap,
            message=message,
            batch=batch,
        )
        rejection = self._rejection
        if rejection is None:
            await self._repeat_while_away(reading.run)
        else:
            await self._repeat_while_away(lambda: reading.give_up(rejection))

    async def _compare(self, message: Inbound, reconciliation: int) -> None:
        records = self._slots.records
        work = SliceWork(self._vaults, self._own, message, reconciliation, records)
        rejection = self._rejection
        if rejection is None:
            # Before it takes one of the places.
            await work.yield_to_units()
            await self._repeat_while_away(work.run)
        else:
            await self._repeat_while_away(lambda: work.give_up(rejection))

    async def _process(self, unit: WorkUnit) -> None:
        key = unit.key
        records = self._slots.records
        # An id at work in one unit is never at work in another: the later one then sees what the earlier did.
        ids = [(key.source, key.object, item) for item in unit.ids]
        async with records.hold(ids):
            execution = UnitExecution(
                self._vaults,
                self._own,
                self._queue,
                unit,
                records,
                self._exceptions,
                self._rejection,
            )

            async def executed() -> None:
                outcome = await execution.run()
                # Only batches of runs are counted; a message belongs to no job.
                if key.batch is None:
                    return
                counted = counts(outcome, len(unit.ids), execution.ignored)
                client = self._own.client
                await report(
                    client,
                    key.batch,
                    key.integration_point,
                    counted,
                )

            await self._repeat_while_away(executed)
        if execution.to_report is not None:
            await self._report_failed(execution, unit, ids)

    async def _report_failed(
        self,
        execution: UnitExecution,
        unit: WorkUnit,
        ids: Sequence[Hashable],
    ) -> None:
        """Report the failed records to the source Vault, until it has accepted the report.

        :raises VaultRefused: the source Vault has refused for too long to wait here; the message returns to its queue,
            and all of this is done again.
        """

        async def report() -> None:
            # Locked for each attempt only: a retry need not wait for this report, and makes it needless.
            async with self._slots.records.hold(ids):
                await execution.report_failed()

        first = unit.messages[0].envelope.message_id
        name = f"report of message {first} to its source Vault"
        pauses = MARK_FAILED.pauses()
        for _ in range(MARK_FAILED.attempts - 1):
            try:
                await self._repeat_while_away(report, name)
            except VaultRefused as refused:
                state_log.failed(name, refused)
            else:
                state_log.succeeded(name)
                return
            await self._slots.patience.pause(next(pauses))
        await self._repeat_while_away(report, name)

    async def _repeat_while_away(
        self, attempt: Attempt, name: str | None = None
    ) -> None:
        """Call ``attempt`` once a place is free; repeat it while a Vault or broker is away."""

        async def bounded() -> None:
            # A unit that waits for a Vault leaves its place to those that need not.
            async with self._slots.places:
                self._slots.patience.proceed()
                await attempt()

        peers = name or f"Vaults of queue {self._queue} ({self._own.name})"
        await self._slots.patience.wait_for(peers, bounded)


def _whole(value: object) -> int | None:
    # AMQP clients send a number as such, or as a text.
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return whole_number(value) if isinstance(value, str) else None


_log = get_logger(__name__)

# Messages that were put back: how often their processing has begun is counted on the queue itself. A message that an
# outage has returned is processed as any other. One that comes back again is marked before it is processed, when its
# Vaults are reachable: a copy with the count takes its place on the queue. Whatever ends the process leaves that count
# there, and an outage that the processing meets sets it back.

BROKEN_OFF = (
    f"The processing of the message began {MAX_BEGUN} times while its Vaults were reachable, and never came to an end. "
    "It may end the connector, whose log says more; correct the cause, then run Retry Transfer"
)


class Step(Enum):
    """The next step of a message."""

    PROCESS = auto()
    PROCESS_COUNTED = auto()
    MARK = auto()
    GIVE_UP = auto()


def step(delivery: Delivery) -> Step:
    """Return the next step of a delivery, by its headers."""
    if not delivery.rounds:
        return Step.PROCESS
    if delivery.begun >= MAX_BEGUN:
        return Step.GIVE_UP
    if delivery.redelivered:
        return Step.MARK
    return Step.PROCESS_COUNTED if delivery.begun else Step.PROCESS


class Suspects:
    """Puts copies of messages on an inbound queue, with the number of begun attempts; the process shares ``turn``."""

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
        """Wait until the Vaults are reachable, and publish a copy of the message that counts one more attempt.

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
        """Publish a copy of the message without counting this attempt, which an outage has ended.

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
            if name in COPY_HEADERS and isinstance(value, str | int)
        }
        headers = {**kept, BEGUN_HEADER: begun}
        copy = Outgoing(self._queue, delivery.body, delivery.message_id, headers)
        publisher = self._own.publisher
        name = f"broker of {self._own.name}"
        await self._patience.wait_for(name, lambda: publisher.publish(copy))
        _log.warning("message put back is marked", queue=self._queue, begun=begun)
