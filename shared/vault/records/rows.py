"""Rows on their way in: every key checked against its object, every value turned into its column's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import ApiError
from shared.vault.records.lineage_entries import RowLineage

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


class UnchangedFields(StrEnum):
    """What to do with a field of an update whose value is stored already."""

    ALWAYS_IGNORE = "AlwaysIgnore"  # also one that may not be set
    IGNORE_SET_ON_CREATE_ONLY = "IgnoreSetOnCreateOnly"  # also the object type
    NEVER_IGNORE = "NeverIgnore"  # written again


@dataclass(frozen=True, slots=True)
class WriteMode:
    """The mode of one record call; ``no_triggers`` counts in migration mode only."""

    migration: bool = False
    no_triggers: bool = False
    unchanged: UnchangedFields = UnchangedFields.IGNORE_SET_ON_CREATE_ONLY
    type_change: bool = False

    @property
    def may_change_type(self) -> bool:
        """Whether a record may get another object type."""
        return self.type_change or self.migration

    @property
    def triggers(self) -> bool:
        """Whether the rules of the object's own run."""
        return not (self.migration and self.no_triggers)


NORMAL = WriteMode()


TYPE_CHANGE = WriteMode(type_change=True)


def authorize_mode(caller: Caller, mode: WriteMode) -> None:
    """Refuse migration mode to a caller without the permission; raises VaultFault INSUFFICIENT_ACCESS."""
    if mode.migration:
        authorize(caller, Grant.RECORD_MIGRATION)


MAX_ROWS = 500


@dataclass(slots=True)
class Row:
    """One row of a call: its column values so far, and its references still to be looked up."""

    index: int
    values: dict[str, object] = field(default_factory=dict)
    lookups: dict[str, tuple[str, object]] = field(
        default_factory=dict
    )  # field → (unique field, key)
    guarded: dict[str, object] = field(
        default_factory=dict
    )  # fields that may be named, but not changed
    source_modified: datetime | None = (
        None  # which state of its source record the row tells of
    )
    newer: datetime | None = (
        None  # the stored state, when the row may tell of an older one
    )
    lineage: RowLineage | None = None  # where the row comes from
    changed: frozenset[str] = (
        frozenset()
    )  # of a row with lineage, the fields that it has changed or set first
    errors: list[ApiError] = field(default_factory=list)
    key: object = None
    id: str | None = None
    event: str | None = None
    warning: str | None = None

    def fail(self, error_type: ErrorType, message: str) -> None:
        """Record why this row cannot be carried out."""
        self.errors.append(ApiError(error_type, message))

    def result(self) -> RowResult:
        """What this row came to."""
        key = None if self.key is None else str(self.key)
        if self.errors:
            return RowResult(id=self.id, id_param_value=key, errors=tuple(self.errors))
        return RowResult(
            id=self.id,
            event=self.event,
            id_param_value=key,
            warning=self.warning,
            newer=self.newer,
        )
