"""Writing a batch of rows to one object: insert, update, delete, each as one statement a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.audit import audit_entries as entries
from shared.vault.audit.audit_entries import deleted
from shared.vault.components.schema import table
from shared.vault.model.component_model import Field, VaultObject
from shared.vault.records import write_statements as statements
from shared.vault.records.deletions import note_deletions, reach_of
from shared.vault.records.record_references import resolve_references
from shared.vault.records.row_rules import FIELD as SOURCE_MODIFIED
from shared.vault.records.row_rules import (
    CreationFollower,
    Follower,
    Preparer,
    advance,
    explain_refused,
    fail_repeats,
    fail_taken,
    in_key_order,
    newer_stored,
)
from shared.vault.records.rows import (
    CREATED,
    NEWER_STORED,
    NORMAL,
    UPDATED,
    UnchangedFields,
    WriteMode,
)
from shared.vault.storage.database import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.new_records import IdAllocator
    from shared.vault.records.row_rules import Trigger
    from shared.vault.records.rows import Row
    from shared.vault.storage.database import Connection

MODIFIED_DATE = "modified_date__v"
AUDIT_FIELDS = ("created_by__v", "created_date__v", "modified_by__v", MODIFIED_DATE)
UNCHANGED = "No changes in values - record not updated"


class Batch:
    """One call's rows on one object, inside one transaction."""

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
        self._vault_id = vault_id
        self._ids = ids
        self._trigger = trigger
        self.mode = mode
        self._moment: datetime | None = None

    async def resolve(self, rows: Sequence[Row]) -> None:
        """Find every record that the rows refer to."""
        await resolve_references(
            self.connection, self.registry, self.object, self.caller, rows
        )

    async def insert(self, rows: Sequence[Row], key: Field | None = None) -> None:
        """Create records; a row that breaks a unique field fails alone.

        ``key`` is that of an upsert: a record that has it by now is a race, and RaceLost is raised.
        """
        for row in rows:
            if row.lineage is not None:
                row.changed = frozenset(
                    name for name, value in row.values.items() if value is not None
                )
        if isinstance(self._trigger, Preparer):
            await self._trigger.before_create(self.connection, self.caller, rows)
        self._check_required(rows)
        fail_repeats(self.object, rows)
        rows = [row for row in rows if not row.errors]
        if not rows:
            return
        identifiers = await self._ids.take(self.connection, self.object, len(rows))
        now = await self._now()
        for row, identifier in zip(rows, identifiers, strict=True):
            self._fill_new(row, identifier, now)
        fields = self._insert_fields(rows)
        ordered = in_key_order(self.object, rows)
        arrays = [[row.values.get(f.name) for row in ordered] for f in fields]
        sql = statements.insert_statement(self.object, fields)
        stored = await self.connection.fetch(
            sql, *arrays, *statements.name_parameters(self.object)
        )
        kept = {record["id"] for record in stored}
        refused = [row for row in rows if row.values["id"] not in kept]
        for row in rows:
            row.id, row.event = str(row.values["id"]), CREATED
        for row in refused:
            row.id = row.event = None
        if refused:
            await explain_refused(self.connection, self.object, refused, key)
        await entries.created(
            self.connection, self.registry, self.caller, self.object.name, list(kept)
        )
        if kept and isinstance(self._trigger, CreationFollower):
            await self._trigger.after_create(self.connection, self.caller, list(kept))

    def _check_required(self, rows: Sequence[Row]) -> None:
        required = [
            f.name
            for f in self.object.fields.values()
            if f.required and not f.system and f.active
        ]
        if self.mode.migration:
            required = [name for name in required if name == "name__v"]
        for row in rows:
            for name in row.guarded:
                row.fail(ErrorType.INVALID_DATA, f"Field [{name}] is set by the Vault")
            for name in required:
                if (
                    row.values.get(name) is None
                    and not row.errors
                    and not self._is_supplied(name)
                ):
                    row.fail(
                        ErrorType.PARAMETER_REQUIRED,
                        f"Missing required parameter [{name}]",
                    )

    def _is_supplied(self, name: str) -> bool:
        """Whether the Vault itself gives this required field its value."""
        return name == "status__v" or (
            name == "name__v" and self.object.fields[name].system_managed_name
        )

    async def _now(self) -> datetime:
        """When this batch changes records: one moment for all of them."""
        if self._moment is None:
            self._moment = await moment(self.connection)
        return self._moment

    def _fill_new(self, row: Row, identifier: str, now: datetime) -> None:
        values, caller = row.values, self.caller.user_id
        values["id"] = identifier
        values["global_id__sys"] = f"{self._vault_id}_{identifier}"
        # In migration mode the row may have brought them.
        for name, value in zip(AUDIT_FIELDS, (caller, now, caller, now), strict=True):
            values.setdefault(name, value)
        if row.source_modified is not None:
            values[SOURCE_MODIFIED] = row.source_modified
        if values.get("status__v") is None:
            values["status__v"] = "active__v"
        if (
            self.object.allow_types
            and values.get("object_type__v") is None
            and self.object.default_type
        ):
            type_id = self.registry.object_type_id(
                self.object.name, self.object.default_type
            )
            values["object_type__v"] = type_id
        if self.object.lifecycle:
            values["lifecycle__v"] = self.object.lifecycle
            values.setdefault(
                "state__v",
                self.registry.lifecycles[self.object.lifecycle].starting_state,
            )

    def _insert_fields(self, rows: Sequence[Row]) -> list[Field]:
        used = {name for row in rows for name in row.values}
        if self.object.fields["name__v"].system_managed_name:
            used.discard("name__v")
        # In the object's order, so that calls with the same fields share one prepared statement.
        return [f for f in self.object.fields.values() if f.name in used]

    async def lock(self, rows: Sequence[Row], key: Field) -> dict[object, Record]:
        """Lock the stored records that the rows name; by key, with the columns about to change."""
        names = {name for row in rows for name in (*row.values, *row.guarded)} - {
            key.name
        }
        names |= set(self._trigger.columns if self._trigger else ())
        names |= (
            {SOURCE_MODIFIED} if any(row.source_modified for row in rows) else set()
        )
        fields = [
            f for f in self.object.fields.values() if f.name in names and f.name != "id"
        ]
        sql = statements.lock_statement(self.object, key, fields)
        keys = list({row.key for row in rows if row.key is not None and not row.errors})
        records = await self.connection.fetch(sql, keys)
        return {record["key"]: record for record in records}

    async def update(
        self,
        rows: Sequence[Row],
        stored: Mapping[object, Record],
        *,
        warn_unchanged: bool,
    ) -> None:
        """Update records that ``lock`` returned; rows whose values are stored already are not written."""
        changed: list[Row] = []
        told: list[
            Row
        ] = []  # their source has changed, but none of the values that are kept of it
        for row in rows:
            record = stored[row.key]
            row.id = record["id"]
            _fail_changed(row, record)
            if row.errors:
                continue
            again = self.mode.unchanged is UnchangedFields.NEVER_IGNORE
            changes = {
                n: v
                for n, v in row.values.items()
                if n in record and (again or record[n] != v)
            }
            if not changes:
                row.event = UPDATED
                row.warning = UNCHANGED if warn_unchanged else None
                if advanced := advance(row, record):
                    row.values = advanced
                    told.append(row)
                continue
            row.newer = newer_stored(row, record, changes)
            if row.newer is not None:
                row.warning = NEWER_STORED
                continue
            if row.lineage is not None:
                row.changed = frozenset(
                    name for name in changes if record[name] != row.values[name]
                )
            if (
                record.get("object_type__v")
                and "object_type__v" in changes
                and not self.mode.may_change_type
            ):
                row.fail(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    "The type of a record cannot be changed by an update",
                )
                continue
            refusal = (
                self._trigger.before_update(self.caller, record, changes)
                if self._trigger
                else None
            )
            if refusal:
                row.errors.append(refusal)
                continue
            row.values = changes
            changed.append(row)
        await self._write(told)
        await self._change(changed, stored)

    async def _change(
        self, changed: Sequence[Row], stored: Mapping[object, Record]
    ) -> None:
        """Write rows whose values are changes, with their audit, and let the object's own rules follow."""
        await fail_taken(self.connection, self.object, changed)
        written = [row for row in changed if not row.errors]
        edits = [(stored[row.key], row.values) for row in written]
        await entries.edited(
            self.connection, self.registry, self.caller, self.object.name, edits
        )
        for row in written:
            row.event = UPDATED
            row.values |= advance(row, stored[row.key])
        # In migration mode the row may have brought the date, and then it is that.
        dated = [row for row in written if MODIFIED_DATE in row.values]
        undated = [row for row in written if MODIFIED_DATE not in row.values]
        author = {"modified_by__v": self.caller.user_id}
        for row in dated:
            row.values = {**author, **row.values}
        if undated:
            now = await self._now()
            for row in undated:
                row.values = {**author, MODIFIED_DATE: now, **row.values}
        await self._write(dated)
        await self._write(undated, later=MODIFIED_DATE)
        if edits and isinstance(self._trigger, Follower):
            await self._trigger.after_update(self.connection, self.caller, edits)

    async def _write(self, rows: Sequence[Row], *, later: str | None = None) -> None:
        """One statement for each set of changed fields; calls of one client have few.

        ``later`` is a date that is to grow with every write, whatever the clock says.
        """
        groups: dict[frozenset[str], list[Row]] = defaultdict(list)
        for row in rows:
            groups[frozenset(row.values)].append(row)
        for names, group in groups.items():
            fields = [f for f in self.object.fields.values() if f.name in names]
            arrays = [[row.values[f.name] for row in group] for f in fields]
            sql = statements.update_statement(self.object, fields, later=later)
            await self.connection.execute(sql, [row.id for row in group], *arrays)

    async def delete(
        self, rows: Sequence[Row], stored: Mapping[object, Record]
    ) -> None:
        """Delete records that ``lock`` returned, unless another record that must not lose them refers to them."""
        for row in rows:
            record = stored[row.key]
            row.id = record["id"]
            refusal = (
                self._trigger.before_delete(self.caller, record)
                if self._trigger
                else None
            )
            if refusal:
                row.errors.append(refusal)
        ids = [row.id for row in rows if row.id and not row.errors]
        reach = await reach_of(self.connection, self.registry, self.object.name, ids)
        for row in rows:
            if row.id and row.id in reach.held:
                row.fail(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"The record is referred to by [{reach.held[row.id]}]",
                )
        going = [row.id for row in rows if row.id and not row.errors]
        await deleted(
            self.connection, self.registry, self.caller, self.object.name, going
        )
        sql = f"DELETE FROM {table(self.object.name)} WHERE id = ANY($1::text[])"
        await self.connection.execute(sql, going)
        # After it: what was being added to a record that goes is there by now, and goes with it.
        await note_deletions(self.connection, reach.gone())


def _fail_changed(row: Row, record: Record) -> None:
    """Fail a row that would change a field which may only be named with the value it has."""
    for name, value in row.guarded.items():
        if name not in record or record[name] != value:
            row.fail(ErrorType.INVALID_DATA, f"Field [{name}] is set by the Vault")
