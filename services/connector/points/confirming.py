"""After the writes: whether the source still says what was read, where nothing stored with the target could tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.connector.points.source import SourceRows, query_all
from services.connector.points.states import OutdatedRead
from services.connector.rules.sources import MODIFIED, modified_field
from services.connector.rules.vql_text import statements

if TYPE_CHECKING:
    from services.connector.points.transfer import Transfer


async def confirm(unit: Transfer, found: SourceRows) -> None:
    """Raise OutdatedRead when source records have changed, or are gone, since they were read; else ClientError.

    Whoever writes last has then read what was the latest, however many connectors write the same.
    """
    modified = modified_field(unit.object)
    head = f"SELECT id, {modified} FROM {unit.object}"  # noqa: S608  VQL of names
    now = await query_all(
        unit.source, statements(head, "id", [*found.rows, *found.missing])
    )
    known = {item: row.get(MODIFIED) for item, row in found.rows.items()}
    if {str(row["id"]): row.get(modified) for row in now} != known:
        raise OutdatedRead(f"{unit.object} changed while it was transferred")
