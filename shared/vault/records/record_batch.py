"""Inserts, updates or deletes a batch of rows of one object, with one statement for each table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from asyncpg import UniqueViolationError

from shared.vault.audit.audit_entries import (
    write_creations,
    write_edits,
)
from shared.vault.audit.deletion_entries import write_deletions
from shared.vault.errors import ApiError
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import array_text, table
from shared.vault.records import new_records as new
from shared.vault.records import record_statements as statements
from shared.vault.records import row_rules as rules
from shared.vault.records.batch_values import Columns, Comparison
from shared.vault.records.deletions import note_deletions, reach_of
from shared.vault.records.record_statements import resolve_references
from shared.vault.records.row_rules import (
    MODIFIED_DATE,
    CreationFollower,
    Follower,
    Preparer,
)
from shared.vault.records.rows import (
    NORMAL,
    Accepted,
    Change,
    NewRow,
    Outcome,
    ResolvedRow,
    WriteMode,
    in_order,
)
from shared.vault.records.type_fields import RETYPED, TYPE, TypeFields
from shared.vault.records.unlinking import date_parents, parent_fields, unlink
from shared.vault.storage.clock import moment
from shared.vault.storage.configuration_revision import PARTS, raise_revision

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.new_records import IdAllocator
    from shared.vault.records.row_rules import Trigger
    from shared.vault.records.rows import ReadRow, Row
    from shared.vault.storage.database import Connection

UNCHANGED = "No changes in values - record not updated"
MANY = 50  # rows for which a savepoint pays

Write = tuple[str, dict[str, object]]
"""The id of a record, and the values to set on it."""


class Batch:
    """Writes the rows of one call on one object, inside one transaction."""

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        target: VaultObject,
        caller: Caller,
        *,
        vault_id: int,
        ids: IdAllocator,
        trigger: Trigger | None,
        mode: WriteMode = NORMAL,
    ) -> None:
        self.connection = connection
        self.registry = registry
        self.object = target
        self.caller = caller
        self.mode = mode
        self._vault_id = vault_id
        self._ids = ids
        self._trigger = trigger
        self._types = TypeFields(registry, target)
        self._unreadable = statements.unreadable_references(target, caller)

    async def resolve(self, rows: Sequence[ReadRow]) -> list[ResolvedRow]:
        """Return the rows with record ids in place of the keys of their references."""
        if self.mode.migration:
            await statements.fail_unknown_users(self.connection, rows)
        return await resolve_references(
            self.connection,
            self.registry,
            self.object,
            self.caller,
            rows,
        )

    async def insert(
        self, rows: Sequence[ResolvedRow], key: Field | None = None
    ) -> list[Outcome]:
        """Create records of rows without errors and return the outcomes; a row that breaks a unique field fails alone.

        ``key`` is the key field of an upsert.

        :raises RaceLost: when another transaction has meanwhile stored a record with an upsert's key, or removed the
            record whose unique value had refused a row.
        """
        new_rows = [NewRow.of(row) for row in rows]
        statements.fail_unreadable(new_rows, self._unreadable)
        # The object's own rules come first: they may set what is required.
        if isinstance(self._trigger, Preparer):
            await self._trigger.before_create(self.connection, self.caller, new_rows)
        new.check_required(self.object, self.mode, new_rows, self._types)
        rules.fail_repeats(self.object, new_rows)
        good = [row for row in new_rows if not row.errors]
        if good:
            await self._insert(good, key)
        return [row.refused() if row.errors else row.created() for row in new_rows]

    async def _insert(self, rows: Sequence[NewRow], key: Field | None) -> None:
        connection, target = self.connection, self.object
        identifiers = await self._ids.take(connection, target, len(rows))
        now = await moment(connection)
        creation = new.Creation(self._vault_id, self.caller.user_id, now)
        for row, identifier in zip(rows, identifiers, strict=True):
            creation.fill(row, identifier, target, self.registry)
        fields = new.insert_fields(target, rows)
        ordered = rules.in_key_order(target, rows)
        columns = Columns.of(fields, [row.values for row in ordered])
        new_ids = [str(row.values["id"]) for row in ordered]
        ids = await self._stored(fields, columns, new_ids)
        if len(ids) < len(rows):
            inserted = set(ids)
            left_out = [row for row in rows if row.values["id"] not in inserted]
            await rules.explain_refused(connection, target, left_out, key)
        await write_creations(connection, self.registry, self.caller, target.name, ids)
        if ids and target.lifecycle:
            await self._fill_roles(dict.fromkeys(ids, target.lifecycle))
        if ids and isinstance(self._trigger, CreationFollower):
            await self._trigger.after_create(connection, self.caller, ids)
        if target.name in PARTS:
            await raise_revision(connection, target.name, deleted=False)

    async def _stored(
        self, fields: Sequence[Field], columns: Columns, ids: list[str]
    ) -> list[str]:
        """Insert the records with these ids, and return the ids of those that break no unique field."""
        connection, target = self.connection, self.object
        parameters = *columns.values, *statements.name_parameters(target)
        # Looking at each unique index before each row costs more than a savepoint, and hardly a call has such a row.
        if len(ids) >= MANY:
            sql = statements.insert_statement(
                target, fields, columns.shared, leaving_out=False
            )
            with suppress(UniqueViolationError):
                async with connection.transaction():
                    await connection.execute(sql, *parameters)
                    return ids
        sql = statements.insert_statement(target, fields, columns.shared)
        stored = await connection.fetch(sql, *parameters)
        return [record["id"] for record in stored]

    async def _fill_roles(self, lifecycles: Mapping[str, str]) -> None:
        """Fill the roles of new records (id → lifecycle), before entry actions look for users and groups in roles."""
        name, connection = self.object.name, self.connection
        edits = await new.fill_roles(connection, name, self.object, lifecycles)
        if edits:
            await write_edits(connection, self.registry, self.caller, name, edits)

    async def lock(
        self, rows: Sequence[Row], key: Field, *columns: str
    ) -> dict[object, Record]:
        """Lock the stored records that rows without errors name, and return them by key.

        The records contain the columns that the rows are about to change, those that rules read, and ``columns``.
        """
        names = set(columns)
        keys: set[object] = set()
        for row in rows:
            names.update(row.values, row.guarded)
            if row.source_modified is not None:
                names.add(rules.FIELD)
            if row.key is not None and not row.errors:
                keys.add(row.key)
        # The statement returns the key anyway; a trigger may want it under its own name too.
        names.discard(key.name)
        if self._trigger is not None:
            names.update(self._trigger.columns)
        names.update(self._types.columns)
        names.discard("id")
        fields = [field for field in self.object.fields.values() if field.name in names]
        sql = statements.lock_statement(self.object, key, fields)
        records = await self.connection.fetch(sql, list(keys))
        return {record["key"]: record for record in records}

    async def update(
        self,
        rows: Sequence[ResolvedRow],
        stored: Mapping[object, Record],
        *,
        warn_unchanged: bool,
    ) -> list[Outcome]:
        """Update records that ``lock`` returned and return the outcome of each row.

        Rows whose values are stored already are not written; with ``warn_unchanged`` their outcome has a warning.
        """
        comparison = Comparison(again=self.mode.unchanged.written, types=self._types)
        outcomes: dict[int, Outcome] = {}
        changes: list[Change] = []
        touched: list[Write] = []
        for row in rows:
            if row.errors:
                outcomes[row.index] = row.refused()
                continue
            change = comparison.change(row, stored[row.key])
            if not row.errors and not change.values:
                warning = UNCHANGED if warn_unchanged else None
                outcomes[row.index] = change.unchanged(warning)
                # The source has changed, but none of its values that are stored.
                if later := rules.new_source_time(row, change.stored):
                    touched.append((change.id, later))
                continue
            undone = self._left_out(change)
            if undone is None:
                changes.append(change)
                continue
            outcomes[row.index] = undone
            if isinstance(undone, Accepted) and undone.newer is not None:
                touched.append((change.id, rules.left_out_mark(undone.newer)))
        # Their modified date stays as it is.
        await self._write([write for write in touched if write[1]])
        await self._change(changes)
        for change in changes:
            refused = bool(change.row.errors)
            outcome = change.refused() if refused else change.written()
            outcomes[change.row.index] = outcome
        return in_order(rows, outcomes)

    def _left_out(self, change: Change) -> Outcome | None:
        """Return the outcome of a row that is refused, or older than the stored state; None for a row to be written."""
        row = change.row
        if row.errors:
            return change.refused()
        newer = rules.newer_stored(row, change.stored, change.values)
        if newer is not None:
            return change.left_out(newer)
        refusal = self._refusal(change)
        if refusal is not None:
            row.errors.append(refusal)
            return change.refused()
        return None

    def _refusal(self, change: Change) -> ApiError | None:
        """Return the error with which the object's rules refuse a change, else None.

        The rules may add values to the change.
        """
        retyped = TYPE in change.values and change.stored.get(TYPE)
        if retyped and not self.mode.may_change_type:
            return RETYPED
        for field in self._unreadable:
            # What is stored already may be sent again.
            if change.values.get(field.name) and field.name in change.changed:
                return statements.unreadable(field)
        # Platform objects are the Vault's own: their rules are not about what users may edit.
        platform = self.object.name.endswith(rules.PLATFORM)
        if self._trigger is None or (self.mode.redirecting and not platform):
            return None
        return self._trigger.before_update(self.caller, change.stored, change.values)

    async def _change(self, changes: Sequence[Change]) -> None:
        """Write changes with audit entries and run the object's followers; fail changes whose unique value is taken."""
        connection, caller = self.connection, self.caller
        await rules.fail_taken(connection, self.object, changes)
        good = [change for change in changes if not change.row.errors]
        edits = [(change.stored, change.values) for change in good]
        # Before the source state and the author are among the values: they are no edits of the caller's.
        await write_edits(connection, self.registry, caller, self.object.name, edits)
        dated: list[Write] = []
        undated: list[Write] = []
        for change in good:
            change.values |= rules.new_source_time(change.row, change.stored)
            values = {"modified_by__v": caller.user_id, **change.values}
            # In migration mode a row may have brought the date, and then it is that.
            group = dated if MODIFIED_DATE in values else undated
            group.append((change.id, values))
        await self._write(dated)
        if undated:
            now = await moment(connection)
            for _, values in undated:
                values[MODIFIED_DATE] = now
            await self._write(undated, later=MODIFIED_DATE)
        await self._date_former_parents(good)
        if edits and isinstance(self._trigger, Follower):
            await self._trigger.after_update(connection, caller, edits)

    async def _date_former_parents(self, changes: Sequence[Change]) -> None:
        """Set the modified date of the records that are no longer parents of the changed records."""
        changed = frozenset[str]().union(*(change.changed for change in changes))
        fields = self.object.fields
        # Few changes concern a reference.
        if all(fields[name].type is not FieldType.OBJECT for name in changed):
            return
        for field in parent_fields(self.object):
            left = {
                change.stored[field.name]
                for change in changes
                if field.name in change.changed
            }
            former = sorted(each for each in left if each)
            await date_parents(self.connection, self.caller, field, former)

    async def _write(
        self,
        writes: Sequence[Write],
        *,
        later: str | None = None,
    ) -> None:
        """Set values of records with one statement for each distinct set of fields; calls of one client have few sets.

        ``later`` is a date field that grows with every write, also when the clock does not.
        """
        groups: dict[frozenset[str], list[Write]] = defaultdict(list)
        for write in writes:
            names = frozenset(write[1])
            groups[names].append(write)
        for names, group in groups.items():
            fields = [f for f in self.object.fields.values() if f.name in names]
            ids = array_text([record_id for record_id, _ in group])
            columns = Columns.of(fields, [values for _, values in group])
            sql = statements.update_statement(
                self.object, fields, columns.shared, later=later
            )
            await self.connection.execute(sql, ids, *columns.values)
        name = self.object.name
        if groups and name in PARTS:
            await raise_revision(self.connection, name, deleted=False)

    async def delete(
        self,
        rows: Sequence[Row],
        stored: Mapping[object, Record],
    ) -> list[Outcome]:
        """Delete records that ``lock`` returned and return the outcome of each row.

        A record is not deleted while a record refers to it by a field that blocks the deletion.
        """
        connection, name = self.connection, self.object.name
        ids: dict[int, str] = {}
        for row in rows:
            if not row.errors:
                record = stored[row.key]
                ids[row.index] = record["id"]
                self._check_deletion(row, record)
        reach = await reach_of(connection, self.registry, name, _valid_ids(rows, ids))
        refusals = reach.refuse(self.caller, name)
        for row in rows:
            refusal = refusals.get(ids.get(row.index, ""))
            if refusal is not None:
                row.errors.append(refusal)
        accepted = _valid_ids(rows, ids)
        await write_deletions(connection, self.registry, self.caller, name, accepted)
        await unlink(connection, self.registry, self.caller, reach.to_delete())
        sql = f"DELETE FROM {table(name)} WHERE id = ANY($1::text[])"
        await connection.execute(sql, accepted)
        # After the lock: records that were being added below a deleted one are stored now, and are deleted with it.
        await note_deletions(connection, reach.to_delete())
        if name in PARTS:
            await raise_revision(connection, name, deleted=True)
        return [_deleted(row, ids.get(row.index)) for row in rows]

    def _check_deletion(self, row: Row, record: Record) -> None:
        if self._trigger is None:
            return
        refusal = self._trigger.before_delete(self.caller, record)
        if refusal is not None:
            row.errors.append(refusal)


def _valid_ids(rows: Sequence[Row], ids: Mapping[int, str]) -> list[str]:
    return [ids[row.index] for row in rows if not row.errors]


def _deleted(row: Row, record_id: str | None) -> Outcome:
    if record_id is None:
        return row.refused()
    if row.errors:
        return row.refused(record_id)
    return row.accepted(record_id)
