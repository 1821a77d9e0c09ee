"""Which state of its source record a record tells of, and whether a row may tell of an older one.

A connection that copies records sends, beside a row's values, when the source record was last modified. The moment is
kept with the record and only grows. A row that would change values without a later moment is left out, and its result
names the stored moment: the sender reads the source again, which then is the newer state, and sends it with a moment
just after the stored one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Grant, authorize
from shared.vault.components.platform import SOURCE_MODIFIED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.records.rows import Row

FIELD = SOURCE_MODIFIED.name
STEP = timedelta(milliseconds=1)  # the API's resolution


def authorize_states(caller: Caller, rows: Sequence[Row]) -> None:
    """Refuse rows with a moment to a caller who copies no records; raises VaultFault INSUFFICIENT_ACCESS."""
    if any(row.source_modified is not None for row in rows):
        authorize(caller, Grant.COPY_RECORDS)


def newer_stored(
    row: Row, stored: Record, changes: Mapping[str, object]
) -> datetime | None:
    """The stored moment, when the row's changes may be those of an older state; the same moment may be either."""
    if row.source_modified is None or not changes:
        return None
    known: datetime | None = stored[FIELD]
    return known if known is not None and row.source_modified <= known else None


def advance(row: Row, stored: Record) -> dict[str, object]:
    """The record's new moment, as a change; none for a row that tells of no state.

    A row that says what is stored already, without a later moment, may come from a newer state that says the same
    again. The moment then grows by a step, so that what others have read in between is not taken for newer.
    """
    known: datetime | None = stored.get(FIELD)
    if row.source_modified is None:
        return {}
    if known is not None and row.source_modified <= known:
        return {FIELD: known + STEP}
    return {FIELD: row.source_modified}
