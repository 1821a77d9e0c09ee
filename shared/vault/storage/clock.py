"""Dates changes by one clock for all processes of a Vault, and computes until when the Vault's changes are complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection, Database

CHANGE_DATE = "SELECT platform.change_date()"
# The current time in milliseconds, and never before one that was announced to a caller; stored as announced.
ANNOUNCE = """
UPDATE platform.clock SET given = greatest(given, date_trunc('milliseconds', clock_timestamp())) RETURNING given
"""
# The locks of open transactions that date changes; their keys are those of platform.change_date().
OLDEST_OPEN = """
SELECT to_timestamp(0) + classid::bigint * interval '24 hours' + objid::bigint * interval '1 millisecond' AS since, pid
FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY since LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The clock's time, and the moment until which changes are complete: later commits have that date or a later one.

    ``oldest_process`` is the PostgreSQL process whose open transaction keeps ``complete_until`` before ``date_time``.
    """

    date_time: datetime
    complete_until: datetime
    oldest_process: int | None


async def moment(connection: Connection) -> datetime:
    """Return the date of a change that the open transaction makes now.

    A date taken inside a savepoint must not be used after a rollback to the savepoint.
    """
    now: datetime = await connection.fetchval(CHANGE_DATE)
    return now


async def announced_moment(connection: Connection) -> datetime:
    """Return the time to announce to a client that will ask for changes since then.

    Once this transaction has committed, no change is given an earlier date than that time, even if the server's clock
    is set back.
    """
    now: datetime = await connection.fetchval(ANNOUNCE)
    return now


async def read_clock(database: Database) -> ClockReading:
    """Return the time, and until when changes are complete."""
    announced = await database.unit_of_work(announced_moment)
    # Only after that commit: a transaction that shows no lock yet takes a date that is not before the announced time.
    async with database.connection() as connection:
        oldest = await connection.fetchrow(OLDEST_OPEN)
    if oldest is None or oldest["since"] >= announced:
        return ClockReading(announced, announced, None)
    return ClockReading(announced, oldest["since"], oldest["pid"])
