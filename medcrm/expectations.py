"""Defines what is expected of a Vault after a rehearsal, and checks it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from medcrm.configuration import ConfigurationFault
from medcrm.reconciling import number_of_findings, reconcile, table
from shared.client import VaultClient
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.client.results import text
from shared.protocol.error_types import ErrorType

POLL_SECONDS = 1.0
INQUIRIES = "medical_inquiry__v"
PENDING = f"SELECT id FROM {INQUIRIES} WHERE transfer_status__v = 'pending__v'"  # noqa: S608  a constant
CONNECTIONS = (
    "SELECT api_name__sys FROM connection__sys "
    "WHERE status__v = 'active__v' AND state__v = 'active_state__sys' ORDER BY api_name__sys"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a check: ``unmet`` is why the expectation is not met, None when it is; ``lines`` show details."""

    unmet: str | None = None
    lines: Sequence[str] = ()


class Expectation(Protocol):
    """An expectation of a Vault after its clients have recovered from a rehearsal."""

    @property
    def title(self) -> str:
        """Return the expectation as a sentence."""

    @property
    def pause_seconds(self) -> float:
        """Return the pause in seconds between checks of an expectation that is not met."""

    async def answer(self, client: VaultClient) -> Answer:
        """Check whether the expectation is met now."""


@dataclass(frozen=True, slots=True)
class QueuesEmpty:
    """Expects that every message has been delivered and processed."""

    title: str = "All queues of the Vault are empty"
    pause_seconds: float = POLL_SECONDS

    async def answer(self, client: VaultClient) -> Answer:
        """Name the queues that have messages."""
        waiting: list[str] = []
        for queue in await client.queues():
            name = str(queue.get("name"))
            # Queues of jobs hold no messages.
            if queue.get("type") == "job":
                continue
            messages = (await client.queue(name)).get("messages_in_queue")
            if messages != 0:
                waiting.append(f"{name} has {messages} messages")
        return Answer("; ".join(waiting) or None)


@dataclass(frozen=True, slots=True)
class InquiriesSettled:
    """Expects that no inquiry waits for its transfer: each is at Success, or Failed with a user exception."""

    title: str = "No inquiry is left at Transfer Status Pending"
    pause_seconds: float = POLL_SECONDS

    async def answer(self, client: VaultClient) -> Answer:
        """Count the pending inquiries; a Vault without the object of inquiries has none."""
        try:
            pending = (await client.query(PENDING)).rows
        except VaultRefused as refused:
            # There is no such object.
            if refused.type == ErrorType.INVALID_DATA:
                return Answer()
            raise
        if not pending:
            return Answer()
        return Answer(
            f"{len(pending)} are; look for their user exceptions in the other Vault"
        )


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Expects that ``medcrm reconcile`` finds in each Active connection's target the values that the rules give."""

    title: str = "Nothing differs between the Vaults of a connection"
    # Longer than for a question: each reconciliation is work for both Vaults, and only the last ones are kept.
    pause_seconds: float = 15.0

    async def answer(self, client: VaultClient) -> Answer:
        """Return the counts of each connection, and name those with findings."""
        found: list[str] = []
        lines: list[str] = []
        for row in (await client.query(CONNECTIONS)).rows:
            name = text(row, "api_name__sys")
            of_connection = await self._compared(client, name)
            lines += of_connection.lines
            if of_connection.unmet is not None:
                found.append(of_connection.unmet)
        return Answer("; ".join(found) or None, lines)

    async def _compared(self, client: VaultClient, connection: str) -> Answer:
        # What was changed lately is the very thing that the rehearsal is about.
        scope = {"connection": connection, "window_minutes": "0"}
        try:
            state = await reconcile(client, scope, _ignore_progress)
        except ConfigurationFault as fault:
            return Answer(f"{connection}: {fault}")
        except VaultRefused as refused:
            # Another reconciliation of the connection waits.
            if refused.type == ErrorType.OPERATION_NOT_ALLOWED:
                return Answer(f"{connection}: {refused.message}")
            raise
        lines = [connection, *table(state)]
        number = number_of_findings(state)
        if not number:
            return Answer(None, lines)
        job = state.get("job_id")
        return Answer(f"{connection} has {number} findings; see job {job}", lines)


def _ignore_progress(compared: int, expected: int) -> None:
    """Ignore the progress of a reconciliation, which a rehearsal does not show."""


EXPECTATIONS: Sequence[Expectation] = (QueuesEmpty(), InquiriesSettled(), Reconciled())
"""What is expected after every rehearsal, in the order in which it is asked; a further one is a class and a member."""


async def answer_within(
    client: VaultClient, expectation: Expectation, seconds: float
) -> Answer:
    """Check an expectation until it is met, for ``seconds``, at least once; return the last answer."""
    deadline = time.monotonic() + seconds
    answer = Answer(f"there is no answer within {seconds:.0f} s")
    while True:
        left = max(deadline - time.monotonic(), expectation.pause_seconds)
        try:
            async with asyncio.timeout(left):
                answer = await expectation.answer(client)
        except VaultUnavailable as error:
            answer = Answer(str(error))
        except TimeoutError:
            return answer
        if answer.unmet is None or time.monotonic() >= deadline:
            return answer
        await asyncio.sleep(expectation.pause_seconds)
