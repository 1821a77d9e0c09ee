"""Platform tables: numbered SQL files, each applied once, by one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

FOLDER = Path(__file__).parent / "migrations"
LOCK = 7_214_001  # advisory lock: migration and first-start loading


async def migrate(database: Database) -> None:
    """Apply the migrations that this database has not seen, in the order of their numbers."""
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS public.vault_migration"
            " (name text PRIMARY KEY, applied_date timestamptz NOT NULL DEFAULT now())"
        )
        applied = {row["name"] for row in await connection.fetch("SELECT name FROM public.vault_migration")}
        for file in sorted(FOLDER.glob("*.sql")):
            if file.name not in applied:
                await connection.execute(file.read_text(encoding="utf-8"))
                await connection.execute("INSERT INTO public.vault_migration (name) VALUES ($1)", file.name)
