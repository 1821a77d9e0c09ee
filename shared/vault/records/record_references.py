"""References of a batch: every record they name is found with one statement per referenced object and key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.components.schema import quote, table
from shared.vault.model.component_model import FieldType, VaultObject
from shared.vault.records.field_values import column_type

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.rows import Row
    from shared.vault.storage.database import Connection


async def resolve_references(
    connection: Connection,
    registry: Registry,
    target: VaultObject,
    caller: Caller,
    rows: Sequence[Row],
) -> None:
    """Turn references by key into ids and check that every id exists; rows that fail get an error.

    Only who may read the records of an object may find them by a key.
    """
    _refuse_unreadable(target, caller, rows)
    wanted = _wanted(target, rows)
    found: dict[tuple[str, str], dict[object, str]] = {}
    for (object_name, key_field), keys in wanted.items():
        referenced = registry.objects[object_name]
        kind = column_type(referenced.fields[key_field])
        sql = (
            f"SELECT id, {quote(key_field)} AS key FROM {table(object_name)} "
            f"WHERE {quote(key_field)} = ANY($1::{kind}[])"
        )
        records = await connection.fetch(sql, list(keys))
        found[object_name, key_field] = {
            record["key"]: record["id"] for record in records
        }
    for row in rows:
        _apply(target, row, found)


def _refuse_unreadable(
    target: VaultObject, caller: Caller, rows: Sequence[Row]
) -> None:
    for row in rows:
        for name in [
            name
            for name in row.lookups
            if not may(caller, target.fields[name].object or "", Operation.READ)
        ]:
            del row.lookups[name]
            row.fail(
                ErrorType.INSUFFICIENT_ACCESS,
                f"The records that field [{name}] refers to may not be read",
            )


def _wanted(
    target: VaultObject, rows: Sequence[Row]
) -> dict[tuple[str, str], set[object]]:
    references = [
        f for f in target.fields.values() if f.type is FieldType.OBJECT and f.object
    ]
    wanted: dict[tuple[str, str], set[object]] = defaultdict(set)
    for field in references:
        for row in rows:
            identifier = row.values.get(field.name)
            if identifier is not None:
                wanted[field.object or "", "id"].add(identifier)
            elif field.name in row.lookups:
                unique, key = row.lookups[field.name]
                wanted[field.object or "", unique].add(key)
    return wanted


def _apply(
    target: VaultObject, row: Row, found: dict[tuple[str, str], dict[object, str]]
) -> None:
    for name, value in row.values.items():
        field = target.fields[name]
        if (
            field.type is FieldType.OBJECT
            and value is not None
            and value not in found[field.object or "", "id"]
        ):
            row.fail(
                ErrorType.INVALID_DATA,
                f"Field [{name}] refers to no record of [{field.object}]",
            )
    for name, (unique, key) in row.lookups.items():
        field = target.fields[name]
        identifier = found[field.object or "", unique].get(key)
        if identifier is None:
            message = f"Field [{field.relationship_outbound_name}.{unique}] matches no record of [{field.object}]"
            row.fail(ErrorType.INVALID_DATA, message)
        else:
            row.values[name] = identifier
