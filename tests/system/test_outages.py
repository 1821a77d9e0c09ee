"""An outage without a lost process: a database refuses writes; no exception is recorded and no status changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import asyncpg
import pytest

from bench.data import submitted_inquiries
from local.polling import answers_within
from local.system import System
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.reconciling import assert_clean, everything_transferred
from tests.system.test_crashes import exceptions_in, quoted, transfer

running, connected = module_system.running, module_system.connected
INQUIRIES = 60
END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()
"""


@asynccontextmanager
async def read_only(system: System, vault: str) -> AsyncIterator[None]:
    """Make a Vault's database refuse writes during the block, as an administrator does."""
    await take_writes(system, vault, "on")
    try:
        yield
    finally:
        await take_writes(system, vault, "off")


async def take_writes(system: System, vault: str, read_only: str) -> None:
    connection = await asyncpg.connect(system.postgres.dsn)
    try:
        statement = "ALTER DATABASE {} SET default_transaction_read_only = {}"
        await connection.execute(statement.format(vault, read_only))
        await connection.execute(END_SESSIONS, vault)
    finally:
        await connection.close()


@pytest.mark.parametrize("vault", ["medical_vault", "crm_vault"])
async def test_a_database_that_takes_no_writes_is_waited_for(
    running: System, connected: Connected, vault: str
) -> None:
    crm, medical = connected.crm, connected.medical
    await everything_transferred(connected)
    inquiries = await submitted_inquiries(crm, medical, INQUIRIES, new_run())
    exceptions = await exceptions_in(connected)

    async def statuses() -> set[str]:
        text = f"SELECT transfer_status__v FROM medical_inquiry__v WHERE id CONTAINS ({quoted(inquiries)})"
        rows = (await crm.query(text)).rows
        return {str(row["transfer_status__v"]) for row in rows}

    if vault == "medical_vault":
        async with read_only(running, vault):
            await transfer(crm, inquiries)
            await reported_by_the_probe(running)
            # The connector has tried by now: its calls are refused as an outage.
            await counted_by_the_connector(running)
            assert await statuses() == {"['pending__v']"}
    else:
        await transfer(crm, inquiries)
        async with read_only(running, vault):
            await reported_by_the_probe(running)

    async def all_succeeded() -> bool:
        return await statuses() == {"['success__v']"}

    await eventually("every Transfer Status being Success", all_succeeded)
    assert await exceptions_in(connected) == exceptions
    found = await assert_clean(medical)
    assert found.counts["equal"] >= 2 * INQUIRIES


async def reported_by_the_probe(system: System) -> None:
    """Return when the connector's probe reports that a Vault does not answer."""

    async def reported() -> str | None:
        url = system.endpoints()["connector"]["url"]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/readyz") as answer,
        ):
            text = await answer.text()
        return None if "does not answer" in text else text

    assert await answers_within(60, reported) is None


async def counted_by_the_connector(system: System) -> None:
    """Return when the connector's calls that write have had no answer of the Vault."""

    async def counted() -> str | None:
        url = system.endpoints()["connector"]["url"]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
        wanted = [line for line in lines if line.startswith("vault_calls_total{")]
        tried = [line for line in wanted if 'call="upsert"' in line]
        return (
            None if any('outcome="unavailable"' in line for line in tried) else "none"
        )

    assert await answers_within(60, counted) is None
