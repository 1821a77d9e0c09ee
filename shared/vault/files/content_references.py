"""Which rows of a table nothing refers to, by the foreign keys that lead to it, whichever chapter's they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

REFERRING = """
SELECT format('NOT EXISTS (SELECT FROM %s r WHERE r.%I = u.%I)', f.conrelid::regclass, a.attname, k.attname)
    AS condition
FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
    JOIN pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1]
WHERE f.contype = 'f' AND f.confrelid = $1::regclass AND f.confdeltype <> 'c'
"""


async def unused_sql(connection: Connection, table: str) -> str:
    """The condition on rows ``u`` of the table that no row refers to them, but such as go with them."""
    rows = await connection.fetch(REFERRING, table)
    return " AND ".join(["true", *(row["condition"] for row in rows)])
