"""A database server that is frozen, or behind a link that loses all packets: callers wait only for a short time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.runtime.health import Health
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from shared.vault.storage.database import Database
from shared.vault.storage.pulse import Pulse
from tests.servers import fresh_database, fresh_vhost
from tests.service.spark.proxy import Proxy, proxy_to
from tests.service.vault.served import served, settings, started


@asynccontextmanager
async def reached(
    dsn: str, silence: float = 0.5
) -> AsyncIterator[tuple[Database, Proxy]]:
    """A database behind a proxy that can be frozen, and its pulse."""
    async with proxy_to(dsn) as proxy:
        database = Database(proxy.url)
        await database.open()
        pulse = Pulse(proxy.url, database.end_waiting, interval=0.05, silence=silence)
        await pulse.start()
        try:
            yield database, proxy
        finally:
            proxy.restore()
            await pulse.stop()
            await database.close()


@pytest.mark.parametrize("waiting", ["statement", "transaction"])
async def test_what_waits_for_a_silent_server_fails(
    postgres_dsn: str, waiting: str
) -> None:
    async with reached(postgres_dsn) as (database, proxy):

        async def work() -> None:
            opened = (
                database.connection()
                if waiting == "statement"
                else database.transaction()
            )
            async with opened as connection:
                proxy.freeze()
                await connection.fetchval("SELECT 2")

        # Far below the longest time that a statement may take, which is a minute.
        async with asyncio.timeout(30):
            with pytest.raises(asyncpg.PostgresConnectionError):
                await work()
        proxy.restore()

        async def answers() -> str | None:
            try:
                async with database.connection() as connection:
                    await connection.fetchval("SELECT 3")
            except Exception as error:  # noqa: BLE001  whatever it is, it passes
                return repr(error)
            return None

        assert await answers_within(60, answers) is None


async def test_a_statement_that_takes_long_is_not_ended(postgres_dsn: str) -> None:
    async with (
        # Long enough for a server that is busy with other things.
        reached(postgres_dsn, silence=2) as (database, _),
        database.connection() as connection,
    ):
        assert await connection.fetchval("SELECT 1 FROM pg_sleep(4)") == 1


async def test_a_probe_is_answered_meanwhile(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    files = tmp_path_factory.mktemp("silent")
    async with (
        fresh_database(postgres_server) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
        proxy_to(dsn) as proxy,
    ):
        vault = Vault(MEDICAL_VAULT, settings(proxy.url, vhost.amqp_url, files))
        async with served(create_app(vault)):
            await started(vault)
            health = Health()
            health.add("vault", vault.ready)
            assert await health.reasons() == {}
            proxy.freeze()
            # A pool whose connections do not come back has none left for the others.
            reasons = [await health.reasons() for _ in range(3)]
            assert all("vault" in each for each in reasons)
            proxy.restore()

            async def ready() -> str | None:
                return str(await health.reasons() or "") or None

            assert await answers_within(60, ready) is None
