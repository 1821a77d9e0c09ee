"""The contract of RecordAccess, on the client of a Vault."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.client.client import VaultClient
from tests.record_access_contract import RecordsContract, Tried
from tests.service.vault.served import PASSWORD, USERNAMES, Api


@pytest.fixture(scope="module")
async def tried(api: Api) -> AsyncIterator[Tried]:
    """A client of the Vault, signed in as its integration user."""
    async with VaultClient(api.url, USERNAMES["integration"], PASSWORD) as client:
        await client.sign_in()
        yield Tried(client, client)


class TestVaultClient(RecordsContract):
    """Records of a Vault."""
