"""States what has to hold when a rehearsal has ended, and asks the Vault whether it does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.client import VaultClient
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.protocol.error_types import ErrorType

POLL_SECONDS = 1.0
INQUIRIES = "medical_inquiry__v"
PENDING = f"SELECT id FROM {INQUIRIES} WHERE transfer_status__v = 'pending__v'"  # noqa: S608  a constant


class Expectation(Protocol):
    """Something that holds of a Vault once its clients have got over a rehearsal."""

    @property
    def title(self) -> str:
        """Return what is expected, as a sentence."""

    async def unmet(self, client: VaultClient) -> str | None:
        """Return why it does not hold now; None when it does."""


@dataclass(frozen=True, slots=True)
class QueuesEmpty:
    """Every message has been delivered and processed."""

    title: str = "All queues of the Vault are empty"

    async def unmet(self, client: VaultClient) -> str | None:
        """Return the queues that have messages."""
        waiting: list[str] = []
        for queue in await client.queues():
            name = str(queue.get("name"))
            # Queues of jobs hold no messages.
            if queue.get("type") == "job":
                continue
            messages = (await client.queue(name)).get("messages_in_queue")
            if messages != 0:
                waiting.append(f"{name} has {messages} messages")
        return "; ".join(waiting) or None


@dataclass(frozen=True, slots=True)
class InquiriesSettled:
    """No inquiry waits for its transfer any more: each is at Success, or Failed with a user exception."""

    title: str = "No inquiry is left at Transfer Status Pending"

    async def unmet(self, client: VaultClient) -> str | None:
        """Return how many inquiries are pending; none in a Vault without inquiries."""
        try:
            pending = (await client.query(PENDING)).rows
        except VaultRefused as refused:
            # There is no such object.
            if refused.type == ErrorType.INVALID_DATA:
                return None
            raise
        if not pending:
            return None
        return f"{len(pending)} are; look for their user exceptions in the other Vault"


EXPECTATIONS: Sequence[Expectation] = (QueuesEmpty(), InquiriesSettled())
"""What is expected after every rehearsal; a further expectation is a class and a member here."""


async def unmet_within(
    client: VaultClient, expectation: Expectation, seconds: float
) -> str | None:
    """Ask until an expectation holds, for so many seconds; return why it does not, None when it does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            reason = await expectation.unmet(client)
        except VaultUnavailable as error:
            reason = str(error)
        if reason is None or time.monotonic() >= deadline:
            return reason
        await asyncio.sleep(POLL_SECONDS)
