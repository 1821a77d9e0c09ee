"""A Medical Vault on servers of the test run's own, with an object of the tests, and a client for each role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from veevatools.veevavault import VaultClient

from local.servers import PostgresServer, RabbitServer
from shared.vault.assembly.vault import Vault
from tests.public_client import client_of
from tests.service.vault.module_vault import medical_vault, with_objects
from tests.service.vault.served import PASSWORD, USERNAMES, Api

Call = Callable[..., Any]


@pytest.fixture(scope="session")
async def vault(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Vault]:
    """A Vault with the standard configuration of the Medical Vault; started by the application that serves it."""
    files = tmp_path_factory.mktemp("files")
    async with medical_vault(postgres_server, rabbitmq_server, files) as made:
        yield made


@pytest.fixture(scope="session")
async def api(vault: Vault) -> AsyncIterator[Api]:
    """The Vault's API, without a session; it has ``thing__c`` and the objects of ``objects``, and is connected."""
    async with with_objects(vault) as client:
        yield client


@pytest.fixture(scope="session")
async def admin(api: Api) -> Api:
    """The API as the System Admin calls it."""
    return await api.signed_in("admin")


@pytest.fixture(scope="session")
async def integration(api: Api) -> Api:
    """The API as the connection's user calls it."""
    return await api.signed_in("integration")


@pytest.fixture(scope="session")
async def user(api: Api) -> Api:
    """The API as a business user calls it."""
    return await api.signed_in("user")


@pytest.fixture(scope="module")
async def client(api: Api) -> VaultClient:
    """The Python client on PyPI, signed in as the System Admin."""
    made, host = client_of(api.url)
    await asyncio.to_thread(
        made.authenticate,
        vaultURL=api.url,
        vaultUserName=USERNAMES["admin"],
        vaultPassword=PASSWORD,
    )
    assert host.asked == ["/auth/discovery"]
    return made


@pytest.fixture(scope="module")
def call() -> Call:
    """Run a call of the synchronous client in a thread, since the Vault runs in this process."""

    async def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(function, *args, **kwargs)

    return run
