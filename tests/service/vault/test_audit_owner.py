"""The role with which a Vault connects may insert into the audit trail and read it, and nothing else."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from local.databases import Passwords, owner_of, prepare_databases
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.served import MDL, served, settings, started

FORBIDDEN = [
    "UPDATE platform.audit_entry SET action = 'Other'",
    "DELETE FROM platform.audit_entry",
    "TRUNCATE platform.audit_entry",
    "DROP TABLE platform.audit_entry",
    "DROP SCHEMA platform CASCADE",
    "ALTER TABLE platform.audit_entry DISABLE TRIGGER append_only",
    "ALTER TABLE platform.audit_entry ADD COLUMN more text",
    "ALTER TABLE platform.audit_entry RENAME TO other",
    "ALTER TABLE platform.audit_entry OWNER TO CURRENT_USER",
    "DROP FUNCTION platform.refuse_audit_change() CASCADE",
    "CREATE OR REPLACE FUNCTION platform.refuse_audit_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "SELECT setval('platform.audit_entry_id_seq', 1)",
    "DROP TYPE platform.record_range CASCADE",
]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The addresses of a database as service and as owner, and the step that makes the owner."""

    service: str
    owner: str
    make_owner: Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
async def prepared(postgres_server: PostgresServer) -> AsyncIterator[Prepared]:
    """A database that the service's role owns, as it was before there was an owner's role."""
    name, passwords = (
        f"test_{secrets.token_hex(6)}",
        Passwords(secrets.token_hex(8), secrets.token_hex(8)),
    )
    administrator = await asyncpg.connect(
        postgres_server.dsn, timeout=30, command_timeout=30
    )
    try:
        await administrator.execute(
            f"CREATE ROLE {name} LOGIN PASSWORD '{passwords.service}'"
        )
        await administrator.execute(f"CREATE DATABASE {name} OWNER {name}")
        service = postgres_server.database_dsn(name, passwords.service)
        place = urlsplit(service).netloc.rpartition("@")[2]
        owner = urlunsplit(
            urlsplit(service)._replace(
                netloc=f"{owner_of(name)}:{passwords.owner}@{place}"
            )
        )
        yield Prepared(
            service,
            owner,
            lambda: prepare_databases(postgres_server.dsn, {name: passwords}),
        )
    finally:
        await administrator.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await administrator.execute(f"DROP ROLE IF EXISTS {owner_of(name)}")
        await administrator.execute(f"DROP ROLE IF EXISTS {name}")
        await administrator.close(timeout=30)


@pytest.fixture(scope="module")
async def database(
    prepared: Prepared,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection of the service's role, to a Vault that works: components changed, records written and read."""
    files = tmp_path_factory.mktemp("files")
    async with fresh_vhost(rabbitmq_server) as vhost:
        alone = settings(prepared.service, vhost.amqp_url, files)
        await work(Vault(MEDICAL_VAULT, alone))
        for _ in range(2):
            await prepared.make_owner()
            owned = alone.model_copy(update={"owner_dsn": SecretStr(prepared.owner)})
            vault = Vault(MEDICAL_VAULT, owned)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("VAULT_OWNER_DSN", prepared.owner)
                with capture_logs() as logs:
                    await work(vault)
                assert "VAULT_OWNER_DSN" not in os.environ
            (said,) = [
                line for line in logs if line["event"] == "vault.owner_forgotten"
            ]
            assert prepared.owner not in str(said)
            assert vault.settings.owner_dsn is None
    connection = await asyncpg.connect(prepared.service, timeout=30, command_timeout=30)
    yield connection
    await connection.close(timeout=30)


async def work(vault: Vault) -> None:
    async with served(create_app(vault)) as api:
        await started(vault)
        admin = await api.signed_in("admin")
        assert (await admin.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"
        (record,) = (
            await admin.post("/vobjects/thing__c", json=[{"name__v": "one"}])
        ).ids
        assert (await admin.get(f"/vobjects/thing__c/{record}/audittrail")).data[0][
            "action"
        ] == "Create"
        assert (
            await admin.delete("/vobjects/thing__c", json=[{"id": record}])
        ).status == "SUCCESS"


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_service_changes_nothing_of_the_trail(
    database: asyncpg.Connection[asyncpg.Record], statement: str
) -> None:
    before = await database.fetchval("SELECT count(*) FROM platform.audit_entry")
    with pytest.raises(
        asyncpg.InsufficientPrivilegeError, match=r"permission denied|must be"
    ):
        await database.execute(statement)
    assert (
        await database.fetchval("SELECT count(*) FROM platform.audit_entry")
        == before
        > 0
    )


async def test_the_service_may_insert_and_select_and_gives_itself_no_more(
    database: asyncpg.Connection[asyncpg.Record],
) -> None:
    await database.execute(
        "GRANT ALL ON platform.audit_entry TO CURRENT_USER"
    )  # warns that nothing was granted
    rights = (
        "INSERT",
        "SELECT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "REFERENCES",
        "TRIGGER",
    )
    sql = "SELECT has_table_privilege('platform.audit_entry', $1)"
    assert [right for right in rights if await database.fetchval(sql, right)] == [
        "INSERT",
        "SELECT",
    ]


async def test_the_trigger_refuses_the_owner_too(
    database: asyncpg.Connection[asyncpg.Record], prepared: Prepared
) -> None:
    assert await database.fetchval("SELECT count(*) FROM platform.audit_entry") > 0
    owner = await asyncpg.connect(prepared.owner, timeout=30, command_timeout=30)
    for statement in FORBIDDEN[:3]:
        with pytest.raises(
            asyncpg.InsufficientPrivilegeError, match=r"append-only|permission denied"
        ):
            await owner.execute(statement)
    await owner.close(timeout=30)
