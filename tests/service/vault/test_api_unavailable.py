"""A Vault without its database says so, in an envelope that tells clients to retry."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.api.api_app import create_api
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.served import (
    MDL,
    PASSWORD,
    USERNAMES,
    served,
    settings,
    started,
)
from tests.service.vault.vault_databases import vault_database


async def test_before_the_database_is_there(tmp_path: Path) -> None:
    nowhere = settings(
        "postgresql://nobody@127.0.0.1:1/none", "amqp://nobody@127.0.0.1:1/", tmp_path
    )
    vault = Vault(MEDICAL_VAULT, nowhere)
    async with served(create_api(vault)) as api:
        signing_in = await api.post(
            "/auth", data={"username": USERNAMES["admin"], "password": PASSWORD}
        )
        asking = await api.get(
            "/metadata/vobjects", headers={"Authorization": "0" * 64}
        )
        for answer in (signing_in, asking):
            assert (answer.http_status, answer.status, answer.error) == (
                503,
                "EXCEPTION",
                "UNEXPECTED_ERROR",
            )
            assert answer.headers["X-VaultAPI-ExecutionId"]
        assert (await api.get("/api/")).status == "SUCCESS"


READ_ONLY = "ALTER DATABASE {} SET default_transaction_read_only = {}"
END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user
"""


async def test_a_database_that_takes_no_writes_is_an_outage(
    postgres_server: PostgresServer, rabbitmq_server: RabbitServer, tmp_path: Path
) -> None:
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        vault = Vault(MEDICAL_VAULT, settings(dsn, vhost.amqp_url, tmp_path))
        async with served(create_app(vault)) as api:
            await started(vault)
            admin = await api.signed_in("admin")
            assert (await admin.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"
            await take_writes(dsn, "off")
            row = [{"name__v": "one"}]
            signing_in = {"username": USERNAMES["user"], "password": PASSWORD}
            for answer in (
                # The first one meets a session that was ended.
                await admin.post("/vobjects/thing__c", json=row),
                await admin.post("/vobjects/thing__c", json=row),
                await api.post("/auth", data=signing_in),
            ):
                assert answer.http_status in (503, 504)
                assert answer.status == "EXCEPTION"
            assert answer.http_status == 503
            reason = await vault.ready()
            assert reason is not None
            assert "read-only" in reason
            await take_writes(dsn, "on")

            async def written() -> str | None:
                answer = await admin.post("/vobjects/thing__c", json=row)
                return None if answer.status == "SUCCESS" else answer.text

            assert await answers_within(60, written) is None
            assert await vault.ready() is None


async def take_writes(dsn: str, switch: str) -> None:
    """Make the database accept writes (``on``) or refuse them (``off``), as an administrator does."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET default_transaction_read_only = off")
        name = await connection.fetchval("SELECT quote_ident(current_database())")
        read_only = "off" if switch == "on" else "on"
        await connection.execute(READ_ONLY.format(name, read_only))
        await connection.execute(END_SESSIONS)
    finally:
        await connection.close()
