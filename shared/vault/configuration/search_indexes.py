"""Builds missing search and order indexes of objects in the background, without blocking reads and writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from shared.runtime.retry_policies import INDEX_BUILDER
from shared.runtime.waiting import end, run_until_cancelled
from shared.vault.components.schema import (
    SCHEMA,
    create_search_index,
    drop_search_index,
    table,
)
from shared.vault.configuration.list_indexes import build_list_indexes
from shared.vault.configuration.order_indexes import build_order_indexes
from shared.vault.model.field_types import has_index
from shared.vault.storage.migrate import POOL_BOUNDS, WITHOUT_BOUNDS

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

NAME = "search indexes"
# An advisory lock: one process builds. It is tried and never waited for: PostgreSQL ends the building of an index by
# waiting for every statement that began before it, and two that wait for each other would wait for ever.
LOCK = 7_214_030
TRY_LOCK = "SELECT pg_try_advisory_lock($1)"
UNLOCK = "SELECT pg_advisory_unlock($1)"
BUILD_SECONDS = 6 * 3600.0
# The indexes over expressions, which search indexes alone are: whether each is whole, and not what a building that was
# broken off has left behind.
STATES = """
SELECT t.relname AS object, i.indisvalid FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relnamespace = to_regnamespace($1) AND i.indexprs IS NOT NULL
"""


async def index_states(connection: Connection) -> dict[str, bool]:
    """Return, by object with a search index, whether the index is complete, so that searches use it."""
    rows = await connection.fetch(STATES, SCHEMA)
    return {row["object"]: row["indisvalid"] for row in rows}


class SearchIndexes:
    """Builds the search indexes that a Vault's objects need.

    A new object gets its index with its table. The index is missing for changed objects, and for objects that are older
    than search indexes.
    """

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start building missing indexes, now and after each ``wake``, until ``stop``."""
        building = run_until_cancelled(NAME, self._keep)
        self._task = asyncio.create_task(building, name=NAME)

    async def stop(self) -> None:
        """Stop building; an incomplete index is built again by the next process."""
        await end(self._task)

    def wake(self) -> None:
        """Look for missing indexes again, since objects may have changed."""
        self._changed.set()

    async def _keep(self) -> None:
        # What failed before is tried again.
        self.wake()
        pauses = INDEX_BUILDER.pauses()
        while True:
            await self._changed.wait()
            self._changed.clear()
            if await self.build_missing():
                pauses = INDEX_BUILDER.pauses()
                continue
            # The process that builds may not know of the newest objects, or may end before it is done.
            await asyncio.sleep(next(pauses))
            self.wake()

    async def build_missing(self) -> bool:
        """Build the indexes that are missing; return False while another process is doing so."""
        async with self._database.connection() as connection:
            if not await connection.fetchval(TRY_LOCK, LOCK):
                return False
            # The pool's bounds are for work that users wait for.
            await connection.execute(WITHOUT_BOUNDS)
            try:
                await self._build_all(connection)
            finally:
                await connection.execute(POOL_BOUNDS)
                await connection.fetchval(UNLOCK, LOCK)
        return True

    async def _build_all(self, connection: Connection) -> None:
        whole = await index_states(connection)
        for owner in self._components.registry.objects.values():
            if has_index(owner) and not whole.get(owner.name):
                await _build(connection, owner, again=owner.name in whole)
        await build_order_indexes(connection, self._components.registry)
        await build_list_indexes(connection, self._components.registry)


async def _build(connection: Connection, owner: VaultObject, *, again: bool) -> None:
    """Build the index of one object; ``again`` when an incomplete one exists."""
    log.info("search_index.building", object=owner.name, again=again)
    if again:
        await connection.execute(drop_search_index(owner.name))
    statement = create_search_index(owner, concurrently=True)
    await connection.execute(statement, timeout=BUILD_SECONDS)
    # Without figures about its words, PostgreSQL cannot tell rare ones from frequent ones.
    await connection.execute(f"ANALYZE {table(owner.name)}", timeout=BUILD_SECONDS)
    log.info("search_index.built", object=owner.name)
