"""Fills a Vault with many accounts and addresses, by statements that generate them inside the database."""

from __future__ import annotations

import asyncpg

from bench.search import ACCOUNTS, ADDRESSES, LETTERS
from shared.vault.components.registry import Registry
from shared.vault.components.schema import create_search_index, drop_search_index

OBJECTS = ("account__v", "address__v")


async def fill_accounts(dsn: str, registry: Registry, size: int) -> None:
    """Add ``size`` accounts with an address each; indexes of words are built afterwards."""
    connection = await asyncpg.connect(dsn)
    try:
        owners = [registry.objects[name] for name in OBJECTS]
        for owner in owners:
            await connection.execute(drop_search_index(owner.name))
        await connection.execute(LETTERS)
        await connection.execute(ACCOUNTS, size)
        await connection.execute(ADDRESSES, size)
        await connection.execute("SET maintenance_work_mem = '512MB'")
        for owner in owners:
            await connection.execute(create_search_index(owner))
        # What waits in an index for a later time would be read by every search.
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
