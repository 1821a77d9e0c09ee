"""Copies prepared databases, so that each test is spared a first start."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from local.servers import PostgresServer
from tests.servers import connected_as_administrator

Prepare = Callable[[str], Awaitable[None]]
"""Fills the empty database at an address, and leaves no connection to it open."""


@dataclass(frozen=True, slots=True)
class _Template:
    """A prepared database, and the role of the same name, which owns its contents."""

    name: str


# By server and purpose; the servers of a worker are its own, or given by their address.
_templates: dict[tuple[str, str], _Template] = {}


@asynccontextmanager
async def copied_database(
    server: PostgresServer, purpose: str, prepare: Prepare
) -> AsyncIterator[str]:
    """Yield the address of a copy of the database that ``prepare`` makes for this purpose, owned by a role of its own.

    Copy and role are dropped afterwards; the template stays until ``drop_templates``.
    """
    template = await _prepared(server, purpose, prepare)
    name, password = f"test_{secrets.token_hex(6)}", secrets.token_hex(8)
    dsn = server.database_dsn(name, password)
    async with connected_as_administrator(server) as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        await connection.execute(
            f"CREATE DATABASE {name} OWNER {name} TEMPLATE {template.name}"
        )
        async with connected_as_administrator(server, name) as inside:
            # The database of the template belongs to the administrator, so that it is not among these.
            await inside.execute(f"REASSIGN OWNED BY {template.name} TO {name}")
        try:
            yield dsn
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await connection.execute(f"DROP ROLE {name}")


async def drop_templates(server: PostgresServer) -> None:
    """Drop the templates on a server."""
    mine = [key for key in _templates if key[0] == server.dsn]
    if not mine:
        return
    async with connected_as_administrator(server) as connection:
        for key in mine:
            name = _templates.pop(key).name
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await connection.execute(f"DROP ROLE {name}")


async def _prepared(
    server: PostgresServer, purpose: str, prepare: Prepare
) -> _Template:
    """Return the template for a purpose, which is made at first use."""
    key = (server.dsn, purpose)
    if key not in _templates:
        template = _Template(f"template_{secrets.token_hex(6)}")
        await _make(server, template.name, prepare)
        _templates[key] = template
    return _templates[key]


async def _make(server: PostgresServer, name: str, prepare: Prepare) -> None:
    password = secrets.token_hex(8)
    async with connected_as_administrator(server) as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.execute(f"GRANT ALL ON DATABASE {name} TO {name}")
        async with connected_as_administrator(server, name) as inside:
            await inside.execute(f"ALTER SCHEMA public OWNER TO {name}")
        await prepare(server.database_dsn(name, password))
        await connection.execute(f"ALTER ROLE {name} NOLOGIN")
