"""Creates a database, a service role and an owner role for each Vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

_TIMEOUT = 30.0


class Passwords(NamedTuple):
    """The passwords of the role that a service connects with, and of the role that owns its database."""

    service: str
    owner: str


def owner_of(name: str) -> str:
    """Return the role that owns a Vault's database.

    It may act as the service's role, but the service's role may not act as the owner.
    """
    return f"{name}_owner"


async def prepare_databases(dsn: str, passwords: Mapping[str, Passwords]) -> None:
    """Create database, service role ``name`` and owner for each item of ``passwords``; repeating changes nothing.

    ``dsn`` is the administrator's. No role may connect to another's database.
    """
    connection = await asyncpg.connect(dsn, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
    try:
        for name, password in passwords.items():
            owner = owner_of(name)
            roles = {name: password.service, owner: password.owner}
            for role, secret in roles.items():
                await _role(connection, role, secret)
            # The owner migrates in the service's role, which then owns the tables.
            await _formatted(connection, "GRANT %I TO %I", name, owner)
            await _database(connection, name, owner)
    finally:
        await connection.close(timeout=_TIMEOUT)


async def _role(
    connection: asyncpg.Connection[asyncpg.Record], role: str, secret: str
) -> None:
    exists = await connection.fetchval(
        "SELECT true FROM pg_roles WHERE rolname = $1",
        role,
    )
    # An existing role gets the password too, which may have changed.
    command = "ALTER ROLE" if exists else "CREATE ROLE"
    statement = f"{command} %I LOGIN PASSWORD %L"
    await _formatted(connection, statement, role, secret)


async def _database(
    connection: asyncpg.Connection[asyncpg.Record], name: str, owner: str
) -> None:
    exists = await connection.fetchval(
        "SELECT true FROM pg_database WHERE datname = $1",
        name,
    )
    if not exists:
        await _formatted(connection, "CREATE DATABASE %I OWNER %I", name, owner)
    # Databases of earlier versions belonged to the service's role.
    await _formatted(connection, "ALTER DATABASE %I OWNER TO %I", name, owner)
    # PostgreSQL lets every role connect to a new database.
    await _formatted(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
    grant = "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I"
    await _formatted(connection, grant, name, name)


async def _formatted(
    connection: asyncpg.Connection[asyncpg.Record], statement: str, *values: str
) -> None:
    """Execute a statement that takes no parameters, with ``values`` quoted by the server itself."""
    numbers = range(2, len(values) + 2)
    places = ", ".join(f"${number}::text" for number in numbers)
    query = f"SELECT format($1, {places})"
    formatted = await connection.fetchval(query, statement, *values)
    await connection.execute(formatted)
