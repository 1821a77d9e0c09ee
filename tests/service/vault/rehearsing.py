"""A Vault of a sandbox domain for one module, whose faults are switched on by call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.spark.connection import BrokerConnection
from shared.vault.assembly.vault import Vault
from shared.vault.connections.connection_rules import DomainType
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.spark.proxy import proxy_to
from tests.service.vault import objects
from tests.service.vault.served import MDL, Api, served, settings, started
from tests.service.vault.test_relay import Apart
from tests.service.vault.vault_databases import vault_database

SWITCHES = "/services/rehearsal/switches"
ME = "/objects/users/me"
PATIENT = 30.0
# Shorter than the faults that a client gives up on; for calls that these strike only.
IMPATIENT = 2.0

ENDLESS = ("timeout_after_effect", "timeout_before_effect", "slow_bytes")


@pytest.fixture(scope="module")
async def apart(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Apart]:
    """A Vault of a sandbox domain, as its System Admin calls it, and its broker."""
    files = tmp_path_factory.mktemp("files")
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
        proxy_to(vhost.amqp_url) as proxy,
        BrokerConnection(vhost.amqp_url, "tests") as broker,
    ):
        vault = sandbox(dsn, proxy.url, files)
        async with served(create_app(vault)) as api:
            await started(vault)
            admin = await api.signed_in("admin")
            answer = await admin.post("/api/mdl/execute", data=MDL + objects.MDL)
            assert answer.status == "SUCCESS", answer.text
            yield Apart(admin, proxy, broker, dsn, files)


def sandbox(dsn: str, amqp_url: str, files: Path) -> Vault:
    """Return a Vault of a sandbox domain, not started; several on one database are processes of one Vault."""
    made = settings(dsn, amqp_url, files)
    domain = {"domain_type": DomainType.SANDBOX}
    return Vault(MEDICAL_VAULT, made.model_copy(update=domain))


@pytest.fixture
async def admin(apart: Apart) -> AsyncIterator[Api]:
    """The Vault without active switches before and after the test."""
    yield apart.admin
    assert (await apart.admin.delete(SWITCHES)).status == "SUCCESS"


async def switched_on(admin: Api, **fields: object) -> str:
    """Switch a fault on with these fields, and return the id of the switch."""
    sent = {name: str(value) for name, value in fields.items()}
    answer = await admin.post(SWITCHES, data=sent)
    assert answer.status == "SUCCESS", answer.text
    return str(answer.data["id"])


async def switches(admin: Api) -> list[dict[str, object]]:
    return list((await admin.get(SWITCHES)).data)


def patience(fault: str) -> float:
    """Return the seconds that a client waits for the answer to a call that a fault strikes."""
    return IMPATIENT if fault in ENDLESS else PATIENT
