from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.client import VaultClient
from tests.unit.client.fake_vault import FaultyVault, faulty_vault


@pytest.fixture
async def vault() -> AsyncIterator[FaultyVault]:
    async with faulty_vault() as faulty:
        yield faulty


@pytest.fixture
async def client(vault: FaultyVault) -> AsyncIterator[VaultClient]:
    async with VaultClient(vault.url, "connector", "right", timeout=5) as signed:
        yield signed
