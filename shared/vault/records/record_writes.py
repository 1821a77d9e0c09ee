"""Creates records with their entry actions, changes and deletes them, within a transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import (
    Operation,
    may_set,
    require,
    sets_links,
    writes_for_connection,
)
from shared.vault.configuration.component_locks import add_written_table
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import table
from shared.vault.records import row_rules as rules
from shared.vault.records.lineage_entries import note_lineage
from shared.vault.records.named_actions import (
    ActionContext,
    NamedActions,
    RecordChanges,
    RowsRefused,
)
from shared.vault.records.new_records import IdAllocator
from shared.vault.records.record_batch import Batch
from shared.vault.records.row_reader import RowReader
from shared.vault.records.row_rules import ALWAYS_RULED
from shared.vault.records.rows import (
    MAX_ROWS,
    NORMAL,
    Accepted,
    Outcome,
    Refused,
    ResolvedRow,
    RowResult,
    WriteMode,
    in_order,
    lineage_of,
    too_many_rows,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import LifecycleState
    from shared.vault.records.lineage_entries import CallLineage
    from shared.vault.records.row_rules import Trigger
    from shared.vault.storage.database import Connection

Source = Sequence[Mapping[str, object]]
Errors = Mapping[str, ApiError]
"""The errors that undid an attempt, by the ids that the records had in it."""

OTHER_ROW_REFUSED = ApiError(
    ErrorType.OPERATION_NOT_ALLOWED, "Another row of the call breaks a unique field"
)


class RecordWrites:
    """Writes records in a transaction that other parts of the Vault have begun; errors of single rows are results."""

    def __init__(
        self,
        components: ComponentService,
        triggers: Mapping[str, Trigger],
        actions: NamedActions,
        vault_id: int,
    ) -> None:
        self.actions = actions
        self._components = components
        self._triggers = triggers
        self._vault_id = vault_id
        self._ids = IdAllocator()
        self._readers: dict[tuple[str, WriteMode, bool, bool], RowReader] = {}
        self._readers_of: Registry | None = None

    def target(
        self, caller: Caller, object_name: str, rows: Source, *operations: Operation
    ) -> VaultObject:
        """Check a call with these rows, and return its object.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not make the call; INVALID_DATA and
            PARAMETER_REQUIRED for an unknown object, no rows, or too many rows.
        """
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
            raise too_many_rows()
        return target

    def reader(
        self,
        target: VaultObject,
        mode: WriteMode = NORMAL,
        caller: Caller | None = None,
    ) -> RowReader:
        """Return the reader for rows of an object, made once for each version of the components.

        If the ``caller`` writes for a connection, the rows may set the fields that only connections set.
        """
        registry = self._components.registry
        # A registry never changes, a new one takes its place: then all readers are made anew.
        if self._readers_of is not registry:
            self._readers, self._readers_of = {}, registry
        connects = caller is not None and writes_for_connection(caller)
        links = caller is None or sets_links(caller)
        reader_key = (target.name, mode, connects, links)
        if reader_key not in self._readers:
            self._readers[reader_key] = RowReader(
                target, registry, mode, for_connection=connects, links=links
            )
        return self._readers[reader_key]

    def batch(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        mode: WriteMode = NORMAL,
    ) -> Batch:
        """Return a batch that writes rows of an object in the transaction of ``connection``."""
        add_written_table(table(target.name))
        # Rules that protect the Vault itself also hold for calls without triggers.
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

    async def insert(
        self,
        batch: Batch,
        rows: Sequence[ResolvedRow],
        key: Field | None = None,
    ) -> list[Outcome]:
        """Create the rows of a batch, run the entry actions of the state they begin in, and return the outcomes."""
        return await create_rows(batch, rows, key, self.actions, self)

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
    ) -> list[RowResult]:
        """Create or update records in a transaction of ``carry_out``, which repeats this after a lost race for a key.

        :raises VaultFault: INVALID_DATA for a field that cannot key an upsert, or a key that is repeated.
        """
        key = key_field(target, id_param)
        # A record could not be created under such a key.
        if not may_set(caller, target.name, key):
            message = f"Field [{key.name}] is set by the Vault and cannot key an upsert"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        read = self.reader(target, mode, caller).read(rows, key)
        rules.authorize_states(caller, read)
        rules.check_lineage(caller, read, lineage)
        rules.refuse_repeated_keys(read, key)
        batch = self.batch(connection, caller, target, mode)
        resolved = await batch.resolve(read)
        stored = await batch.lock(resolved, key)
        # Rows that have failed are in either list, and come back as refused.
        known = [row for row in resolved if row.key in stored]
        unknown = [row for row in resolved if row.key not in stored]
        if rules.rules_status(caller, target, mode):
            registry = self._components.registry
            rules.refuse_bulk_status(registry, target, resolved, stored)
            rules.refuse_inactive(unknown)
        updated = await batch.update(known, stored, warn_unchanged=False)
        created = await self.insert(batch, unknown, key)
        outcomes = updated + created
        # Mostly all rows are new, or none.
        if updated and created:
            places = [row.index for row in (*known, *unknown)]
            outcomes = in_order(resolved, dict(zip(places, outcomes, strict=True)))
        await note_lineage(connection, target.name, lineage_of(outcomes), lineage)
        return [*outcomes]

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
        mode: WriteMode = NORMAL,
    ) -> list[RowResult]:
        """Set ``fields`` (as a caller sends them) and ``changes`` (column values, system fields too) on each record.

        With ``state``, records in another state are left unchanged and get an error. All records are locked.
        """
        key = target.fields["id"]
        rows = [{"id": record_id, **fields} for record_id in ids]
        read = self.reader(target, mode, caller).read(rows, key)
        # Locking reads the state even where it does not change.
        before = {"state__v": state, **changes} if state else dict(changes)
        for unresolved in read:
            unresolved.values |= before
        batch = self.batch(connection, caller, target, mode)
        resolved = await batch.resolve(read)
        stored = await batch.lock(resolved, key)
        rules.fail_unnamed(resolved, stored, key)
        for row in resolved:
            if state and not row.errors and stored[row.key]["state__v"] != state:
                row.fail(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"The record is not in state [{state}]",
                )
        outcomes = await batch.update(resolved, stored, warn_unchanged=False)
        # Who asks by ids gets them back, also of records that do not exist.
        results: list[RowResult] = [*outcomes]
        for result, record_id in zip(results, ids, strict=True):
            result.id = record_id
        return results

    async def delete_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        ids: Sequence[str],
    ) -> list[RowResult]:
        """Delete records in a transaction that has begun; a record that is blocked from deletion gets an error."""
        key, named = target.fields["id"], [{"id": record_id} for record_id in ids]
        return await self.delete_rows(connection, caller, target, named, key, NORMAL)

    async def delete_rows(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        named: Source,
        key: Field,
        mode: WriteMode,
    ) -> list[RowResult]:
        """Delete the records that rows name by ``key``; add an error to a row whose record is blocked or missing."""
        read = self.reader(target, mode).read(rules.keys_of(named, key), key)
        batch = self.batch(connection, caller, target, mode)
        stored = await batch.lock(read, key)
        rules.fail_unnamed(read, stored, key, [row.get("id") for row in named])
        return [*await batch.delete(read, stored)]


def key_field(target: VaultObject, id_param: str | None) -> Field:
    """Return the unique field by which a call's rows name their records, ``id`` by default.

    :raises VaultFault: INVALID_DATA when the field does not exist or is not unique.
    """
    name = id_param or "id"
    key = target.fields.get(name)
    if key is None or not (key.unique or key.type is FieldType.ID):
        message = f"[{name[:100]}] is not a unique field of [{target.name}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return key


async def create_rows(
    batch: Batch,
    rows: Sequence[ResolvedRow],
    key: Field | None,
    actions: NamedActions,
    records: RecordChanges,
) -> list[Outcome]:
    """Create the rows without errors and return the outcome of each row; ``key`` is the key field of an upsert.

    A row that an entry action refuses fails alone: the inserts are undone and repeated without it.
    """
    outcomes: dict[int, Outcome] = {
        row.index: row.refused() for row in rows if row.errors
    }
    left = [row for row in rows if not row.errors]
    state = starting_state(batch.registry, batch.object, batch.mode)
    while left:
        if batch.object.raw:
            written, errors = await _insert_together(batch, left, key)
        # Nothing can refuse the rows once they are inserted: there is no need of a savepoint.
        elif state is None:
            written, errors = await batch.insert(left, key), {}
        else:
            context = ActionContext(
                batch.connection,
                batch.caller,
                batch.registry,
                batch.object,
                (),
                records,
            )
            written, errors = await _insert_into(
                batch,
                left,
                key,
                actions,
                context,
                state,
            )
        for row, outcome in zip(left, written, strict=True):
            decided = _final_outcome(outcome, errors) if errors else outcome
            if decided is not None:
                outcomes[row.index] = decided
        left = [row for row in left if row.index not in outcomes]
    return in_order(rows, outcomes)


def _final_outcome(outcome: Outcome, errors: Errors) -> Outcome | None:
    """Return the outcome of a row after an attempt with these errors; None for a row that has to be created again."""
    match outcome:
        case Refused():
            return outcome
        case Accepted() if outcome.id in errors:
            key, error = outcome.id_param_value, errors[outcome.id]
            return Refused(id_param_value=key, errors=(error,))
        case Accepted():
            # Accepted, but undone with those that were not.
            return None if errors else outcome


async def _insert_into(
    batch: Batch,
    rows: Sequence[ResolvedRow],
    key: Field | None,
    actions: NamedActions,
    context: ActionContext,
    state: LifecycleState,
) -> tuple[list[Outcome], Errors]:
    """Insert rows whose state has entry actions; undo all inserts when the actions refuse some rows."""
    written: list[Outcome] = []
    try:
        async with batch.connection.transaction():
            written = await batch.insert(rows, key)
            entered = replace(context, ids=_ids(written))
            await actions.run_entry_actions(entered, state)
    except RowsRefused as refusal:
        return written, refusal.errors
    return written, {}


async def _insert_together(
    batch: Batch,
    rows: Sequence[ResolvedRow],
    key: Field | None,
) -> tuple[list[Outcome], Errors]:
    """Insert the rows of a raw object; a row that breaks a unique field fails all of them."""
    written: list[Outcome] = []
    try:
        async with batch.connection.transaction():
            written = await batch.insert(rows, key)
            if any(_breaks_unique(outcome) for outcome in written):
                # Leaves the savepoint, which undoes the rows that were inserted.
                raise RowsRefused(dict.fromkeys(_ids(written), OTHER_ROW_REFUSED))
    except RowsRefused as refusal:
        return written, refusal.errors
    return written, {}


def _ids(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.id for outcome in outcomes if isinstance(outcome, Accepted)]


def _breaks_unique(outcome: Outcome) -> bool:
    if isinstance(outcome, Accepted):
        return False
    types = {error.type for error in outcome.errors}
    return ErrorType.OPERATION_NOT_ALLOWED in types


def starting_state(
    registry: Registry, target: VaultObject, mode: WriteMode
) -> LifecycleState | None:
    """Return the starting state if its entry actions have to run; None without entry actions, and in migration mode."""
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    if lifecycle is None or mode.migration:
        return None
    state = lifecycle.states[lifecycle.starting_state]
    return state if state.entry_actions else None
