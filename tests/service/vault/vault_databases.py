"""Databases as after the first start of a Vault: migrated, with its standard configuration, without users.

The first start itself is tested by `test_standard_upgrade`, `test_sign_ins` and `test_processes`; each worker goes
through it once for each service.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from local.servers import PostgresServer
from shared.vault.assembly.standard import load_standard
from shared.vault.assembly.vault import Vault
from shared.vault.assembly.vault_definition import VaultDefinition
from shared.vault.storage.migrate import migrate
from tests.database_templates import copied_database
from tests.service.vault.served import settings

# No queue is declared while the configuration is loaded.
NO_BROKER = "amqp://127.0.0.1:1"


@asynccontextmanager
async def vault_database(
    server: PostgresServer, definition: VaultDefinition
) -> AsyncIterator[str]:
    """Yield the address of a database in which a Vault starts as for the second time."""
    prepare = partial(_started_first, definition)
    async with copied_database(server, definition.name, prepare) as dsn:
        yield dsn


async def _started_first(definition: VaultDefinition, dsn: str) -> None:
    """Do the part of a first start before users and keys, which differ between Vaults, are created."""
    with TemporaryDirectory() as folder:
        vault = Vault(definition, settings(dsn, NO_BROKER, Path(folder)))
        await vault.database.open()
        try:
            await migrate(vault.database)
            await load_standard(
                vault.database,
                vault.components,
                vault.records,
                definition.standard,
                example_data=vault.settings.load_example_data,
            )
        finally:
            await vault.database.close()
