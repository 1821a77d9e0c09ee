"""Migrates a Vault's database in a separate process, the only one with the password of the database's owner."""

from __future__ import annotations

import structlog
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import RuntimeSettings
from shared.runtime.waiting import wait_for
from shared.vault.storage.database import UNREACHABLE, Database
from shared.vault.storage.migrate import migrate

log = structlog.get_logger(__name__)


class MigrationSettings(RuntimeSettings):
    """The settings of a migration: the address of the database for the service's role, and for the owner's."""

    model_config = SettingsConfigDict(env_prefix="VAULT_")

    database_dsn: SecretStr
    owner_dsn: SecretStr


async def migrate_as_owner(settings: MigrationSettings) -> None:
    """Wait for the database, and apply the migrations that it lacks."""
    dsn = settings.database_dsn.get_secret_value()
    # One connection holds the lock; the owner connects beside it.
    database = Database(dsn, max_size=1)
    await wait_for("postgresql", database.open, retry_on=UNREACHABLE)
    try:
        await migrate(database, settings.owner_dsn.get_secret_value())
    finally:
        await database.close()
    log.info("vault.migrated")
