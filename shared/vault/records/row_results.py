"""What one row of a record call came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.vault.errors import ApiError

NEWER_STORED = "A state of the source record that is as new or newer is stored - record not updated"

CREATED = "created__sys"
UPDATED = "updated__sys"


@dataclass(slots=True)
class RowResult:
    """The outcome of one row, in input order; a row with errors changed nothing.

    ``event`` is ``created__sys`` or ``updated__sys``; ``warning`` is set on a row whose values
    were already stored (``NO_DATA_CHANGES``). ``newer`` is the source state that is stored, on a row that
    was left out because it may tell of an older one (``NEWER_SOURCE_STATE``).
    """

    id: str | None = None
    event: str | None = None
    id_param_value: str | None = None
    errors: tuple[ApiError, ...] = ()
    warning: str | None = None
    newer: datetime | None = None

    @property
    def ok(self) -> bool:
        """Whether the row was carried out."""
        return not self.errors
