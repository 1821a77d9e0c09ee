"""Records: create, update, upsert, delete, one write path for one row and for five hundred."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.components.schema import table
from shared.vault.configuration.component_service import ComponentsChanged
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.lineage_entries import check_lineage, note_lineage
from shared.vault.records.named_actions import ActionContext, NamedActions, RowsRefused
from shared.vault.records.new_records import IdAllocator, copy_sources, without_sources
from shared.vault.records.record_batch import Batch
from shared.vault.records.record_roles import (
    roles_of,
    split_roles,
    store_roles,
    wanted_roles,
)
from shared.vault.records.row_reader import RowReader
from shared.vault.records.row_rules import (
    ALWAYS_RULED,
    RaceLost,
    authorize_states,
    refuse_bulk_status,
    refuse_inactive,
)
from shared.vault.records.rows import MAX_ROWS, NORMAL, Row, WriteMode, authorize_mode

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import LifecycleState
    from shared.vault.records.lineage_entries import CallLineage
    from shared.vault.records.row_rules import Trigger
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection, Database, OneTransaction

Source = Sequence[Mapping[str, object]]
RACES = (RaceLost, asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError)
RACE_ATTEMPTS = 8


class RecordService:
    """The record calls of the API; errors of single rows are results, faults of the call are raised."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        triggers: Mapping[str, Trigger],
        actions: NamedActions,
        vault_id: int,
    ) -> None:
        self.actions = actions
        self._database = database
        self._components = components
        self._triggers = triggers
        self._vault_id = vault_id
        self._ids = IdAllocator()
        self._readers: dict[tuple[str, WriteMode], RowReader] = {}
        self._readers_of: Registry | None = None

    def within(
        self, transaction: OneTransaction, components: ComponentService
    ) -> RecordService:
        """The same service as a part of one transaction, with the components as that transaction sees them."""
        own = copy.copy(self)
        own._database, own._components = transaction, components  # noqa: SLF001  a copy of itself
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
        """Create records; results in input order. ``lineage`` tells where the rows come from that say so."""

        async def work(connection: Connection) -> list[Row]:
            authorize_mode(caller, mode)
            target = self.target(caller, object_name, rows, Operation.CREATE)
            plain, sources = without_sources(rows)
            read = self.reader(target, mode).read(plain)
            authorize_states(caller, read)
            check_lineage(caller, read, lineage)
            batch = self.batch(connection, caller, target, mode)
            refuse_inactive(batch, read)
            await copy_sources(connection, caller, target, read, sources)
            await batch.resolve(read)
            await self.insert(batch, [row for row in read if not row.errors])
            await note_lineage(connection, object_name, read, lineage)
            return read

        return await self.carry_out(work)

    async def update(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str | None = None,
        *,
        mode: WriteMode = NORMAL,
        lineage: CallLineage | None = None,
    ) -> list[RowResult]:
        """Update records named by ``id`` or by a unique field; a repeated name fails its repeats only."""

        async def work(connection: Connection) -> list[Row]:
            authorize_mode(caller, mode)
            target = self.target(caller, object_name, rows, Operation.EDIT)
            key = key_field(target, id_param)
            registry = self._components.registry
            plain, columns = split_roles(rows, roles_of(registry))
            read = self.reader(target, mode).read(plain, key)
            authorize_states(caller, read)
            check_lineage(caller, read, lineage)
            batch = self.batch(connection, caller, target, mode)
            await batch.resolve(read)
            stored = await batch.lock(read, key)
            fail_unnamed(read, stored, key)
            refuse_bulk_status(batch, read, stored)
            wanted = await wanted_roles(connection, read, columns)
            await batch.update(
                [row for row in read if not row.errors], stored, warn_unchanged=True
            )
            changed = [(row, roles) for row, roles in wanted if not row.errors]
            for row, _ in changed:
                row.warning = None if row.newer is None else row.warning
            await store_roles(
                connection, registry, caller, object_name, changed, add=True, clear=True
            )
            await note_lineage(connection, object_name, read, lineage)
            return read

        return await self.carry_out(work)

    async def upsert(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str,
        *,
        mode: WriteMode = NORMAL,
        lineage: CallLineage | None = None,
    ) -> list[RowResult]:
        """Create or update by a unique field; the same key twice fails the whole call."""

        async def work(connection: Connection) -> list[Row]:
            authorize_mode(caller, mode)
            target = self.target(
                caller, object_name, rows, Operation.CREATE, Operation.EDIT
            )
            return await self.upsert_in(
                connection, caller, target, rows, id_param, mode=mode, lineage=lineage
            )

        return await self.carry_out(work)

    async def upsert_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        rows: Source,
        id_param: str,
        *,
        mode: WriteMode = NORMAL,
        lineage: CallLineage | None = None,
    ) -> list[Row]:
        """Upsert in a transaction that ``carry_out`` has begun; it is run again when a race for a key was lost."""
        key = key_field(target, id_param)
        if key.system or not key.editable:
            message = f"Field [{key.name}] is set by the Vault and cannot key an upsert"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        read = self.reader(target, mode).read(rows, key)
        authorize_states(caller, read)
        check_lineage(caller, read, lineage)
        _refuse_repeated_keys(read, key)
        batch = self.batch(connection, caller, target, mode)
        await batch.resolve(read)
        stored = await batch.lock(read, key)
        refuse_bulk_status(batch, read, stored)
        refuse_inactive(batch, [row for row in read if row.key not in stored])
        good = [row for row in read if not row.errors]
        await batch.update(
            [row for row in good if row.key in stored], stored, warn_unchanged=False
        )
        await self.insert(batch, [row for row in good if row.key not in stored], key)
        await note_lineage(connection, target.name, read, lineage)
        return read

    async def delete(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str | None = None,
        *,
        mode: WriteMode = NORMAL,
    ) -> list[RowResult]:
        """Delete records named by ``id`` or by a unique field."""

        async def work(connection: Connection) -> list[Row]:
            authorize_mode(caller, mode)
            target = self.target(caller, object_name, rows, Operation.DELETE)
            key = key_field(target, id_param)
            read = self.reader(target, mode).read(
                [{k: v for k, v in row.items() if k == key.name} for row in rows], key
            )
            batch = self.batch(connection, caller, target, mode)
            stored = await batch.lock(read, key)
            fail_unnamed(read, stored, key)
            await batch.delete([row for row in read if not row.errors], stored)
            return read

        return await self.carry_out(work)

    async def insert(
        self, batch: Batch, rows: Sequence[Row], key: Field | None = None
    ) -> None:
        """Create the rows of a batch and run the entry actions of the state they begin in.

        A row that an entry action refuses fails alone: what was done is undone, and done again without it.
        """
        if batch.object.raw:
            await self._insert_together(batch, rows, key)
            return
        begins = self._begins_in(batch.object, batch.mode)
        if begins is None:
            await batch.insert(rows, key)
            return
        context = ActionContext(
            batch.connection, batch.caller, batch.registry, batch.object, (), self
        )
        while rows:
            try:
                async with batch.connection.transaction():
                    await batch.insert(rows, key)
                    await self.actions.run_entry_actions(context, begins, rows)
                return
            except RowsRefused as refusal:
                for row in rows:
                    if error := refusal.errors.get(row.id or ""):
                        row.errors.append(error)
                        row.id = row.event = None
            rows = [row for row in rows if not row.errors]

    async def _insert_together(
        self, batch: Batch, rows: Sequence[Row], key: Field | None
    ) -> None:
        """Create the rows of a raw object: one that breaks a unique field fails them all."""
        try:
            async with batch.connection.transaction():
                await batch.insert(rows, key)
                if any(
                    error.type is ErrorType.OPERATION_NOT_ALLOWED
                    for row in rows
                    for error in row.errors
                ):
                    raise RowsRefused({})
        except RowsRefused:
            for row in rows:
                row.id = row.event = None
                if not row.errors:
                    row.fail(
                        ErrorType.OPERATION_NOT_ALLOWED,
                        "Another row of the call breaks a unique field",
                    )

    def _begins_in(self, target: VaultObject, mode: WriteMode) -> LifecycleState | None:
        """The state in which new records begin, where it has entry actions; none of them run in migration mode."""
        lifecycle = self._components.registry.lifecycles.get(target.lifecycle or "")
        if lifecycle is None or mode.migration:
            return None
        state = lifecycle.states[lifecycle.starting_state]
        return state if state.entry_actions else None

    async def state_of(self, target: VaultObject, record_id: str) -> str | None:
        """The lifecycle state of a record, None without a lifecycle; raises VaultFault when there is no such record."""
        state = "state__v" if target.lifecycle else "NULL::text"
        sql = f"SELECT {state} AS state FROM {table(target.name)} WHERE id = $1"
        record = None
        if "\x00" not in record_id:
            async with self._database.connection() as connection:
                record = await connection.fetchrow(sql, record_id)
        if record is None:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")
        found: str | None = record["state"]
        return found

    async def change_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        ids: Sequence[str],
        fields: Mapping[str, object],
        changes: Mapping[str, object],
        *,
        state: str | None = None,
    ) -> list[Row]:
        """Set ``fields`` (as a caller sends them) and ``changes`` (column values, system fields too) on each record.

        With ``state``, only on records that are in it; the others' rows get an error. All are locked.
        """
        key = target.fields["id"]
        rows = self.reader(target).read(
            [{"id": record_id, **fields} for record_id in ids], key
        )
        # Locking reads the state even where it does not change.
        before = {"state__v": state, **changes} if state else dict(changes)
        for row, record_id in zip(rows, ids, strict=True):
            row.id = record_id
            row.values |= before
        batch = self.batch(connection, caller, target)
        await batch.resolve(rows)
        stored = await batch.lock(rows, key)
        fail_unnamed(rows, stored, key)
        for row in rows:
            if state and not row.errors and stored[row.key]["state__v"] != state:
                row.fail(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"The record is not in state [{state}]",
                )
        await batch.update(
            [row for row in rows if not row.errors], stored, warn_unchanged=False
        )
        return rows

    async def delete_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        ids: Sequence[str],
    ) -> list[Row]:
        """Delete records in a transaction that has begun; those that must stay get an error."""
        key = target.fields["id"]
        rows = self.reader(target).read([{"id": record_id} for record_id in ids], key)
        batch = self.batch(connection, caller, target)
        stored = await batch.lock(rows, key)
        fail_unnamed(rows, stored, key)
        await batch.delete([row for row in rows if not row.errors], stored)
        return rows

    def target(
        self, caller: Caller, object_name: str, rows: Source, *operations: Operation
    ) -> VaultObject:
        """The object of a call with these rows; raises VaultFault when the caller may not make it."""
        target = self._components.registry.objects.get(object_name)
        if target is None or not target.active:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        for operation in operations:
            require(caller, object_name, operation)
        if not rows:
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, "The call has no rows")
        if len(rows) > MAX_ROWS:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"A call takes at most {MAX_ROWS} rows; {len(rows)} were sent",
            )
        return target

    def reader(self, target: VaultObject, mode: WriteMode = NORMAL) -> RowReader:
        """What reads the rows of calls on an object."""
        registry = self._components.registry
        if self._readers_of is not registry:
            self._readers, self._readers_of = {}, registry
        if (target.name, mode) not in self._readers:
            self._readers[target.name, mode] = RowReader(target, registry, mode)
        return self._readers[target.name, mode]

    def batch(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        mode: WriteMode = NORMAL,
    ) -> Batch:
        """Rows of an object on their way to the tables, in the transaction of ``connection``."""
        ruled = mode.triggers or target.name in ALWAYS_RULED
        return Batch(
            connection,
            self._components.registry,
            target,
            caller,
            vault_id=self._vault_id,
            ids=self._ids,
            trigger=self._triggers.get(target.name) if ruled else None,
            mode=mode,
        )

    async def carry_out(
        self, work: Callable[[Connection], Awaitable[list[Row]]]
    ) -> list[RowResult]:
        """Run the unit of work, with the components held as they are.

        When another transaction won a race, or changed the components, again: what it stored is then seen.
        """

        async def held(connection: Connection) -> list[Row]:
            await self._components.hold(connection)
            return await work(connection)

        for _ in range(RACE_ATTEMPTS):
            try:
                rows = await self._database.unit_of_work(held)
            except RACES:
                continue
            except ComponentsChanged:
                await self._components.load()
                continue
            return [row.result() for row in rows]
        raise VaultFault(
            ErrorType.RACE_CONDITION,
            "The records are being changed by someone else at this moment",
        )


def key_field(target: VaultObject, id_param: str | None) -> Field:
    """The unique field by which a call's rows name their records, ``id`` by default; raises VaultFault."""
    key = target.fields.get(id_param or "id")
    if key is None or not (key.unique or key.type is FieldType.ID):
        message = f"[{(id_param or '')[:100]}] is not a unique field of [{target.name}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return key


def fail_unnamed(
    rows: Sequence[Row], stored: Mapping[object, object], key: Field
) -> None:
    """Fail rows whose record is not among the stored ones, and those that name one a second time."""
    seen: set[object] = set()
    for row in rows:
        if row.errors:
            continue
        if row.key not in stored:
            row.fail(ErrorType.INVALID_DATA, f"No record has this [{key.name}]")
        elif row.key in seen:
            row.fail(ErrorType.INVALID_DATA, f"[{key.name}] is repeated in this call")
        seen.add(row.key)


def _refuse_repeated_keys(rows: Sequence[Row], key: Field) -> None:
    keys = [row.key for row in rows if row.key is not None]
    if len(set(keys)) != len(keys):
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{key.name}] is repeated in this call"
        )
