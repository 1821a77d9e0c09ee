"""Migrates a Vault's database as its owner, in a process that has ended before the Vault starts."""

from __future__ import annotations

import asyncio
import sys

from local.failure import SystemFailed
from local.processes import Command
from local.service import PROJECT, Service, service_environment

_WAIT = 120.0


async def migrate_database(vault: Service, owner_dsn: str) -> None:
    """Bring the database of a Vault up to date; the Vault itself never gets ``owner_dsn``.

    :raises SystemFailed: the database refused, or took too long.
    """
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
