"""One database and one role for each Vault."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

_TIMEOUT = 30.0


async def prepare_databases(dsn: str, passwords: Mapping[str, str]) -> None:
    """Create database and owning role ``name`` for each item of ``passwords``; repeating it changes nothing.

    ``dsn`` is the administrator's. No role may connect to another's database.
    """
    connection = await asyncpg.connect(dsn, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
    try:
        for name, password in passwords.items():
            exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
            command = "ALTER ROLE" if exists else "CREATE ROLE"
            await _formatted(connection, f"{command} %I LOGIN PASSWORD %L", name, password)
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
                await _formatted(connection, "CREATE DATABASE %I OWNER %I", name, name)
            await _formatted(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
    finally:
        await connection.close(timeout=_TIMEOUT)


async def _formatted(connection: asyncpg.Connection[asyncpg.Record], statement: str, *values: str) -> None:
    """Execute a statement that takes no parameters, with ``values`` quoted by the server itself."""
    places = ", ".join(f"${number}::text" for number in range(2, len(values) + 2))
    await connection.execute(await connection.fetchval(f"SELECT format($1, {places})", statement, *values))
