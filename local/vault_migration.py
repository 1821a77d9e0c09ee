"""Migrates a Vault's database as its owner, in a process that has ended before the Vault starts."""

from __future__ import annotations

import asyncio
import sys

import asyncpg

from local.failure import SystemFailed
from local.processes import Command
from local.service import PROJECT, Service, service_environment
from shared.vault.storage.migrate import missing

_WAIT = 120.0
_TIMEOUT = 10.0


async def migrate_database(vault: Service, owner_dsn: str) -> None:
    """Bring the database of a Vault up to date; the Vault itself never gets ``owner_dsn``.

    :raises SystemFailed: the database refused, or took too long.
    """
    if await _is_current(vault.settings["VAULT_DATABASE_DSN"]):
        return
    settings = {
        "VAULT_DATABASE_DSN": vault.settings["VAULT_DATABASE_DSN"],
        "VAULT_OWNER_DSN": owner_dsn,
    }
    module = f"services.{vault.service}"
    log = vault.logs / f"{vault.name}_migration.log"
    environment = service_environment(settings)
    command = Command(
        [sys.executable, "-m", module, "migrate"], environment, PROJECT, log
    )
    try:
        await asyncio.to_thread(command.run, _WAIT)
    except SystemFailed as error:
        text = f"the database of {vault.name} could not be migrated"
        raise SystemFailed(text, log) from error


async def _is_current(dsn: str) -> bool:
    """Return whether a database has all migrations already, so that no process has to carry them out.

    :raises SystemFailed: the database does not answer.
    """
    try:
        connection = await asyncpg.connect(
            dsn, timeout=_TIMEOUT, command_timeout=_TIMEOUT
        )
        try:
            return not await missing(connection)
        finally:
            await connection.close(timeout=_TIMEOUT)
    # A new database has no record of migrations.
    except asyncpg.UndefinedTableError:
        return False
    except (OSError, asyncpg.PostgresError) as error:
        reason = type(error).__name__
        raise SystemFailed(f"a database does not answer: {reason}") from error
