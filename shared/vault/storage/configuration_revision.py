"""Counts the changes of records that configure connections, so that clients know when to read them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

CONNECTIONS, LOOKUPS = "connections", "lookups"
PARTS: Mapping[str, str] = {
    "connection__sys": CONNECTIONS,
    "integration__sys": CONNECTIONS,
    "integration_point__sys": CONNECTIONS,
    "reference_lookup__sys": LOOKUPS,
}
"""The count that changes of an object's records raise, by object."""

NEXT = "UPDATE platform.configuration_revision SET revision = revision + 1 WHERE part = ANY($1::text[])"


async def raise_revision(
    connection: Connection,
    object_name: str,
    *,
    deleted: bool,
) -> None:
    """Count a change of an object's records in its transaction.

    Until the transaction ends, other changes that raise the same count wait.
    """
    # A deleted record takes along those below it, of whatever part.
    parts = [CONNECTIONS, LOOKUPS] if deleted else [PARTS[object_name]]
    await connection.execute(NEXT, parts)
