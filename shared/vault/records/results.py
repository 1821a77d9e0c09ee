"""What one row of a record call came to."""

from __future__ import annotations

from dataclasses import dataclass

from shared.vault.errors import ApiError

CREATED = "created__sys"
UPDATED = "updated__sys"


@dataclass(slots=True)
class RowResult:
    """The outcome of one row, in input order; a row with errors changed nothing.

    ``event`` is ``created__sys`` or ``updated__sys``; ``warning`` is set on a row whose values
    were already stored (``NO_DATA_CHANGES``).
    """

    id: str | None = None
    event: str | None = None
    id_param_value: str | None = None
    errors: tuple[ApiError, ...] = ()
    warning: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the row was carried out."""
        return not self.errors
