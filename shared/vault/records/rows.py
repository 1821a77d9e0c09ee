"""Defines the stages of a row of a record call: read, resolved, new or changed, and accepted or refused.

A row goes one way: ``ReadRow`` → ``ResolvedRow`` → ``NewRow`` or ``Change`` → ``Accepted`` or ``Refused``. Each part of
the write path takes rows of one stage and returns those of the next. A row that breaks a rule gains an error and never
loses one; rows with errors take part in no further writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import ApiError, RowErrors, VaultFault
from shared.vault.records.lineage_entries import LineageEntry, RowLineage

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller

# As many as the record calls of Vault take.
MAX_ROWS = 500
CREATED = "created__sys"
UPDATED = "updated__sys"
# Only in brief results, which public clients do not ask for.
STORED_BEFORE = "unchanged__sys"
NEWER_STORED = "The stored state of the source record is not older - record not updated"
NOTHING: frozenset[str] = frozenset()


def too_many_rows(most: int = MAX_ROWS) -> VaultFault:
    """Return the fault of a call with more than ``most`` rows, in whatever format they were sent."""
    return VaultFault(ErrorType.INVALID_DATA, f"A call takes at most {most} rows")


class UnchangedFields(StrEnum):
    """The treatment of a field in an update that sends the stored value again."""

    ALWAYS_IGNORE = "AlwaysIgnore"  # also one that may not be set
    IGNORE_SET_ON_CREATE_ONLY = "IgnoreSetOnCreateOnly"  # also the object type
    NEVER_IGNORE = "NeverIgnore"  # written again

    @property
    def written(self) -> bool:
        """Return whether a value that is stored already is written again."""
        match self:
            case UnchangedFields.NEVER_IGNORE:
                return True
            case (
                UnchangedFields.ALWAYS_IGNORE
                | UnchangedFields.IGNORE_SET_ON_CREATE_ONLY
            ):
                return False
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class WriteMode:
    """The mode of one record call; ``no_triggers`` has an effect in migration mode only.

    With ``redirecting``, the Vault itself moves references from one record to another: rules about what users may
    change do not apply.
    """

    migration: bool = False
    no_triggers: bool = False
    unchanged: UnchangedFields = UnchangedFields.IGNORE_SET_ON_CREATE_ONLY
    type_change: bool = False
    redirecting: bool = False

    @property
    def may_change_type(self) -> bool:
        """Return whether the call may change the object type of records."""
        return self.type_change or self.migration

    @property
    def triggers(self) -> bool:
        """Return whether the triggers of the object run."""
        return not (self.migration and self.no_triggers)


# What a call without special headers gets.
NORMAL = WriteMode()
TYPE_CHANGE = WriteMode(type_change=True)
REDIRECTING = WriteMode(redirecting=True)


def authorize_mode(caller: Caller, mode: WriteMode) -> None:
    """Check that the caller may use the mode.

    :raises VaultFault: INSUFFICIENT_ACCESS for migration mode without the permission.
    """
    if mode.migration:
        authorize(caller, Grant.RECORD_MIGRATION)


# Not frozen: to make a frozen one takes twice as long, and a call makes hundreds.
@dataclass(slots=True)
class RowResult:
    """The outcome of one row, in input order; a row with errors changed nothing.

    ``event`` is ``created__sys`` or ``updated__sys``; ``warning`` is set on a row whose values
    were already stored (``NO_DATA_CHANGES``). ``newer`` is the stored source time, on a row that was
    left out because it may come from an older state (``NEWER_SOURCE_STATE``).
    """

    id: str | None = None
    event: str | None = None
    id_param_value: str | None = None
    errors: tuple[ApiError, ...] = ()
    warning: str | None = None
    newer: datetime | None = None

    @property
    def ok(self) -> bool:
        """Return whether the row was carried out."""
        return not self.errors

    @property
    def overtaken(self) -> bool:
        """Return whether somebody else has changed the record after the caller had read it."""
        return any(error.type is ErrorType.RACE_CONDITION for error in self.errors)


@dataclass(slots=True)
class Accepted(RowResult):
    """A row that was carried out, with its lineage and the fields that it has changed.

    ``stored_before`` is set on a row whose values were all stored already.
    """

    id: str
    lineage: RowLineage | None = None
    changed: frozenset[str] = NOTHING
    stored_before: bool = False


@dataclass(slots=True)
class Refused(RowResult):
    """A row that breaks rules, with an error for each; it changed nothing."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The value of a field that callers may send only while the record has it, and the error for any other.

    ``parts``: of a picklist's value, the names that the record has to have among its own; None for the whole value.
    """

    value: object
    error: ApiError
    parts: frozenset[str] | None = None

    def permits(self, stored: object) -> bool:
        """Return whether the record has the value, or its ``parts``."""
        if self.parts is None:
            return stored == self.value
        return self.parts <= set(str(stored).split(","))


@dataclass(slots=True)
class Row(RowErrors):
    """A row before it is written, at any stage: the caller's values, and the rules that it breaks.

    ``index`` is its position in the call. ``key`` is the value that names its record, None where the call creates
    records. ``guarded`` are fields that may be sent only with what the record has. ``source_modified`` is the modified
    date of the source record when the row was read from it.
    """

    index: int
    key: object = None
    values: dict[str, object] = field(default_factory=dict)
    guarded: dict[str, Guard] = field(default_factory=dict)
    source_modified: datetime | None = None
    lineage: RowLineage | None = None

    def accepted(self, record_id: str) -> Accepted:
        """Return the row as accepted, without an event."""
        return Accepted(id=record_id, id_param_value=_text(self.key))

    def refused(self, record_id: str | None = None) -> Refused:
        """Return the row as refused with its errors; ``record_id`` is the id of its record, if known."""
        return Refused(
            id=record_id,
            id_param_value=_text(self.key),
            errors=tuple(self.errors),
        )


@dataclass(slots=True)
class ReadRow(Row):
    """A row after reading: its values are checked against their fields, its references by key are not yet resolved.

    ``lookups``: name of a reference field → unique field of the referenced object, and the value of that field.
    """

    lookups: dict[str, tuple[str, object]] = field(default_factory=dict)


@dataclass(slots=True)
class ResolvedRow(Row):
    """A row whose references are all ids of existing records."""


@dataclass(slots=True)
class NewRow(Row):
    """A row about to be inserted; the object's rules and the Vault add to its ``values``.

    ``sent`` are the fields for which the caller sent a value that is not empty.
    """

    sent: frozenset[str] = NOTHING

    @classmethod
    def of(cls, row: ResolvedRow) -> NewRow:
        """Return a new row that begins with the values of a resolved one, which is not changed."""
        sent = [name for name, value in row.values.items() if value is not None]
        return cls(
            row.index,
            row.key,
            # A copy: an attempt that is undone is made again with the values as they were resolved.
            dict(row.values),
            row.guarded,
            row.source_modified,
            row.lineage,
            named_fields(tuple(sent)),
            errors=list(row.errors),
        )

    def created(self) -> Accepted:
        """Return the row as accepted, with the id in its values."""
        record_id = str(self.values["id"])
        key = _text(self.key)
        return Accepted(
            record_id, CREATED, key, lineage=self.lineage, changed=self.sent
        )


@dataclass(slots=True)
class Change:
    """A resolved row with the stored record that it names, and the values to write.

    ``changed`` are the fields of the row that differ from the record. ``values`` are their values at first; the
    object's rules may add others.
    """

    row: ResolvedRow
    stored: Record
    values: dict[str, object]
    changed: frozenset[str]

    @property
    def id(self) -> str:
        """Return the id of the stored record."""
        record_id: str = self.stored["id"]
        return record_id

    def fail(self, error_type: ErrorType, message: str) -> None:
        """Add the error of a rule that the row breaks."""
        self.row.fail(error_type, message)

    def refused(self) -> Refused:
        """Return the row as refused, with the id of its record."""
        return self.row.refused(self.id)

    def written(self) -> Accepted:
        """Return the row as accepted and written."""
        key, lineage = _text(self.row.key), self.row.lineage
        return Accepted(self.id, UPDATED, key, lineage=lineage, changed=self.changed)

    def left_out(self, newer: datetime) -> Accepted:
        """Return the row as accepted but not written; ``newer`` is the stored source time."""
        return Accepted(
            id=self.id,
            id_param_value=_text(self.row.key),
            warning=NEWER_STORED,
            newer=newer,
        )

    def unchanged(self, warning: str | None) -> Accepted:
        """Return the row as accepted; all its values were stored before."""
        key = _text(self.row.key)
        return Accepted(self.id, UPDATED, key, warning=warning, stored_before=True)


Outcome = Accepted | Refused


@lru_cache(maxsize=256)
def named_fields(names: tuple[str, ...]) -> frozenset[str]:
    """Return the names as a set; equal names of a call's rows give the same set object, so that comparing is fast."""
    return frozenset(names)


def check_guarded(row: Row, record: Record) -> None:
    """Fail a row that sends a guarded field with what its record does not permit; else take the value."""
    for name, guard in row.guarded.items():
        if name not in record or not guard.permits(record[name]):
            row.errors.append(guard.error)
        elif record[name] != guard.value:
            row.values[name] = guard.value


def with_unchanged(results: Sequence[RowResult]) -> list[RowResult]:
    """Return results with an event of their own for rows whose values were all stored already."""
    return [
        replace(result, event=STORED_BEFORE)
        if isinstance(result, Accepted) and result.stored_before
        else result
        for result in results
    ]


def in_order(rows: Iterable[Row], outcomes: Mapping[int, Outcome]) -> list[Outcome]:
    """Return outcomes by row index as a list in the order of the rows."""
    return [outcomes[row.index] for row in rows]


def lineage_of(outcomes: Iterable[Outcome]) -> list[LineageEntry]:
    """Return the lineage entries of accepted rows that have a lineage."""
    entries: list[LineageEntry] = []
    for outcome in outcomes:
        if isinstance(outcome, Refused) or outcome.lineage is None:
            continue
        # A row that changed nothing leaves the lineage of what is stored as it is.
        if outcome.changed:
            entry = LineageEntry(outcome.id, outcome.lineage, outcome.changed)
            entries.append(entry)
    return entries


def _text(key: object) -> str | None:
    return None if key is None else str(key)


def row_results(outcome: object) -> list[RowResult]:
    """Return the outcome of a unit of work of ``RecordService`` as results of rows, for ``also_in_unit_of_work``.

    :raises TypeError: when it is the outcome of another unit of work.
    """
    if not isinstance(outcome, list):
        message = "a unit of work of the records yields results of rows"
        raise TypeError(message)
    return outcome
