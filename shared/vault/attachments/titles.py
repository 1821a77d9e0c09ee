"""What a record is called in the name of a file made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.components.schema import table
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection


async def record_title(
    connection: Connection, registry: Registry, target: VaultObject, record_id: str
) -> str:
    """The label of the record's type, or of its object, and its name; raises VaultFault ``INVALID_DATA``."""
    columns = (
        "name__v, object_type__v"
        if target.allow_types
        else "name__v, NULL AS object_type__v"
    )
    sql = f"SELECT {columns} FROM {table(target.name)} WHERE id = $1"
    record = None if "\x00" in record_id else await connection.fetchrow(sql, record_id)
    if record is None:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")
    labels = {
        registry.object_type_id(t.object, t.name): t.label
        for t in registry.types_of(target.name).values()
    }
    return f"{labels.get(record['object_type__v'], target.label)} {record['name__v']}"
