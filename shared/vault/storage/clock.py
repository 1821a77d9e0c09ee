"""The Vault's clock: the database's, in milliseconds, and never behind a moment that it has told a caller."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

NOW = """
SELECT greatest(date_trunc('milliseconds', clock_timestamp()), (SELECT given FROM platform.clock))
"""
TELL = """
UPDATE platform.clock SET given = greatest(given, date_trunc('milliseconds', clock_timestamp())) RETURNING given
"""


async def moment(connection: Connection) -> datetime:
    """The moment with which a change made now is dated; one clock for all processes of the Vault."""
    now: datetime = await connection.fetchval(NOW)
    return now


async def tell(connection: Connection) -> datetime:
    """The moment for a caller who will ask what changed since it.

    No transaction that begins after this dates a change before it, also when the server's clock is set back.
    """
    told: datetime = await connection.fetchval(TELL)
    return told
