"""Waits for results of the whole system, and its clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from local.system import System
from shared.client import VaultClient, VaultUnavailable

PATIENCE_SECONDS = 90.0
# The first pause between two questions and the longest: each takes time from the processes that are waited for.
POLL_SECONDS, LONGEST_POLL = 0.05, 0.5
INTEGRATION = {
    "integration_api_name__sys": "medical_inquiry_details__v",
    "status__v": "active__v",
}


@dataclass(frozen=True)
class Connected:
    """Both Vaults' administrators and business users, and CRM's user of the connection, which is active."""

    crm: VaultClient
    medical: VaultClient
    rep: VaultClient
    agent: VaultClient
    connector: VaultClient
    amqp_url: str


@asynccontextmanager
async def connected_to(running: System) -> AsyncIterator[Connected]:
    """Clients of both Vaults of a running system, the integration activated in each."""
    endpoints, sign_ins = running.endpoints(), running.sign_ins()
    async with AsyncExitStack() as stack:

        async def client(vault: str, role: str) -> VaultClient:
            account = sign_ins[vault][role]
            made = VaultClient(
                endpoints[vault]["url"],
                account["username"],
                account["password"],
                client_id="tests",
            )
            return await stack.enter_async_context(made)

        clients = Connected(
            crm=await client("crm_vault", "admin"),
            medical=await client("medical_vault", "admin"),
            rep=await client("crm_vault", "business"),
            agent=await client("medical_vault", "business"),
            connector=await client("crm_vault", "integration"),
            amqp_url=endpoints["rabbitmq"]["amqp_url"],
        )
        for admin in (clients.crm, clients.medical):
            await admin.update(
                "integration__sys", [INTEGRATION], "integration_api_name__sys"
            )
        yield clients


async def eventually(
    what: str,
    question: Callable[[], Awaitable[bool]],
    longest_poll: float = LONGEST_POLL,
) -> None:
    """Wait until the answer is yes; while a Vault is down there is no answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = POLL_SECONDS
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
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest_poll)


def new_run() -> str:
    """A text that makes names of one test unique."""
    return uuid4().hex[:8]
