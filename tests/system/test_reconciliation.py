"""Reconciliations: every kind of difference is planted by the database, and is found, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from local.system import System
from tests.system import own
from tests.system.conditions import Connected, new_run
from tests.system.reconciling import assert_clean, reconciled
from tests.system.test_transfer import account, inquiry, transferred

running, connected = own.running, own.connected
Databases = dict[str, "asyncpg.Connection[asyncpg.Record]"]


@pytest.fixture(scope="module")
async def databases(running: System) -> AsyncIterator[Databases]:
    made = {
        name: await asyncpg.connect(running.database_dsn(name), timeout=30)
        for name in ("crm_vault", "medical_vault")
    }
    yield made
    for connection in made.values():
        await connection.close()


async def test_what_was_transferred_is_equal(connected: Connected) -> None:
    run = new_run()
    item = await inquiry(connected, await account(connected, run))
    await transferred(connected, item)
    found = await assert_clean(connected.medical)
    assert found.counts["equal"] >= 2
    back = await assert_clean(connected.crm)
    assert back.counts["equal"] >= 1
