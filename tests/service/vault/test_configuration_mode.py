"""Configuration mode: while it is on, administrators have the Vault for themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.security.call_limits import ConfigurationMode
from shared.vault.storage.database import Database
from shared.vault.storage.migrate import migrate
from tests.service.vault.served import Api


async def test_only_administrators_have_access_while_it_is_on(
    admin: Api, integration: Api, user: Api
) -> None:
    assert (
        await user.post("/services/configuration_mode/actions/enable")
    ).error == "INSUFFICIENT_ACCESS"
    answer = await admin.post("/services/configuration_mode/actions/enable")
    try:
        assert answer.body == {
            "responseStatus": "SUCCESS",
            "responseMessage": "Configuration Mode Active enabled.",
        }
        for other in (integration, user):
            assert (
                await other.get("/objects/users/me")
            ).error == "CONFIGURATION_MODE_ENABLED"
            assert (
                await other.query("SELECT id FROM case__v")
            ).error == "CONFIGURATION_MODE_ENABLED"
        assert (await admin.get("/objects/users/me")).status == "SUCCESS"
    finally:
        assert (
            await admin.post("/services/configuration_mode/actions/disable")
        ).status == "SUCCESS"
    assert (await user.get("/objects/users/me")).status == "SUCCESS"


async def test_other_processes_read_it_from_the_database(
    admin: Api, vault: Vault
) -> None:
    other = ConfigurationMode(vault.database)
    await admin.post("/services/configuration_mode/actions/enable")
    try:
        await other.load()
        assert other.enabled
    finally:
        await admin.post("/services/configuration_mode/actions/disable")
    await other.load()
    assert not other.enabled


class Overtaken(Database):
    """A database with one late answer, which arrives after configuration mode was switched."""

    mode: ConfigurationMode | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        async with super().connection() as connection:
            yield connection if self.mode is None else self

    async def fetchval(self, statement: str) -> bool:
        mode, self.mode = self.mode, None
        assert mode is not None
        async with self.connection() as connection:
            enabled: bool = await connection.fetchval(statement)
        await mode.switch(SYSTEM, enabled=not enabled)
        return enabled


@pytest.mark.parametrize("enabled", [True, False])
async def test_what_was_read_before_a_switch_does_not_undo_it(
    postgres_dsn: str, enabled: bool
) -> None:
    database = Overtaken(postgres_dsn)
    await database.open()
    await migrate(database)
    mode = ConfigurationMode(database)
    await mode.switch(SYSTEM, enabled=not enabled)
    database.mode = mode
    await mode.load()
    assert mode.enabled is enabled
    # What the next announcement makes it read.
    await mode.load()
    assert mode.enabled is enabled
    await database.close()
