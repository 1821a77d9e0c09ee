"""Checks rows against rules on source states, lineage, status and unique fields; defines the triggers of objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text, next_moment
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import Grant, authorize, authorize_copying
from shared.vault.components.platform import SOURCE_MODIFIED
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Field, RelationshipType, VaultObject
from shared.vault.records import record_statements as statements
from shared.vault.records.lineage_entries import HEADER
from shared.vault.records.rows import check_guarded

if TYPE_CHECKING:
    from datetime import datetime

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.errors import ApiError
    from shared.vault.records.lineage_entries import CallLineage
    from shared.vault.records.rows import Change, NewRow, Row, WriteMode
    from shared.vault.storage.database import Connection

FIELD = SOURCE_MODIFIED.name
MODIFIED_DATE = "modified_date__v"
STATUS, ACTIVE = "status__v", "active__v"
PLATFORM = "__sys"
LEFT_OUT_MARK = timedelta(microseconds=1)

ALWAYS_RULED = frozenset(
    {"user__sys", "connection__sys", "exception_message__sys", "exception_item__sys"}
)
"""Objects whose rules protect the Vault itself: they hold for calls without triggers too."""


class RaceLost(Exception):
    """Raised when another transaction has stored the same unique value meanwhile: the unit of work starts again."""


# Which record a row names.


def keys_of(
    rows: Iterable[Mapping[str, object]], key: Field
) -> list[dict[str, object]]:
    """Return the rows of a deletion with their key alone; a file of records may be sent as it is, with more columns."""
    return [{k: v for k, v in row.items() if k == key.name} for row in rows]


def fail_unnamed(
    rows: Sequence[Row],
    stored: Mapping[object, Record],
    key: Field,
    ids: Sequence[object] = (),
) -> None:
    """Fail rows without a stored record, and rows that repeat the record of an earlier row without errors.

    With ``ids``, an id for each row, also fail rows whose record has another id than the row.
    """
    seen: set[object] = set()
    for row in rows:
        if row.errors:
            continue
        record = stored.get(row.key)
        if record is None:
            row.fail(ErrorType.INVALID_DATA, f"No record has this [{key.name}]")
            continue
        check_guarded(row, record)
        if ids and str(ids[row.index] or record["id"]) != record["id"]:
            message = f"The record with this [{key.name}] has another [id]"
            row.fail(ErrorType.INVALID_DATA, message)
        if row.errors:
            continue
        if row.key in seen:
            row.fail(ErrorType.INVALID_DATA, f"[{key.name}] is repeated in this call")
        seen.add(row.key)


def fail_overtaken(
    rows: Sequence[Row],
    stored: Mapping[object, Record],
    unchanged_since: str | None,
) -> None:
    """Fail rows whose record was changed after ``unchanged_since``, the modified date that the caller has read.

    Without ``unchanged_since``, no row fails.
    """
    if unchanged_since is None:
        return
    for row in rows:
        if (
            row.errors
            or date_time_text(stored[row.key][MODIFIED_DATE]) == unchanged_since
        ):
            continue
        row.fail(ErrorType.RACE_CONDITION, "The record was changed after it was read")


def refuse_repeated_keys(rows: Sequence[Row], key: Field) -> None:
    """Check that no two rows of an upsert have the same key, for their order would decide the outcome.

    :raises VaultFault: INVALID_DATA when two rows have the same key.
    """
    keys = [row.key for row in rows if row.key is not None]
    distinct = set(keys)
    if len(distinct) != len(keys):
        message = f"[{key.name}] is repeated in this call"
        raise VaultFault(ErrorType.INVALID_DATA, message)


# Where a row comes from.


def check_lineage(
    caller: Caller,
    rows: Sequence[Row],
    call: CallLineage | None,
) -> None:
    """Fail rows whose lineage names an origin that the call does not have.

    :raises VaultFault: INSUFFICIENT_ACCESS when the call has lineage and the caller may not copy records.
    """
    if call is not None:
        authorize_copying(caller)
    known = len(call.origins) if call else 0
    for row in rows:
        if row.lineage is not None and row.lineage.origin >= known:
            row.fail(
                ErrorType.INVALID_DATA,
                f"The header {HEADER} has no origin {row.lineage.origin}",
            )


# Which state of its source record a row comes from. A connection that copies records sends, beside a row's values,
# when the source record was last modified. That time is stored with the record and only grows. A row that would change
# values without a later time is left out, and its result names the stored time: the sender reads the source again,
# which then is the newer state, and sends it with a time just after the stored one. That a row was left out is noted by
# a microsecond of the stored time: rows of equal values have to be written only then.


def authorize_states(caller: Caller, rows: Sequence[Row]) -> None:
    """Check that the caller may send source modified dates, if a row has one.

    :raises VaultFault: INSUFFICIENT_ACCESS unless the caller may copy records.
    """
    if any(row.source_modified is not None for row in rows):
        authorize(caller, Grant.COPY_RECORDS)


def newer_stored(
    row: Row,
    stored: Record,
    changes: Mapping[str, object],
) -> datetime | None:
    """Return the stored source time if the row's source time is not later; None when the row is to be written.

    A row with the same time counts as older, since it may come from either state. A row without a source time, or
    without changes, is not compared.
    """
    if row.source_modified is None or not changes:
        return None
    known: datetime | None = stored[FIELD]
    return known if known is not None and row.source_modified <= known else None


def new_source_time(row: Row, stored: Record) -> dict[str, object]:
    """Return the record's new source time as a change; none for a row without a source time, or without a later one.

    A row with the stored values, but without a later time, may come from a newer state that has these values, too. If
    another row was left out before, its sender may have read a state in between: the time then grows by a step, so that
    this state does not count as newer.
    """
    known: datetime | None = stored.get(FIELD)
    if row.source_modified is None:
        return {}
    if known is None or row.source_modified > known:
        return {FIELD: row.source_modified}
    if not _is_marked(known):
        return {}
    settled = known.replace(microsecond=known.microsecond // 1000 * 1000)
    return {FIELD: next_moment(settled)}


def left_out_mark(newer: datetime) -> dict[str, object]:
    """Return the change that marks a record for which a row was left out by its source time; none if it is marked."""
    # Less than the API's resolution: for clients the time is the same.
    return {} if _is_marked(newer) else {FIELD: newer + LEFT_OUT_MARK}


def _is_marked(known: datetime) -> bool:
    """Return whether a stored source time has the mark that a row was left out."""
    return known.microsecond % 1000 > 0


# Status: new records are active, and parents change theirs one by one.


def rules_status(
    caller: Caller,
    target: VaultObject,
    mode: WriteMode,
) -> bool:
    """Return whether status rules apply: not in migration mode, on platform objects, or to calls of the Vault."""
    exempt = mode.migration or target.name.endswith(PLATFORM) or caller == SYSTEM
    return not exempt


def refuse_inactive(rows: Sequence[Row]) -> None:
    """Fail rows that would create a record that is not active."""
    for row in rows:
        # A row with lineage repeats a state that exists already in another Vault.
        if row.values.get(STATUS) not in (None, ACTIVE) and row.lineage is None:
            row.fail(
                ErrorType.OPERATION_NOT_ALLOWED,
                "Records are created inactive in migration mode only",
            )


def refuse_bulk_status(
    registry: Registry,
    target: VaultObject,
    rows: Sequence[Row],
    stored: Mapping[object, Record],
) -> None:
    """Fail rows that change the status of a record of a parent object, in a call with more than one row."""
    naming = [row for row in rows if STATUS in row.values and row.key in stored]
    naming = [row for row in naming if row.lineage is None]
    if len(rows) == 1 or not naming or not _is_parent(registry, target):
        return
    for row in naming:
        if stored[row.key][STATUS] != row.values[STATUS]:
            message = f"[{target.name}] is a parent object: a call changes the [{STATUS}] of one record"
            row.fail(ErrorType.OPERATION_NOT_ALLOWED, message)


def _is_parent(registry: Registry, target: VaultObject) -> bool:
    for child in registry.objects.values():
        for field in child.fields.values():
            is_parent = field.relationship_type is RelationshipType.PARENT
            if is_parent and field.object == target.name:
                return True
    return False


# Unique fields.


def fail_repeats(target: VaultObject, rows: Sequence[NewRow]) -> None:
    """Fail every new row that repeats a unique value of an earlier row without errors."""
    for field in statements.unique_fields(target):
        seen: set[object] = set()
        values = [row.values.get(field.name) for row in rows]
        # Hardly a call repeats one.
        if len(set(values)) == len(values):
            continue
        for row, value in zip(rows, values, strict=True):
            if row.errors or value is None:
                continue
            if value in seen:
                row.fail(ErrorType.OPERATION_NOT_ALLOWED, _taken(field))
            seen.add(value)


def in_key_order(target: VaultObject, rows: Sequence[NewRow]) -> list[NewRow]:
    """Return the rows in the order of their keys.

    Two calls that insert the same keys then cannot deadlock: the second one waits for the first.
    """
    names = [field.name for field in statements.unique_fields(target)]
    if not names:
        return list(rows)
    columns = [[str(row.values.get(name) or "") for row in rows] for name in names]
    keys = list(zip(*columns, strict=True))
    places = sorted(range(len(keys)), key=keys.__getitem__)
    return [rows[place] for place in places]


async def fail_taken(
    connection: Connection,
    target: VaultObject,
    changes: Sequence[Change],
) -> None:
    """Fail every change that sets a unique value which another record, or an earlier change, has."""
    for field in statements.unique_fields(target):
        setting = [c for c in changes if c.values.get(field.name) is not None]
        if not setting:
            continue
        values = [change.values[field.name] for change in setting]
        sql = statements.taken_statement(target, field)
        taken = await connection.fetch(sql, values)
        holders: dict[object, str] = {record["key"]: record["id"] for record in taken}
        for change in setting:
            value = change.values[field.name]
            if holders.setdefault(value, change.id) != change.id:
                change.fail(ErrorType.OPERATION_NOT_ALLOWED, _taken(field))


async def explain_refused(
    connection: Connection,
    target: VaultObject,
    rows: Sequence[NewRow],
    key: Field | None,
) -> None:
    """Fail each row that was not inserted, naming the unique field whose value is taken.

    :raises RaceLost: when the value is no longer taken, or is the upsert's ``key``, so that the row has to update a
        record.
    """
    for field in statements.unique_fields(target):
        values = [row.values.get(field.name) for row in rows]
        values = [value for value in values if value is not None]
        if not values:
            continue
        sql = statements.taken_statement(target, field)
        taken = await connection.fetch(sql, values)
        known = {record["key"] for record in taken}
        if known and key is not None and field.name == key.name:
            raise RaceLost
        for row in rows:
            if row.values.get(field.name) in known:
                row.fail(ErrorType.OPERATION_NOT_ALLOWED, _taken(field))
    if any(not row.errors for row in rows):
        raise RaceLost


def _taken(field: Field) -> str:
    return f"Another resource already exists with this value of unique field [{field.name}]"


# Rules of one object that its components cannot say: they run on every write, in its transaction.


class Trigger(Protocol):
    """Checks one record before it is updated or deleted; ``columns`` are the stored columns that it reads."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the stored record that the rules read."""

    def before_update(
        self,
        caller: Caller,
        stored: Record,
        changes: dict[str, object],
    ) -> ApiError | None:
        """Return an error to refuse the update, or None to allow it; may add to ``changes``."""

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Return an error to refuse the deletion, or None to allow it."""


@runtime_checkable
class Follower(Protocol):
    """A trigger that also acts after records have been updated, in the same transaction."""

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Act on updates: pairs of a record as it was stored before, and its changes."""


@runtime_checkable
class CreationFollower(Protocol):
    """A trigger that also acts after records have been created, in the same transaction."""

    async def after_create(
        self,
        connection: Connection,
        caller: Caller,
        ids: Sequence[str],
    ) -> None:
        """Act on the creation of the records with these ids."""


@runtime_checkable
class Preparer(Protocol):
    """A trigger that also checks records before they are created."""

    async def before_create(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[NewRow],
    ) -> None:
        """Add values to new records, or fail their rows."""
