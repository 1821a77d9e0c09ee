"""Waiting for what the whole system does, and the clients that ask it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

from shared.client import VaultClient, VaultUnavailable

PATIENCE_SECONDS = 90.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Connected:
    """Both Vaults' administrators, and their business users, with the connection active."""

    crm: VaultClient
    medical: VaultClient
    rep: VaultClient
    agent: VaultClient
    amqp_url: str


async def eventually(what: str, question: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the answer is yes; a Vault that is down meanwhile is no answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if await question():
                return
        except VaultUnavailable:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, (
            f"{what} did not come to be within {PATIENCE_SECONDS:.0f} s"
        )
        await asyncio.sleep(POLL_SECONDS)


def new_run() -> str:
    """A text that makes names of one test unique."""
    return uuid4().hex[:8]
