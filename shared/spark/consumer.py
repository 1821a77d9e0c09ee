"""Consumes a queue for as long as the process lives: passes batches to a handler and acknowledges handled ones.

Deliveries whose handler fails return to the queue, later with each failure of the same message.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.runtime.logging import first_line, get_logger
from shared.runtime.retry_policies import REDELIVERY, SUBSCRIPTION, RetryPolicy
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import state_log
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.connection import BrokerConnection
from shared.spark.subscription import Delivery, Handled, Subscription, Unsettled
from shared.spark.topology import DELIVERY_LIMIT, is_sequential, queue_state

__all__ = ["Consumer", "Delivery", "Handler"]

Handler = Callable[[list[Delivery]], Awaitable[None]]
Prepare = Callable[[BrokerConnection], Awaitable[None]]

# A subscription that lasted this long was a good one: the next loss starts with short pauses again.
STEADY_SECONDS = 30.0
CANCEL_SECONDS = 5.0
# Bounds the memory of failures, which is a matter of pauses and log lines only: forgetting one loses no message.
MAX_REMEMBERED = 10_000
# A message not seen for so long went elsewhere: to another process, or to the dead-letter queue.
FORGET_AFTER_SECONDS = 600.0
# Beyond 30 doublings every policy is at its longest pause, and a float would overflow.
MAX_DOUBLINGS = 30

_log = get_logger(__name__)


class Consumer:
    """Passes deliveries of one queue to ``handler`` and acknowledges them when it returns.

    The handler gets 1..``max_batch`` deliveries that are waiting at that moment; it is never made to
    wait for more. Up to ``concurrency`` calls run at a time. If it raises, its deliveries go back to the
    queue after a pause that grows with each failure of the same message, and each is then handled alone.
    The broker counts those returns and moves a message to the dead-letter queue after the limit, so a
    handler that waits for a peer to come back should keep its deliveries meanwhile
    (:func:`shared.runtime.waiting.wait_for`) instead of raising.

    A delivery may come twice, also while the first is still being handled: when its channel was lost, the
    broker delivers it again. Handlers have to be idempotent.
    """

    def __init__(  # noqa: PLR0913  each is one setting, all but the first three have defaults
        self,
        connection: BrokerConnection,
        queue: str,
        handler: Handler,
        *,
        prefetch: int = 200,
        concurrency: int = 4,
        max_batch: int = 20,
        watch_interval: float = 10.0,
        redelivery: RetryPolicy = REDELIVERY,
        prepare: Prepare | None = None,
    ) -> None:
        """Take the settings: at most ``prefetch`` unsettled deliveries; ``redelivery`` has the pauses after failures.

        ``prepare`` is run before each subscription, to declare a queue that is this consumer's own.

        Pauses and the watchdog's interval are in seconds.
        """
        self._connection = connection
        self._queue = queue
        self._handler = handler
        # With fewer the broker would never let a full batch wait here.
        self._prefetch = max(prefetch, max_batch)
        self._concurrency = concurrency
        self._max_batch = max_batch
        self._watch_interval = watch_interval
        self._prepare = prepare
        self._stands_by = is_sequential(queue)  # another consumer may be the active one
        self._failures = Failures(queue, redelivery)
        self._handled = Handled()
        self._name = f"queue {queue} ({connection.name})"
        self._subscription: Subscription | None = None
        self._subscribed = asyncio.Event()
        self._arrived = asyncio.Event()
        self._busy = 0
        self._idle = asyncio.Event()
        self._unsubscribed_since = time.monotonic()
        self._supervisor: asyncio.Task[None] | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._returns: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to consume, and return at once; the subscription is made as soon as broker and queue exist.

        :raises RuntimeError: it is running already.
        """
        if self._supervisor is not None:
            raise RuntimeError(f"the consumer of {self._queue} is running")
        self._unsubscribed_since = time.monotonic()
        self._supervisor = asyncio.create_task(self._supervise())
        self._workers = [
            asyncio.create_task(self._work()) for _ in range(self._concurrency)
        ]

    async def subscribed(self) -> None:
        """Wait until deliveries can arrive."""
        await self._subscribed.wait()

    @property
    def is_subscribed(self) -> bool:
        """Return whether deliveries can arrive now."""
        return self._subscribed.is_set()

    async def check(self) -> str | None:
        """Return, as a health check, why no deliveries can arrive; None unless that has lasted 30 s."""
        seconds = time.monotonic() - self._unsubscribed_since
        if self.is_subscribed or seconds < STEADY_SECONDS:
            return None
        return f"no subscription to {self._queue} for {int(seconds)} s"

    async def stop(self, grace: float = 20.0) -> None:
        """Take no new deliveries, let handlers finish for ``grace`` seconds, then close the channel.

        What was not acknowledged by then goes back to the queue. May be started again afterwards.
        """
        if self._supervisor is None:
            return
        # First, or it would subscribe again as soon as the subscription is cancelled.
        await _end(self._supervisor)
        self._supervisor = None
        subscription, self._subscription = self._subscription, None
        self._lose_subscription()
        if subscription is not None:
            try:
                await subscription.cancel()
            except BrokerUnavailable:
                _log.info(
                    "broker away while stopping, it takes the deliveries back",
                    queue=self._queue,
                )
        await self._drain(grace)
        # Pauses of failed deliveries are cut short: closing the channel returns them at once.
        for task in (*self._workers, *self._returns):
            await _end(task)
        self._workers = []
        self._returns.clear()
        if subscription is not None:
            await subscription.close()

    async def _drain(self, grace: float) -> None:
        try:
            async with asyncio.timeout(grace):
                while self._busy:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            _log.warning(
                "handlers did not finish, their deliveries return",
                queue=self._queue,
                handlers=self._busy,
            )

    async def _supervise(self) -> None:
        """Keep a subscription: open it, watch it, and open it again after a growing pause when it is lost."""
        pauses = SUBSCRIPTION.pauses()
        while True:
            opened = time.monotonic()
            try:
                if self._prepare is not None:
                    await self._prepare(self._connection)
                self._subscription = await Subscription.open(
                    self._connection,
                    self._queue,
                    prefetch=self._prefetch,
                    arrived=self._arrived.set,
                )
                state_log.succeeded(self._name)
                self._subscribed.set()
                over = await self._watch(self._subscription)
                reason = BrokerUnavailable(over)
                metrics.consumer_lost.labels(self._queue).inc()
            except BrokerUnavailable as error:
                reason = error
            except Exception as error:  # noqa: BLE001  whatever it was, the queue has to be consumed again
                _log.exception("subscribing failed", queue=self._queue)
                reason = BrokerUnavailable(type(error).__qualname__)
            state_log.failed(self._name, reason)
            lost, self._subscription = self._subscription, None
            self._lose_subscription()
            if lost is not None:
                await lost.close()
            # What came over it is progress, however short it lasted.
            progress = lost is not None and lost.arrivals > 0
            if progress or time.monotonic() - opened > STEADY_SECONDS:
                pauses = SUBSCRIPTION.pauses()
            await asyncio.sleep(next(pauses))

    def _lose_subscription(self) -> None:
        if self._subscribed.is_set():
            self._subscribed.clear()
            self._unsubscribed_since = time.monotonic()

    async def _watch(self, subscription: Subscription) -> str:
        """Wait until the subscription ends, and return the reason; poll the broker too, since it may end silently."""
        arrivals = -1
        while True:
            try:
                async with asyncio.timeout(self._watch_interval):
                    await subscription.lost.wait()
                return "subscription lost"
            except TimeoutError:
                pass  # nothing was lost as far as this side knows: ask the broker
            try:
                state = await queue_state(
                    self._connection,
                    self._queue,
                    timeout=max(1.0, self._watch_interval),
                )
            except BrokerUnavailable as error:
                await self._connection.reset()
                return f"watchdog: {error}"
            if state is None:
                return "watchdog: the queue is gone"
            if state.consumers == 0:
                return "watchdog: the broker knows no consumer"
            silent = (
                not subscription.unsettled_count and subscription.arrivals == arrivals
            )
            if state.messages and silent and not self._stands_by:
                return "watchdog: messages wait and none arrive"
            arrivals = subscription.arrivals

    async def _work(self) -> None:
        while True:
            subscription = self._subscription
            batch = subscription.take(self._max_batch) if subscription else []
            if subscription is None or not batch:
                # Nothing was awaited since the look at the deliveries, so that no arrival is missed in between.
                self._arrived.clear()
                await self._arrived.wait()
                continue
            self._busy += 1
            try:
                await self._handle(subscription, batch)
            except Exception:  # noqa: BLE001  a worker outlives its faults; the broker has the deliveries
                _log.exception("settling deliveries failed", queue=self._queue)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

    async def _handle(self, subscription: Subscription, batch: list[Unsettled]) -> None:
        deliveries = [each.delivery for each in batch]
        # Whatever comes again is alone.
        if await self._handled.is_done(deliveries[0]):
            await self._settle("acked", batch, subscription.ack(batch))
            return
        started = time.perf_counter()
        try:
            with self._handled.in_hand(deliveries):
                await self._handler(deliveries)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled this worker: a driver in the handler did, whose connection was lost.
            self._return_later(subscription, batch, error)
            return
        except Exception as error:  # noqa: BLE001  any fault of a handler returns its deliveries
            self._return_later(subscription, batch, error)
            return
        finally:
            seconds = time.perf_counter() - started
            metrics.handler_seconds.labels(self._queue).observe(seconds)
        self._failures.succeeded(deliveries)
        await self._settle("acked", batch, subscription.ack(batch))

    def _return_later(
        self,
        subscription: Subscription,
        batch: list[Unsettled],
        error: BaseException,
    ) -> None:
        """Return failed deliveries to the queue after their pause, during which no worker waits."""
        deliveries = [each.delivery for each in batch]
        pause = self._failures.failed(deliveries, error)

        async def give_back() -> None:
            await asyncio.sleep(pause)
            await self._settle("requeued", batch, subscription.requeue(batch))

        task = asyncio.create_task(give_back())
        self._returns.add(task)  # the event loop itself has only a weak reference
        task.add_done_callback(self._returns.discard)

    async def _settle(
        self,
        outcome: str,
        batch: Sequence[Unsettled],
        settling: Awaitable[None],
    ) -> None:
        try:
            await settling
        except BrokerUnavailable as error:
            outcome = "void"
            _log.info(
                "channel gone before settling, redelivery follows",
                queue=self._queue,
                reason=first_line(error),
            )
        metrics.consumed.labels(self._queue, outcome).inc(len(batch))


@dataclass(slots=True)
class _Failure:
    count: int
    at: float


class Failures:
    """Counts failures by message, and logs when the first message fails and when all have succeeded again."""

    def __init__(self, queue: str, policy: RetryPolicy = REDELIVERY) -> None:
        """Take the policy whose pauses grow with each failure of the same message."""
        self._queue = queue
        self._policy = policy
        self._messages: OrderedDict[str, _Failure] = OrderedDict()
        self._total = 0

    def failed(self, deliveries: Sequence[Delivery], error: BaseException) -> float:
        """Note that a handler failed on these deliveries; return the pause in seconds before they may be retried."""
        now = time.monotonic()
        self._forget(now)
        if not self._messages:
            _log.error(
                "handler failed, its deliveries return to the queue",
                queue=self._queue,
                message_ids=[delivery.message_id for delivery in deliveries[:5]],
                exc_info=error,
            )
        # They were handled together, and which of them is to blame is not known.
        worst = max(self._count(delivery, now) for delivery in deliveries)
        self._total += 1
        doublings = min(worst, MAX_DOUBLINGS)
        return self._policy.pause_before(doublings + 1)

    def succeeded(self, deliveries: Sequence[Delivery]) -> None:
        """Note that a handler has handled these deliveries."""
        if not self._messages:
            return
        for delivery in deliveries:
            self._messages.pop(_key(delivery), None)
        self._forget(time.monotonic())
        if not self._messages:
            _log.info(
                "no failed message is left", queue=self._queue, failures=self._total
            )
            self._total = 0

    def _count(self, delivery: Delivery, now: float) -> int:
        key = _key(delivery)
        # Taken out and put in again, so that the messages stay ordered by their latest failure.
        known = self._messages.pop(key, None)
        failed_here = known.count if known else 0
        # The broker's count has the failures in other processes too, where it counts at all.
        count = max(failed_here, delivery.returns) + 1
        if count <= DELIVERY_LIMIT:
            self._messages[key] = _Failure(count, now)
            if len(self._messages) > MAX_REMEMBERED:
                self._messages.popitem(last=False)
        return count

    def _forget(self, now: float) -> None:
        while self._messages:
            oldest = next(iter(self._messages.values()))
            if now - oldest.at < FORGET_AFTER_SECONDS:
                return
            self._messages.popitem(last=False)


def _key(delivery: Delivery) -> str:
    # Senders outside of this system may set no message id.
    return delivery.message_id or f"body {hash(delivery.body)}"


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended, at most 5 seconds."""
    task.cancel()
    _, pending = await asyncio.wait([task], timeout=CANCEL_SECONDS)
    if pending:
        _log.error("a task ignores its cancellation")
        return
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("task ended with an error", exc_info=error)
