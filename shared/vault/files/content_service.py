"""Stores bytes in the file store under their SHA-256, and removes unreferenced content once a day.

A copy in the store has a key of its own, and the row of its checksum says which copy is valid. So two writers of the
same bytes, or a writer and the sweep, never use one key: each decides in the database, under the lock of one row, and a
writer whose copy is not used deletes it. A crash between file and row leaves a copy without a row; the sweep removes
it. The sweep finds the tables that refer to content by their foreign keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg

from shared.vault.files.file_store import Item, as_faults

if TYPE_CHECKING:
    from shared.vault.files.file_store import FileStore
    from shared.vault.storage.database import Connection, Database


ROOT = "content"
PAGE = 1000  # rows or files of the sweep at a time
UNUSED = timedelta(days=1)  # that content waits for a row to refer to it

COLUMNS = "sha256, size, md5, stored_as"
# Content, or the row of the same bytes that is there already, which is safe from the sweep for a day more.
KEEP = f"""
INSERT INTO platform.content ({COLUMNS}) VALUES ($1, $2, $3, $4)
ON CONFLICT (sha256) DO UPDATE SET last_stored = now() RETURNING {COLUMNS}
"""
# One row by its checksum, and the keys among some that rows name.
ONE = f"SELECT {COLUMNS} FROM platform.content WHERE sha256 = $1"
NAMED = "SELECT stored_as FROM platform.content WHERE stored_as = ANY($1::text[])"
# A condition for each foreign key that leads to a table, except those whose rows are deleted with the referred row.
REFERRING = """
SELECT format('NOT EXISTS (SELECT FROM %s r WHERE r.%I = u.%I)', f.conrelid::regclass, a.attname, k.attname)
    AS condition
FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
    JOIN pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1]
WHERE f.contype = 'f' AND f.confrelid = $1::regclass AND f.confdeltype <> 'c'
"""


@dataclass(frozen=True, slots=True)
class Content:
    """Stored bytes: ``sha256`` (hex) identifies them, ``stored_as`` is their key in the store."""

    sha256: str
    size: int
    md5: str
    stored_as: str


class ContentService:
    """Stores the bytes of a Vault's files; the service that owns a file checks who may read or change it."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._database = database
        self._files = files

    async def keep(
        self,
        content: AsyncIterable[bytes],
        *,
        limit: int,
        md5: str | None = None,
    ) -> Content:
        """Store up to ``limit`` bytes, to which a row must refer within a day; ``md5`` (hex) is the expected checksum.

        :raises VaultFault: EXCEEDS_FILE_MAX_SIZE; INVALID_DATA for bytes of another checksum.
        """
        name = uuid4().hex
        # Folders by the first two digits: no folder of a local store grows without bound.
        key = f"{ROOT}/{name[:2]}/{name}"
        with as_faults():
            stored = await self._files.put(key, content, limit=limit, md5=md5)
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                KEEP, stored.sha256, stored.size, stored.md5, key
            )
        if row is None:
            raise AssertionError  # it is inserted, or updated
        kept = Content(**row)
        # The same bytes were there already, or another writer was faster.
        if kept.stored_as != key:
            await self._files.delete(key)
        return kept

    async def find(self, sha256: str) -> Content | None:
        """Return the content of this checksum, or None."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(ONE, sha256)
        if row is None:
            return None
        return Content(**row)

    def read(
        self,
        content: Content,
        start: int = 0,
        length: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes from ``start`` on, at most ``length`` of them, in chunks."""
        return self._files.get(content.stored_as, start, length)

    async def sweep(self) -> int:
        """Remove content without a reference that was last stored more than a day ago; return the number removed."""
        before = datetime.now(UTC) - UNUSED
        removed = await self.remove_unused(before)
        await self.remove_strays(before)
        return removed

    async def remove_unused(self, before: datetime) -> int:
        """Remove content without a reference that was last stored before ``before``; return the number removed."""
        removed = 0
        # The row first: a copy whose row is gone is a stray one at worst, a row without its copy could not be read.
        while keys := await self._forget(before):
            for key in keys:
                await self._files.delete(key)
            removed += len(keys)
        return removed

    async def remove_strays(self, before: datetime) -> None:
        """Delete copies older than ``before`` that no row names.

        Their writer was stopped before it could write the row, or delete a copy that another writer's copy superseded.
        """
        after: str | None = None
        while items := await self._files.list(
            ROOT, recursive=True, after=after, limit=PAGE
        ):
            # The row of a younger copy may be about to be written.
            old = [item.key for item in items if _is_older(item, before)]
            async with self._database.connection() as connection:
                rows = await connection.fetch(NAMED, old)
            named = {row["stored_as"] for row in rows}
            for key in old:
                if key not in named:
                    await self._files.delete(key)
            after = items[-1].position

    async def _forget(self, before: datetime) -> Sequence[str]:
        """Delete a page of rows that are not in use, and return the keys of their copies.

        Rows that another sweep or a writer has locked are skipped, so that sweeps and writers cannot deadlock.
        """
        async with self._database.connection() as connection:
            unused = await unused_sql(connection, "platform.content")
            sql = f"""
                DELETE FROM platform.content WHERE last_stored < $1 AND sha256 IN
                (SELECT u.sha256 FROM platform.content u WHERE u.last_stored < $1 AND {unused}
                LIMIT {PAGE} FOR UPDATE SKIP LOCKED)
                RETURNING stored_as
            """
            try:
                rows = await connection.fetch(sql, before)
            except asyncpg.ForeignKeyViolationError:
                # A row came to refer to one of them meanwhile; the next sweep finds the others.
                return []
        return [row["stored_as"] for row in rows]


def _is_older(item: Item, before: datetime) -> bool:
    """Return whether an item is a file that was last written before a moment."""
    return item.modified is not None and item.modified < before


async def unused_sql(connection: Connection, table: str) -> str:
    """Return a SQL condition that is true for the rows ``u`` of a table to which no other row refers.

    Rows that are deleted together with ``u`` do not count.
    """
    rows = await connection.fetch(REFERRING, table)
    conditions = [row["condition"] for row in rows]
    return " AND ".join(["true", *conditions])
