"""Carries out the record calls (create, update, upsert, delete) by one write path, for one row and for five hundred."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import TABLE_CHANGED, UNIQUE_VALUE
from shared.vault.access.permissions import Operation
from shared.vault.components.document_model import VERSIONS
from shared.vault.configuration.component_locks import (
    ComponentsChanged,
    collecting_written_tables,
)
from shared.vault.configuration.component_service import TABLES_CHANGED
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import VaultObject
from shared.vault.model.field_types import table
from shared.vault.records import row_rules as rules
from shared.vault.records.lineage_entries import note_lineage
from shared.vault.records.new_records import (
    copy_sources,
    without_sources,
)
from shared.vault.records.record_roles import (
    HOLDERS,
    RoleColumns,
    RoleRow,
    read_roles,
    replace_roles,
    roles_of,
    split_roles,
)
from shared.vault.records.record_writes import Source, key_field
from shared.vault.records.row_rules import RaceLost
from shared.vault.records.rows import (
    NORMAL,
    RowResult,
    WriteMode,
    authorize_mode,
    lineage_of,
)
from shared.vault.records.single_creations import SingleCreations
from shared.vault.records.type_fields import TypeFields
from shared.vault.records.upsert_turns import in_turns

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.lineage_entries import CallLineage
    from shared.vault.records.rows import ResolvedRow
    from shared.vault.storage.database import Connection, OneTransaction

T = TypeVar("T")

# What is raised when another transaction has stored, or deleted, what this one has checked before.
RACES = (RaceLost, asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError)

# How the names of columns end that assign roles; so may the key of a reference by a unique field.
ROLE_COLUMNS = tuple(f".{holder}" for holder in sorted(HOLDERS))


@dataclass(frozen=True, slots=True)
class Refusals:
    """The reasons why a record cannot be updated or deleted; None where no reason is known."""

    update: ApiError | None = None
    delete: ApiError | None = None


class RecordService(SingleCreations):
    """Carries out the record calls of the API, each in a transaction; faults of a call as a whole are raised."""

    def within(
        self, transaction: OneTransaction, components: ComponentService
    ) -> RecordService:
        """Return this service bound to one transaction, with the components as that transaction reads them."""
        own = copy.copy(self)
        own._database, own._components = transaction, components  # noqa: SLF001  a copy of itself
        own._alone = False  # noqa: SLF001
        # Readers are made of the components as they are outside of the transaction.
        own._readers, own._readers_of = {}, None  # noqa: SLF001
        return own

    async def create(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        *,
        mode: WriteMode = NORMAL,
        lineage: CallLineage | None = None,
    ) -> list[RowResult]:
        """Create records and return results in input order; ``lineage`` has the origins of the rows.

        :raises VaultFault: for the call as a whole, as ``target`` does; RACE_CONDITION.
        """
        if mode == NORMAL and lineage is None:
            created = await self.create_alone(caller, object_name, rows)
            if created is not None:
                return [created]

        async def work(connection: Connection) -> list[RowResult]:
            return await self.create_in(
                connection, caller, object_name, rows, mode=mode, lineage=lineage
            )

        return await self.carry_out(work, object_name)

    async def create_in(
        self,
        connection: Connection,
        caller: Caller,
        object_name: str,
        rows: Source,
        *,
        mode: WriteMode = NORMAL,
        lineage: CallLineage | None = None,
    ) -> list[RowResult]:
        """Create records in a transaction that ``carry_out`` has begun, and return results in input order.

        :raises VaultFault: for the call as a whole, as ``target`` does.
        """
        authorize_mode(caller, mode)
        target = self.target(caller, object_name, rows, Operation.CREATE)
        plain, sources = without_sources(rows)
        read = self.reader(target, mode, caller).read(plain)
        rules.authorize_states(caller, read)
        rules.check_lineage(caller, read, lineage)
        if rules.rules_status(caller, target, mode):
            # Before copying: a copy may take over any status of its source.
            rules.refuse_inactive(read)
        batch = self.batch(connection, caller, target, mode)
        types = TypeFields(self._components.registry, target)
        read = await copy_sources(connection, caller, target, read, sources, types)
        resolved = await batch.resolve(read)
        outcomes = await self.insert(batch, resolved)
        origins = lineage_of(outcomes)
        await note_lineage(connection, object_name, origins, lineage)
        return [*outcomes]

    async def update(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str | None = None,
        *,
        mode: WriteMode = NORMAL,
        lineage: CallLineage | None = None,
        unchanged_since: str | None = None,
    ) -> list[RowResult]:
        """Update records named by ``id`` or by a unique field; of rows that name one record, all but the first fail.

        ``unchanged_since`` is the modified date of the records as the caller has read them: a record that was changed
        later fails with RACE_CONDITION.

        :raises VaultFault: for the call as a whole, as ``target`` does; RACE_CONDITION.
        """

        async def work(connection: Connection) -> list[RowResult]:
            authorize_mode(caller, mode)
            target = self.target(caller, object_name, rows, Operation.EDIT)
            key = key_field(target, id_param)
            registry = self._components.registry
            plain, columns = _without_roles(rows, registry)
            read = self.reader(target, mode, caller).read(plain, key)
            rules.authorize_states(caller, read)
            rules.check_lineage(caller, read, lineage)
            batch = self.batch(connection, caller, target, mode)
            resolved = await batch.resolve(read)
            # Every update pays for a column: it is read where somebody asks for it.
            also = () if unchanged_since is None else (rules.MODIFIED_DATE,)
            stored = await batch.lock(resolved, key, *also)
            rules.fail_unnamed(resolved, stored, key)
            rules.fail_overtaken(resolved, stored, unchanged_since)
            if rules.rules_status(caller, target, mode):
                rules.refuse_bulk_status(registry, target, resolved, stored)
            roles = await _assigned_roles(connection, resolved, columns)
            outcomes = await batch.update(resolved, stored, warn_unchanged=True)
            if roles:
                outcomes = await replace_roles(
                    connection,
                    registry,
                    caller,
                    object_name,
                    outcomes,
                    roles,
                )
            origins = lineage_of(outcomes)
            await note_lineage(connection, object_name, origins, lineage)
            return [*outcomes]

        return await self.carry_out(work, object_name)

    async def upsert(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str,
        *,
        mode: WriteMode = NORMAL,
        lineage: CallLineage | None = None,
        repeats: bool = False,
    ) -> list[RowResult]:
        """Create or update records by a unique field; a key that occurs twice fails the whole call.

        With ``repeats``, keys may occur again: later rows update what earlier ones have stored.

        :raises VaultFault: for the call as a whole, as ``target`` and ``upsert_in`` do; RACE_CONDITION.
        """

        async def work(connection: Connection) -> list[RowResult]:
            authorize_mode(caller, mode)
            target = self.target(
                caller,
                object_name,
                rows,
                Operation.CREATE,
                Operation.EDIT,
            )
            turns = in_turns(rows, id_param) if repeats else [range(len(rows))]
            results: dict[int, RowResult] = {}
            for turn in turns:
                written = await self.upsert_in(
                    connection,
                    caller,
                    target,
                    [rows[place] for place in turn],
                    id_param,
                    mode=mode,
                    lineage=lineage,
                )
                results |= zip(turn, written, strict=True)
            return [results[place] for place in range(len(rows))]

        return await self.carry_out(work, object_name)

    async def delete(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str | None = None,
        *,
        mode: WriteMode = NORMAL,
    ) -> list[RowResult]:
        """Delete records named by ``id`` or by a unique field; a row may have both, and other columns are ignored.

        :raises VaultFault: for the call as a whole, as ``target`` does; RACE_CONDITION.
        """

        async def work(connection: Connection) -> list[RowResult]:
            authorize_mode(caller, mode)
            target = self.target(caller, object_name, rows, Operation.DELETE)
            key = key_field(target, id_param)
            return await self.delete_rows(connection, caller, target, rows, key, mode)

        return await self.carry_out(work, object_name)

    async def state_of(self, target: VaultObject, record_id: str) -> str | None:
        """Return the lifecycle state of a record, None without a lifecycle.

        :raises VaultFault: INVALID_DATA when there is no such record.
        """
        state = "state__v" if target.lifecycle else "NULL::text"
        sql = f"SELECT {state} AS state FROM {table(target.name)} WHERE id = $1"
        record = None
        # PostgreSQL takes no text with NUL, and no stored id has one.
        if "\x00" not in record_id:
            async with self._database.connection() as connection:
                record = await connection.fetchrow(sql, record_id)
        if record is None:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")
        found: str | None = record["state"]
        return found

    async def refusals(
        self, caller: Caller, target: VaultObject, record_id: str
    ) -> Refusals:
        """Return the errors with which the rules of a record's object refuse every update of it, and its deletion."""
        trigger = self._triggers.get(target.name)
        if trigger is None:
            return Refusals()
        known = (name for name in trigger.columns if name in target.fields)
        columns = ", ".join(["id", *known])
        sql = f"SELECT {columns} FROM {table(target.name)} WHERE id = $1"
        async with self._database.connection() as connection:
            stored = await connection.fetchrow(sql, record_id)
        if stored is None:
            return Refusals()
        # A change of nothing is refused by what stands against all changes.
        update = trigger.before_update(caller, stored, {})
        return Refusals(update, trigger.before_delete(caller, stored))

    async def carry_out(
        self,
        work: Callable[[Connection], Awaitable[T]],
        *names: str,
    ) -> T:
        """Run the unit of work in a transaction that locks the components of the named objects; return its result.

        The unit reads the components itself. It runs again, on newly stored data, when another transaction won a race,
        or changed components of other tables that the unit has written; the next attempt locks these tables, too.

        :raises VaultFault: RACE_CONDITION when every attempt loses a race; and whatever ``work`` raises.
        """
        # A name that no object has is refused by the unit itself.
        known = {VERSIONS, *self._components.registry.objects}.intersection(names)
        locked = {table(name) for name in known}
        races = changes = 0
        while races < UNIQUE_VALUE.attempts:
            try:
                return await self._attempt(work, locked)
            except RACES:
                races += 1
            except ComponentsChanged:
                continue
            except TABLES_CHANGED:
                # A table that others have changed, which this unit has not locked.
                changes += 1
                if changes == TABLE_CHANGED.attempts:
                    raise
                await self._components.load()
        raise VaultFault(
            ErrorType.RACE_CONDITION,
            "The records are being changed by someone else at this moment",
        )

    async def _attempt(
        self,
        work: Callable[[Connection], Awaitable[T]],
        locked: set[str],
    ) -> T:
        """Run the unit of work once, and return its result; ``locked`` gains the tables that the unit has written.

        :raises ComponentsChanged: components of a table that was not locked were changed.
        """

        async def locking(connection: Connection) -> T:
            revision = await self._components.lock_for_writing(connection, locked)
            result = await work(connection)
            if not written <= locked:
                await self._components.confirm(connection, revision)
            return result

        with collecting_written_tables() as written:
            try:
                return await self._database.unit_of_work(locking)
            finally:
                locked |= written


def _without_roles(
    rows: Source, registry: Registry
) -> tuple[Source, Sequence[RoleColumns]]:
    """Return the rows without their role columns, and the role columns of each row; none where no row has any."""
    names: set[str] = set().union(*rows)
    if not any(name.endswith(ROLE_COLUMNS) for name in names):
        return rows, ()
    # The reader knows fields only: to it, role columns would be unknown ones.
    return split_roles(rows, roles_of(registry))


async def _assigned_roles(
    connection: Connection,
    rows: Sequence[ResolvedRow],
    columns: Sequence[RoleColumns],
) -> list[RoleRow]:
    """Return the roles that each row assigns; those that cannot be assigned are errors of the rows."""
    if not columns:
        return []
    # A refused row assigns nothing, and whom it names is not looked up.
    wanted = [
        {} if row.errors else assigned
        for row, assigned in zip(rows, columns, strict=True)
    ]
    roles = await read_roles(connection, wanted)
    for row, asked in zip(rows, roles, strict=True):
        row.errors += asked.errors
    return roles
