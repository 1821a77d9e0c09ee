"""Unique fields of a batch: which rows repeat a value of this call, and which one that is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import Field, VaultObject
from shared.vault.records import write_statements as statements

if TYPE_CHECKING:
    from shared.vault.records.rows import Row
    from shared.vault.storage.database import Connection


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
