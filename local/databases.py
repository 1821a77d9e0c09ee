"""One database and one role for each Vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

_TIMEOUT = 30.0


class Passwords(NamedTuple):
    """Of the role that a service connects with, and of the one that owns its database."""

    service: str
    owner: str


def owner_of(name: str) -> str:
    """The role that owns a Vault's database; it may act as the service's role, and not the other way round."""
    return f"{name}_owner"


async def prepare_databases(dsn: str, passwords: Mapping[str, Passwords]) -> None:
    """Create database, service role ``name`` and owner for each item of ``passwords``; repeating changes nothing.

    ``dsn`` is the administrator's. No role may connect to another's database.
    """
    connection = await asyncpg.connect(dsn, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
    try:
        for name, password in passwords.items():
            owner = owner_of(name)
            for role, secret in ((name, password.service), (owner, password.owner)):
                exists = await connection.fetchval(
                    "SELECT true FROM pg_roles WHERE rolname = $1", role
                )
                command = "ALTER ROLE" if exists else "CREATE ROLE"
                await _formatted(
                    connection, f"{command} %I LOGIN PASSWORD %L", role, secret
                )
            await _formatted(connection, "GRANT %I TO %I", name, owner)
            if not await connection.fetchval(
                "SELECT true FROM pg_database WHERE datname = $1", name
            ):
                await _formatted(connection, "CREATE DATABASE %I OWNER %I", name, owner)
            await _formatted(connection, "ALTER DATABASE %I OWNER TO %I", name, owner)
            await _formatted(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
            await _formatted(
                connection,
                "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I",
                name,
                name,
            )
    finally:
        await connection.close(timeout=_TIMEOUT)


async def _formatted(
    connection: asyncpg.Connection[asyncpg.Record], statement: str, *values: str
) -> None:
    """Execute a statement that takes no parameters, with ``values`` quoted by the server itself."""
    places = ", ".join(f"${number}::text" for number in range(2, len(values) + 2))
    await connection.execute(
        await connection.fetchval(f"SELECT format($1, {places})", statement, *values)
    )
