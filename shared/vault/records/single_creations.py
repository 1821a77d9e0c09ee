"""Creates one record by one statement, which is a transaction of its own: lock, date, record and audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import asyncpg

from shared.vault.access.permissions import Operation
from shared.vault.audit.audit_entries import author, is_audited
from shared.vault.configuration.component_service import TABLES_CHANGED
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import quoted, table
from shared.vault.records import new_records as new
from shared.vault.records import row_rules as rules
from shared.vault.records.batch_values import stored_value_sql
from shared.vault.records.field_values import column_type
from shared.vault.records.record_statements import (
    fail_unreadable,
    resolve_references,
    unreadable_references,
)
from shared.vault.records.record_writes import RecordWrites, Source, starting_state
from shared.vault.records.row_rules import CreationFollower, Preparer
from shared.vault.records.rows import NORMAL, NewRow
from shared.vault.records.type_fields import TypeFields
from shared.vault.storage.configuration_revision import PARTS
from shared.vault.storage.database import RETRYABLE, extends_units_of_work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.records.named_actions import NamedActions
    from shared.vault.records.row_rules import Trigger
    from shared.vault.records.rows import ReadRow, RowResult
    from shared.vault.storage.database import Connection, Database

# What is raised when another transaction has stored, or deleted, what the statement names, or has changed its table.
REFUSED = (
    asyncpg.UniqueViolationError,
    asyncpg.ForeignKeyViolationError,
    *TABLES_CHANGED,
    *RETRYABLE,
)
# Fields that the statement fills with its own date.
DATES = frozenset({"created_date__v", "modified_date__v"})
FIRST_VALUE = 9  # the number of the first parameter that is a value of the record

# The function locks the table, and reads the revision after that: a change of components that was waited for is seen.
# Nothing is dated or written unless the components are those by which the row was read, and no rule fills its roles.
CREATE = """
WITH locked AS MATERIALIZED (SELECT platform.lock_for_writing(ARRAY[$1::text]) AS revision),
dated AS MATERIALIZED (SELECT platform.change_date() AS moment FROM locked WHERE revision = $2::bigint
    AND NOT EXISTS (SELECT FROM platform.role_assignment_rule WHERE lifecycle = $3::text)),
created AS (INSERT INTO {table} ({names}) SELECT {values} FROM dated ON CONFLICT DO NOTHING RETURNING id),
audited AS (INSERT INTO platform.audit_entry (trail, user_id, user_name, on_behalf_of, action, item, record_id)
    SELECT 'object', $4::bigint, $5::text, $6::bigint, 'Create', $7::text, id FROM created WHERE $8::boolean)
SELECT id FROM created
"""


class SingleCreations(RecordWrites):
    """Creates a record by one statement where nothing else is read or written in its transaction."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        triggers: Mapping[str, Trigger],
        actions: NamedActions,
        vault_id: int,
    ) -> None:
        super().__init__(components, triggers, actions, vault_id)
        self._database = database
        # Whether a statement outside of a unit of work is a transaction.
        self._alone = True

    async def create_alone(
        self, caller: Caller, object_name: str, rows: Source
    ) -> RowResult | None:
        """Create one record by one statement, or return None without writing if one statement cannot do it.

        A transaction of several statements then creates the record, or says why it is refused.
        """
        if len(rows) != 1 or not self._alone or extends_units_of_work():
            return None
        components = self._components
        # Nothing is waited for until the row is read: all of it is read by the components of one revision.
        registry, revision = components.registry, components.revision
        target = registry.objects.get(object_name)
        if target is None or not self._is_simple(registry, target):
            return None
        read = self._read_row(caller, target, rows)
        if read is None or read.errors:
            return None
        try:
            async with self._database.connection() as connection:
                return await self._create(
                    connection, caller, registry, revision, target, read
                )
        except REFUSED:
            return None

    async def _create(
        self,
        connection: Connection,
        caller: Caller,
        registry: Registry,
        revision: int,
        target: VaultObject,
        read: ReadRow,
    ) -> RowResult | None:
        """Create the record of a row, which was read by the components of ``revision``; None if it is refused."""
        (resolved,) = await resolve_references(
            connection, registry, target, caller, [read]
        )
        row = NewRow.of(resolved)
        fail_unreadable([row], unreadable_references(target, caller))
        new.check_required(target, NORMAL, [row], TypeFields(registry, target))
        if row.errors:
            return None
        (identifier,) = await self._ids.take(connection, target, 1)
        creation = new.Creation(self._vault_id, caller.user_id, None)
        creation.fill(row, identifier, target, registry)
        fields = new.insert_fields(target, [row])
        parameters = (
            table(target.name),
            revision,
            target.lifecycle,
            *author(caller),
            target.name,
            is_audited(registry, target.name),
            *(row.values[field.name] for field in fields if field.name not in DATES),
        )
        statement = create_statement(target, fields)
        stored = await connection.fetchval(statement, *parameters)
        return None if stored is None else row.created()

    def _is_simple(self, registry: Registry, target: VaultObject) -> bool:
        """Return whether creating a record of an object reads and writes nothing else than record and audit entry."""
        trigger = self._triggers.get(target.name)
        others = (
            target.raw,
            target.name in PARTS,
            target.name == new.USER,
            target.fields[new.NAME].system_managed_name,
            trigger is not None and isinstance(trigger, Preparer | CreationFollower),
            starting_state(registry, target, NORMAL) is not None,
        )
        return not any(others)

    def _read_row(
        self, caller: Caller, target: VaultObject, rows: Source
    ) -> ReadRow | None:
        """Return the row of a record to create, with its errors; None if the call is refused or copies a record."""
        plain, sources = new.without_sources(rows)
        if sources:
            return None
        try:
            self.target(caller, target.name, plain, Operation.CREATE)
            read = self.reader(target, NORMAL, caller).read(plain)
            rules.authorize_states(caller, read)
            rules.check_lineage(caller, read, None)
        except VaultFault:
            return None
        if rules.rules_status(caller, target, NORMAL):
            rules.refuse_inactive(read)
        return read[0]


def create_statement(target: VaultObject, fields: Sequence[Field]) -> str:
    """Return the statement that creates one record with these fields; it returns the id if it has created it.

    Its parameters are: table, revision of the components, lifecycle, the three parts of the author, object, whether its
    changes are audited, and the values of all fields but dates, in order.
    """
    sent = [field for field in fields if field.name not in DATES]
    names = [quoted(field.name) for field in (*sent, *_dates(fields))]
    values = [
        stored_value_sql(field, f"${number}::{column_type(field)}")
        for number, field in enumerate(sent, FIRST_VALUE)
    ]
    values += ["moment" for _ in _dates(fields)]
    return CREATE.format(
        table=table(target.name), names=", ".join(names), values=", ".join(values)
    )


def _dates(fields: Sequence[Field]) -> list[Field]:
    return [field for field in fields if field.name in DATES]
