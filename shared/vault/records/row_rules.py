"""Unique fields of a batch: which rows repeat a value of this call, and which one that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import Grant, authorize
from shared.vault.components.platform import SOURCE_MODIFIED
from shared.vault.model.component_model import Field, VaultObject
from shared.vault.records import write_statements as statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.errors import ApiError
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_batch import Batch
    from shared.vault.records.rows import Row
    from shared.vault.storage.database import Connection


STATUS, ACTIVE = "status__v", "active__v"


PLATFORM = "__sys"


def refuse_inactive(batch: Batch, rows: Sequence[Row]) -> None:
    """Fail rows that would create a record that is not active."""
    for row in rows:
        if row.values.get(STATUS) not in (None, ACTIVE) and _is_bound(batch, row):
            row.fail(
                ErrorType.OPERATION_NOT_ALLOWED,
                "Records are created inactive in migration mode only",
            )


def refuse_bulk_status(
    batch: Batch, rows: Sequence[Row], stored: Mapping[object, Record]
) -> None:
    """Fail rows of a call of several that would change the status of a record whose object is a parent."""
    naming = [
        row
        for row in rows
        if STATUS in row.values and row.key in stored and _is_bound(batch, row)
    ]
    if len(rows) == 1 or not naming or not _is_parent(batch.registry, batch.object):
        return
    for row in naming:
        if stored[row.key][STATUS] != row.values[STATUS]:
            message = f"[{batch.object.name}] is a parent object: its [{STATUS}] is changed one record a call"
            row.fail(ErrorType.OPERATION_NOT_ALLOWED, message)


def _is_bound(batch: Batch, row: Row) -> bool:
    exempt = (
        batch.mode.migration
        or batch.object.name.endswith(PLATFORM)
        or batch.caller == SYSTEM
    )
    return not exempt and row.lineage is None


def _is_parent(registry: Registry, target: VaultObject) -> bool:
    return any(
        field.object == target.name and field.relationship_type == "parent"
        for child in registry.objects.values()
        for field in child.fields.values()
    )


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


class RaceLost(Exception):
    """Another transaction stored the same unique value meanwhile: the unit of work starts again."""


def fail_repeats(target: VaultObject, rows: Sequence[Row]) -> None:
    """Fail every new row with a unique value that an earlier good row has."""
    for field in statements.unique_fields(target):
        seen: set[object] = set()
        for row in rows:
            value = row.values.get(field.name)
            if row.errors or value is None:
                continue
            if value in seen:
                row.fail(ErrorType.OPERATION_NOT_ALLOWED, _taken(field))
            seen.add(value)


def in_key_order(target: VaultObject, rows: Sequence[Row]) -> list[Row]:
    """The rows in an order that every call uses: two that insert the same keys wait for each other, never both."""
    names = [field.name for field in statements.unique_fields(target)]
    return sorted(
        rows, key=lambda row: [str(row.values.get(name) or "") for name in names]
    )


async def fail_taken(
    connection: Connection, target: VaultObject, rows: Sequence[Row]
) -> None:
    """Fail every row that sets a unique value which another record, or an earlier row, has."""
    for field in statements.unique_fields(target):
        setting = [row for row in rows if row.values.get(field.name) is not None]
        if not setting:
            continue
        values = [row.values[field.name] for row in setting]
        taken = await connection.fetch(
            statements.taken_statement(target, field), values
        )
        holders: dict[object, str] = {record["key"]: record["id"] for record in taken}
        for row in setting:
            if holders.setdefault(row.values[field.name], row.id or "") != row.id:
                row.fail(ErrorType.OPERATION_NOT_ALLOWED, _taken(field))


async def explain_refused(
    connection: Connection, target: VaultObject, rows: Sequence[Row], key: Field | None
) -> None:
    """Say which unique field kept each row from being inserted.

    :raises RaceLost: the value has gone since, or it is the upsert's ``key`` and there is a record to update now.
    """
    for field in statements.unique_fields(target):
        values = [
            row.values[field.name]
            for row in rows
            if row.values.get(field.name) is not None
        ]
        if not values:
            continue
        taken = await connection.fetch(
            statements.taken_statement(target, field), values
        )
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


ALWAYS_RULED = frozenset({"user__sys", "connection__sys"})
"""Objects whose rules protect the Vault itself: they hold for calls without triggers too."""


class Trigger(Protocol):
    """Looks at one record before it is updated or deleted; ``columns`` are what it needs of the stored one."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the stored record that the rules look at."""

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Refuse the update with an error, or allow it; may add to ``changes``."""

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Refuse the deletion with an error, or allow it."""


@runtime_checkable
class Follower(Protocol):
    """A trigger that also does something once records have been updated, in the same transaction."""

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Follow updates: each record as it was stored, and its changes."""


@runtime_checkable
class CreationFollower(Protocol):
    """A trigger that also does something once records have been created, in the same transaction."""

    async def after_create(
        self, connection: Connection, caller: Caller, ids: Sequence[str]
    ) -> None:
        """Follow the creation of these records."""


@runtime_checkable
class Preparer(Protocol):
    """A trigger that also looks at records before they are created."""

    async def before_create(
        self, connection: Connection, caller: Caller, rows: Sequence[Row]
    ) -> None:
        """Add to the values of new records, or fail their rows."""
