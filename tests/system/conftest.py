"""One running system for all system tests of a run, with the connection active in both Vaults."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import Browser

from local.chromium import chromium
from local.system import System
from tests.started_systems import started_system
from tests.system.conditions import Connected, connected_to
from tests.system.connector_calls import ConnectorCaller


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[System]:
    """A started system; its parts may be killed by a test that starts them again."""
    async with started_system() as system:
        yield system


@pytest.fixture(scope="session")
async def connected(running: System) -> AsyncIterator[Connected]:
    """Clients of both Vaults, the integration activated in each."""
    async with connected_to(running) as clients:
        yield clients


@pytest.fixture
async def asker(running: System, connected: Connected) -> ConnectorCaller:
    """Questions to the connector about the Medical Vault, by those who have signed in at both Vaults."""
    endpoints = running.endpoints()
    return ConnectorCaller(
        endpoints["connector"]["url"],
        endpoints["medical_vault"]["url"],
        await _sessions(running, "medical_vault"),
        await _sessions(running, "crm_vault"),
    )


async def _sessions(running: System, vault: str) -> dict[str, str]:
    """Sessions of a Vault by role."""
    sign_ins = running.sign_ins()[vault]
    url = f"{running.endpoints()[vault]['url']}/api/v25.1/auth"
    sessions = {}
    async with aiohttp.ClientSession() as http:
        for who in ("admin", "business"):
            form = {
                "username": sign_ins[who]["username"],
                "password": sign_ins[who]["password"],
            }
            async with http.post(url, data=form) as answer:
                sessions[who] = (await answer.json())["sessionId"]
    return sessions


@pytest.fixture(scope="module")
async def browser(connected: Connected) -> AsyncIterator[Browser]:
    """Debian's Chromium, after the integration was activated."""
    del connected
    async with chromium() as made:
        yield made
