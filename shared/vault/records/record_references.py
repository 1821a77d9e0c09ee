"""Resolves the references of a batch: one statement for each referenced object and key finds all that rows name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.components.schema import quote, table
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.field_values import column_type
from shared.vault.records.rows import ReadRow, ResolvedRow

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

Found = Mapping[tuple[str, str], Mapping[object, str]]
"""By object and key field, the ids of records by their keys."""


async def resolve_references(
    connection: Connection,
    registry: Registry,
    target: VaultObject,
    caller: Caller,
    rows: Sequence[ReadRow],
) -> list[ResolvedRow]:
    """Return the rows with ids in place of keys; rows that refer to no record get an error.

    Callers who may not read the records of an object find none of them by a key: it would tell them which keys exist.
    """
    for row in rows:
        _refuse_unreadable(target, caller, row)
    found: dict[tuple[str, str], dict[object, str]] = {}
    for (object_name, key_field), keys in wanted_keys(target, rows).items():
        referenced = registry.objects[object_name].fields[key_field]
        name = quote(key_field)
        sql = (
            f"SELECT id, {name} AS key FROM {table(object_name)} "
            f"WHERE {name} = ANY($1::{column_type(referenced)}[])"
        )
        records = await connection.fetch(sql, list(keys))
        ids = {record["key"]: record["id"] for record in records}
        found[object_name, key_field] = ids
    return [resolved(target, row, found) for row in rows]


def _refuse_unreadable(
    target: VaultObject,
    caller: Caller,
    row: ReadRow,
) -> None:
    """Fail a row for each reference by key to records that the caller may not read, and drop that reference."""
    for name in list(row.lookups):
        if may(caller, target.fields[name].object or "", Operation.READ):
            continue
        del row.lookups[name]
        row.fail(
            ErrorType.INSUFFICIENT_ACCESS,
            f"The records that field [{name}] refers to may not be read",
        )


def wanted_keys(
    target: VaultObject, rows: Sequence[ReadRow]
) -> dict[tuple[str, str], set[object]]:
    """Return what the rows refer to: keys by referenced object and key field, ids among them."""
    wanted: dict[tuple[str, str], set[object]] = defaultdict(set)
    for field in target.fields.values():
        if not _is_reference(field):
            continue
        for row in rows:
            identifier = row.values.get(field.name)
            # A field is set by id or by key; reading has refused rows that do both.
            if identifier is not None:
                wanted[field.object or "", "id"].add(identifier)
            elif field.name in row.lookups:
                unique, key = row.lookups[field.name]
                wanted[field.object or "", unique].add(key)
    return wanted


def _is_reference(field: Field) -> bool:
    if field.type is not FieldType.OBJECT:
        return False
    return bool(field.object)


def resolved(
    target: VaultObject,
    row: ReadRow,
    found: Found,
) -> ResolvedRow:
    """Return a row with the ids of the records that it refers to, and an error for each that was not found."""
    following = ResolvedRow(
        index=row.index,
        key=row.key,
        values=dict(row.values),
        guarded=row.guarded,
        source_modified=row.source_modified,
        lineage=row.lineage,
        errors=list(row.errors),
    )
    for name, value in row.values.items():
        field = target.fields[name]
        if field.type is not FieldType.OBJECT or value is None:
            continue
        # Checked here because a broken foreign key would fail the whole batch, not the row.
        if value not in found[field.object or "", "id"]:
            following.fail(
                ErrorType.INVALID_DATA,
                f"Field [{name}] refers to no record of [{field.object}]",
            )
    for name, (unique, key) in row.lookups.items():
        field = target.fields[name]
        identifier = found[field.object or "", unique].get(key)
        if identifier is None:
            relationship = f"{field.relationship_outbound_name}.{unique}"
            message = f"Field [{relationship}] matches no record of [{field.object}]"
            following.fail(ErrorType.INVALID_DATA, message)
        else:
            following.values[name] = identifier
    return following
