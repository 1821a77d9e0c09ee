"""Merges one record into another, within the transaction of the calling function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import on_behalf_of
from shared.vault.access.permissions import Operation, may
from shared.vault.bulk.tree_jobs import parts
from shared.vault.components.schema import quote, table
from shared.vault.errors import VaultFault
from shared.vault.files.attachment_table import move
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.rows import REDIRECTING, RowResult

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.named_actions import RecordChanges
    from shared.vault.storage.database import Connection

DUPLICATE, MAIN = "duplicate_record_id", "main_record_id"


@dataclass(frozen=True, slots=True)
class RecordMerge:
    """A merge of two records of an object in one transaction: ``duplicate`` and ``main`` as stored when it begins."""

    connection: Connection
    caller: Caller
    registry: Registry
    records: RecordChanges
    object: VaultObject
    duplicate: Record
    main: Record

    @classmethod
    async def begin(
        cls,
        connection: Connection,
        caller: Caller,
        registry: Registry,
        records: RecordChanges,
        target: VaultObject,
        ids: tuple[str, str],
    ) -> RecordMerge:
        """Lock both records, and return their merge; ``ids`` are those of the duplicate and of the main record.

        :raises VaultFault: INVALID_DATA when one of them does not exist.
        """
        # In the order of their ids, so that two merges cannot block each other.
        sql = f"SELECT * FROM {table(target.name)} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
        rows = await connection.fetch(sql, list(ids))
        found = {row["id"]: row for row in rows}
        for parameter, record_id in zip((DUPLICATE, MAIN), ids, strict=True):
            if record_id not in found:
                message = f"[{parameter}] names no record of [{target.name}]"
                raise VaultFault(ErrorType.INVALID_DATA, message)
        duplicate, main = (found[record_id] for record_id in ids)
        return cls(
            connection,
            caller,
            registry,
            records,
            target,
            duplicate,
            main,
        )

    async def carry_out(self) -> None:
        """Move the references to the duplicate and its attachments to the main record; then delete the duplicate.

        :raises VaultFault: when a write is refused.
        """
        name = self.object.name
        for child, reference in _references(self.registry, name):
            await self._redirect(child, reference)
        duplicate = self.duplicate["id"]
        await move(self.connection, name, duplicate, self.main["id"])
        deleted = await self.records.delete_in(
            self.connection,
            self.caller,
            self.object,
            [duplicate],
        )
        raise_first(deleted, name)

    async def _redirect(self, child: VaultObject, field: Field) -> None:
        """Set a reference field of every record that names the duplicate to the main record."""
        # Users who may merge need no right to edit the records that refer to the duplicate:
        # keeping references whole is the Vault's own work.
        caller = on_behalf_of(self.caller)
        # The duplicate may refer to itself, and is deleted anyway.
        sql = f"SELECT id FROM {table(child.name)} WHERE {quote(field.name)} = $1 AND id <> $2 ORDER BY id"
        duplicate = self.duplicate["id"]
        rows = await self.connection.fetch(sql, duplicate, duplicate)
        changes = {field.name: self.main["id"]}
        for part in parts([row["id"] for row in rows]):
            changed = await self.records.change_in(
                self.connection,
                caller,
                child,
                part,
                {},
                changes,
                mode=REDIRECTING,
            )
            named = may(self.caller, child.name, Operation.READ)
            raise_first(changed, child.name, named=named)


MergeHandler = Callable[[RecordMerge], Awaitable[None]]
"""Acts on a merge that has been carried out, in its transaction; what it raises undoes the merge."""


def _references(
    registry: Registry,
    object_name: str,
) -> Iterator[tuple[VaultObject, Field]]:
    """Yield the reference fields of all objects that refer to this one, each with its object."""
    for other in registry.objects.values():
        for field in other.fields.values():
            if field.type is FieldType.OBJECT and field.object == object_name:
                yield other, field


def raise_first(
    rows: Sequence[RowResult],
    object_name: str,
    *,
    named: bool = True,
) -> None:
    """Raise the first error of the rows; its message has the record's id if ``named``.

    :raises VaultFault: when a row has one.
    """
    for row in rows:
        for error in row.errors:
            record = f" {row.id or row.id_param_value}" if named else ""
            message = f"[{object_name}]{record}: {error.message}"
            raise VaultFault(error.type, message)
