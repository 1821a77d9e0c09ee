"""A Medical Vault for one module, for tests that look at everything in it.

A copy of a connection, for one, contains whatever other modules have added to the original. A module takes the fixtures
by assignment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault import objects
from tests.service.vault.remote_end import establish
from tests.service.vault.served import MDL, Api, served, settings, started
from tests.service.vault.vault_databases import vault_database


@asynccontextmanager
async def medical_vault(
    postgres_server: PostgresServer, rabbitmq_server: RabbitServer, files: Path
) -> AsyncIterator[Vault]:
    """A Vault with the standard configuration, not started, on a database and a virtual host of its own."""
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        yield Vault(MEDICAL_VAULT, settings(dsn, vhost.amqp_url, files))


@asynccontextmanager
async def with_objects(vault: Vault) -> AsyncIterator[Api]:
    """The API of the started Vault, without a session; it has ``thing__c`` and all of ``objects``, and is connected."""
    async with served(create_app(vault)) as client:
        await started(vault)
        administrator = await client.signed_in("admin")
        answer = await administrator.post("/api/mdl/execute", data=MDL + objects.MDL)
        assert answer.status == "SUCCESS", answer.text
        await establish(administrator)
        yield client


@pytest.fixture(scope="module")
async def vault(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Vault]:
    files = tmp_path_factory.mktemp("files")
    async with medical_vault(postgres_server, rabbitmq_server, files) as made:
        yield made


@pytest.fixture(scope="module")
async def api(vault: Vault) -> AsyncIterator[Api]:
    async with with_objects(vault) as client:
        yield client


@pytest.fixture(scope="module")
async def admin(api: Api) -> Api:
    return await api.signed_in("admin")


@pytest.fixture(scope="module")
async def integration(api: Api) -> Api:
    return await api.signed_in("integration")


@pytest.fixture(scope="module")
async def user(api: Api) -> Api:
    return await api.signed_in("user")
