"""One running system for all system tests of a run, with the connection active in both Vaults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from local.system import System
from shared.client import VaultClient
from tests.servers import private_system
from tests.system.asking import Asker
from tests.system.conditions import Connected

INTEGRATION = {
    "integration_api_name__sys": "medical_inquiry_details__v",
    "status__v": "active__v",
}


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[System]:
    """A started system; its parts may be killed by a test that starts them again."""
    async with private_system() as system:
        await system.start()
        yield system


@pytest.fixture(scope="session")
async def connected(running: System) -> AsyncIterator[Connected]:
    """Clients of both Vaults, the integration activated in each."""
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
            amqp_url=endpoints["rabbitmq"]["amqp_url"],
        )
        for admin in (clients.crm, clients.medical):
            await admin.update(
                "integration__sys", [INTEGRATION], "integration_api_name__sys"
            )
        yield clients


@pytest.fixture
async def asker(running: System, connected: Connected) -> Asker:
    """Questions to the connector about the Medical Vault, by those who have signed in there."""
    endpoints, sign_ins = running.endpoints(), running.sign_ins()["medical_vault"]
    sessions = {}
    async with aiohttp.ClientSession() as http:
        for who in ("admin", "business"):
            form = {
                "username": sign_ins[who]["username"],
                "password": sign_ins[who]["password"],
            }
            async with http.post(
                f"{endpoints['medical_vault']['url']}/api/v25.1/auth", data=form
            ) as answer:
                sessions[who] = (await answer.json())["sessionId"]
    return Asker(
        endpoints["connector"]["url"], endpoints["medical_vault"]["url"], sessions
    )
