"""Writes the logs of jobs: lines within the transactions that they describe, and files of the store at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.files.file_store import FileStore, StoredFile
    from shared.vault.storage.database import Connection, Database

PAGE = 20  # entries in memory at a time

APPEND = """
INSERT INTO platform.job_log (job_id, task_id, log, lines) VALUES ($1, $2, $3, $4)
"""
READ = """
SELECT position, lines FROM platform.job_log
WHERE job_id = $1 AND task_id = $2 AND log = $3 AND position > $4 ORDER BY position LIMIT $5
"""
CLEAR = "DELETE FROM platform.job_log WHERE job_id = $1 AND task_id = $2 AND log = $3"


def result_key(job_id: int, task_id: str, log: str) -> str:
    """Return the key of a job's file in the store."""
    # Below the job's id: housekeeping removes the folder with the job.
    return f"results/{job_id}/{task_id}-{log}.csv"


@dataclass(frozen=True, slots=True)
class JobLog:
    """One log of one task of a running job."""

    database: Database
    job_id: int
    task_id: str
    log: str

    async def append(self, connection: Connection, text: str) -> None:
        """Append text within the transaction that it describes; do nothing for an empty text."""
        if text:
            await connection.execute(APPEND, self.job_id, self.task_id, self.log, text)

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the text so far as UTF-8."""
        # By position and not by one cursor: a log may be long, and no transaction stays open for it.
        position = 0
        while True:
            async with self.database.connection() as connection:
                rows = await connection.fetch(
                    READ, self.job_id, self.task_id, self.log, position, PAGE
                )
            if not rows:
                return
            position = rows[-1]["position"]
            for row in rows:
                yield row["lines"].encode()

    async def publish(self, files: FileStore) -> StoredFile:
        """Store the text so far as the file ``result_key``; a repeated call replaces the file, until ``clear``."""
        key = result_key(self.job_id, self.task_id, self.log)
        return await files.put(key, self.content())

    async def clear(self, connection: Connection) -> None:
        """Remove the lines once they are stored as a file."""
        await connection.execute(CLEAR, self.job_id, self.task_id, self.log)
