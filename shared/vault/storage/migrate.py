"""Creates and changes the platform's tables by numbered SQL files, each applied once, by one process at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection, Database

    DriverConnection = asyncpg.Connection[asyncpg.Record]

FOLDER = Path(__file__).parent / "migrations"
LOCK = 7_214_001  # an advisory lock: migration and first-start loading
PATIENCE = 300.0  # seconds that a process waits while another one migrates or loads
CONNECT_TIMEOUT = 10.0
WITHOUT_BOUNDS = "SET lock_timeout = 0; SET statement_timeout = 0"
POOL_BOUNDS = "RESET lock_timeout; RESET statement_timeout"
# The record of migrations, the names in it, and one more.
RECORD = (
    "CREATE TABLE IF NOT EXISTS public.vault_migration"
    " (name text PRIMARY KEY, applied_date timestamptz NOT NULL DEFAULT now())"
)
APPLIED = "SELECT name FROM public.vault_migration"
APPLY = "INSERT INTO public.vault_migration (name) VALUES ($1)"
# Whether the connected role owns the audit table.
OWNED = "SELECT relowner = current_user::regrole FROM pg_class WHERE oid = 'platform.audit_entry'::regclass"
# The owner also takes the schema, since the owner of a schema may drop the tables in it.
TAKE_OVER = (
    "ALTER SCHEMA platform OWNER TO CURRENT_USER",
    "GRANT USAGE, CREATE ON SCHEMA platform TO {service}",
    "ALTER TABLE platform.audit_entry OWNER TO CURRENT_USER",
    "ALTER TYPE platform.record_range OWNER TO CURRENT_USER",
    "ALTER FUNCTION platform.refuse_audit_change() OWNER TO CURRENT_USER",
    "REVOKE ALL ON platform.audit_entry FROM {service}",
    "GRANT SELECT, INSERT ON platform.audit_entry TO {service}",
    "GRANT SELECT ON SEQUENCE platform.audit_entry_id_seq TO {service}",
)


@asynccontextmanager
async def alone(database: Database) -> AsyncIterator[Connection]:
    """Yield a connection; meanwhile no other process migrates the Vault's database or loads its configuration."""
    async with database.connection() as connection:
        # The pool's own, shorter bounds are for work that users wait for.
        await connection.execute(WITHOUT_BOUNDS)
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK, timeout=PATIENCE)
        try:
            yield connection
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
            # The pool resets nothing: users' work on this connection would have no bounds.
            await connection.execute(POOL_BOUNDS)


async def migrate(database: Database, owner_dsn: str | None = None) -> None:
    """Apply the migrations that this database lacks, in the order of their numbers.

    They run as the service's role, which owns the tables. With ``owner_dsn``, the owner of the audit table connects and
    takes on that role; a migration that alters the audit table needs ``RESET ROLE`` before it.
    """
    async with alone(database) as connection:
        if owner_dsn is None:
            async with connection.transaction():
                await _apply(connection)
            return
        service = await connection.fetchval("SELECT current_user")
        async with as_owner(owner_dsn, service, PATIENCE) as owner:
            await _apply(owner)


async def _apply(connection: Connection | DriverConnection) -> None:
    """Apply the migrations that are not recorded as applied."""
    await connection.execute(RECORD)
    for file in await missing(connection):
        text = file.read_text(encoding="utf-8")
        await connection.execute(text)
        await connection.execute(APPLY, file.name)


async def missing(connection: Connection | DriverConnection) -> list[Path]:
    """Return the files of the migrations that a database lacks, in the order of their numbers.

    :raises asyncpg.UndefinedTableError: the database was never migrated.
    """
    rows = await connection.fetch(APPLIED)
    applied = {row["name"] for row in rows}
    files = sorted(FOLDER.glob("*.sql"))
    return [file for file in files if file.name not in applied]


@asynccontextmanager
async def as_owner(
    dsn: str,
    service: str,
    patience: float,
) -> AsyncIterator[DriverConnection]:
    """Yield a connection of the audit table's owner, in a transaction in which it acts as the service.

    Tables that are created there belong to the service; at the end the owner takes over the audit table, on which the
    service keeps INSERT and SELECT. The owner must be a member of the service's role, and own the database.
    """
    connection: DriverConnection = await asyncpg.connect(
        dsn, timeout=CONNECT_TIMEOUT, command_timeout=patience
    )
    try:
        async with connection.transaction():
            role = await connection.fetchval("SELECT quote_ident($1)", service)
            await connection.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
            # For this transaction only: RESET ROLE brings the owner back before its end.
            await connection.execute(f"SET LOCAL ROLE {role}")
            yield connection
            await connection.execute("RESET ROLE")
            if not await connection.fetchval(OWNED):
                for statement in TAKE_OVER:
                    await connection.execute(statement.format(service=role))
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT)
