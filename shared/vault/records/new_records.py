"""Makes new records: assigns ids, copies values, checks required fields, sets the Vault's fields, and fills roles."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.components.document_model import DOCUMENT_ID
from shared.vault.components.platform import SOURCE_MODIFIED
from shared.vault.model.component_model import Field, VaultObject
from shared.vault.model.field_types import DOCUMENTS, quoted, table
from shared.vault.records import record_statements as statements
from shared.vault.records.record_roles import (
    Assignments,
    Holder,
    RoleChange,
    RoleEdit,
    change_roles,
)
from shared.vault.records.role_rules import RoleRule, deciding_rules

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.rows import NewRow, ReadRow, WriteMode
    from shared.vault.records.type_fields import TypeFields
    from shared.vault.storage.database import Connection

USER = "user__sys"  # its ids are numbers, as created_by__v and the user calls of the API want them

BLOCK = 1000
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PAIRS = [first + second for first in DIGITS for second in DIGITS]
WIDTH = 12

SOURCE = "source_record_id"
NEVER_COPIED = frozenset(
    {"link__sys"}
)  # says which record of another system this one is

TYPE = "object_type__v"
STATUS, ACTIVE = "status__v", "active__v"
NAME = "name__v"

# Who has been deactivated or removed since is given nothing.
RULES = """
SELECT lifecycle, role, conditions,
    ARRAY(SELECT user_id FROM platform.credential WHERE active AND user_id = ANY(default_users)) AS users,
    ARRAY(SELECT g.id FROM platform.user_group g WHERE active AND g.id = ANY(default_groups)) AS groups
FROM platform.role_assignment_rule WHERE lifecycle = ANY($1::text[]) ORDER BY id
"""
# The values of fields of records, and of the latest versions of documents.
OF_RECORDS = "SELECT id AS record_id, {fields} FROM {table} WHERE id = ANY($1::text[])"
OF_DOCUMENTS = f"""SELECT {DOCUMENT_ID}::text AS record_id, {{fields}} FROM {{table}}
WHERE {DOCUMENT_ID}::text = ANY($1::text[]) AND latest_version__sys"""

Values = Mapping[str, object]


def record_ids(prefix: str, first: int, count: int) -> list[str]:
    """Return the ids of ``count`` records, such as ``V4T000000000RS``; ids of one process sort by age."""
    ids: list[str] = []
    number, end = first, first + count
    while number < end:
        head, place = divmod(number, len(PAIRS))
        stem = prefix + _digits(head).rjust(WIDTH - 2, "0")
        pairs = PAIRS[place : place + end - number]
        ids += [stem + pair for pair in pairs]
        number += len(pairs)
    return ids


def _digits(number: int) -> str:
    digits = ""
    while number:
        number, pair = divmod(number, len(PAIRS))
        digits = PAIRS[pair] + digits
    return digits


class IdAllocator:
    """Allocates record ids in blocks, to save a round trip for each; a restart leaves at most one block unused."""

    def __init__(self) -> None:
        self._next = 0
        self._end = 0

    async def take(
        self,
        connection: Connection,
        target: VaultObject,
        count: int,
    ) -> list[str]:
        """Return ``count`` ids that no process on this database has used before."""
        if target.name == USER:
            rows = await connection.fetch(
                "SELECT nextval('platform.user_id') FROM generate_series(1, $1)", count
            )
            return [str(row[0]) for row in rows]
        ids: list[str] = []
        while len(ids) < count:
            if self._next == self._end:
                # A sequence takes no part in transactions: a block is nobody else's, also when this one is undone.
                block = await connection.fetchval(
                    "SELECT nextval('platform.record_id_block')"
                )
                self._next, self._end = block * BLOCK, (block + 1) * BLOCK
            size = min(self._end - self._next, count - len(ids))
            first, self._next = self._next, self._next + size
            ids += record_ids(target.prefix, first, size)
        return ids


# Copies: ``source_record_id`` in a row of a create names the record that the new one begins as.


def copied_fields(target: VaultObject) -> list[Field]:
    """Return the fields that a copy takes over: the type, and all but unique, ``no_copy`` and system-set fields."""
    return [field for field in target.fields.values() if _is_copied(field)]


def _is_copied(field: Field) -> bool:
    if field.name == TYPE:
        return True
    if field.system or not field.active:
        return False
    # Two records cannot have the same of these.
    own = field.unique or field.name in NEVER_COPIED
    return not own and not field.no_copy


async def stored_values(
    connection: Connection,
    target: VaultObject,
    ids: Sequence[str],
    fields: Sequence[Field],
) -> dict[str, dict[str, object]]:
    """Lock records and return id → field → value, as rows of calls have values; empty values are omitted."""
    sql = statements.lock_statement(target, target.fields["id"], fields)
    records = await connection.fetch(sql, list(ids))
    found: dict[str, dict[str, object]] = {}
    for record in records:
        values = {field.name: record[field.name] for field in fields}
        found[record["id"]] = {n: v for n, v in values.items() if v is not None}
    return found


def without_sources(
    rows: Sequence[Values],
) -> tuple[Sequence[Values], dict[int, object]]:
    """Return the rows of a create without ``source_record_id``, and the values of that column by row index."""
    if not any(SOURCE in row for row in rows):
        return rows, {}
    plain: list[Values] = []
    sources: dict[int, object] = {}
    for index, row in enumerate(rows):
        plain.append({name: value for name, value in row.items() if name != SOURCE})
        source = row.get(SOURCE)
        if source not in (None, ""):
            sources[index] = source
    return plain, sources


async def copy_sources(
    connection: Connection,
    caller: Caller,
    target: VaultObject,
    rows: Sequence[ReadRow],
    sources: Mapping[int, object],
    types: TypeFields,
) -> list[ReadRow]:
    """Return the rows, each completed with the values of the record that it copies; values in the row take precedence.

    Fields that the type of the new record does not have are left out of the copy.

    :raises VaultFault: INSUFFICIENT_ACCESS unless the caller may read the object.
    """
    if not sources:
        return list(rows)
    require(caller, target.name, Operation.READ)
    # No stored id contains NUL, and PostgreSQL takes no text that does.
    ids = {str(source) for source in sources.values() if "\x00" not in str(source)}
    found = await stored_values(connection, target, sorted(ids), copied_fields(target))
    copied: list[ReadRow] = []
    for row in rows:
        values = found.get(str(sources.get(row.index)))
        if row.index not in sources:
            copied.append(row)
        elif values is None:
            row.fail(
                ErrorType.INVALID_DATA, f"[{SOURCE}] names no record of [{target.name}]"
            )
            copied.append(row)
        else:
            lacking = types.lacking(row.values.get(TYPE), values.get(TYPE))
            left_out = lacking | row.lookups.keys()
            taken = {n: v for n, v in values.items() if n not in left_out}
            copied.append(replace(row, values={**taken, **row.values}))
    return copied


# Callers may not set the fields that the Vault fills, and have to set the required ones.


def check_required(
    target: VaultObject,
    mode: WriteMode,
    rows: Sequence[NewRow],
    types: TypeFields | None = None,
) -> None:
    """Fail new rows that set a system field, or lack a required one; each error names the first such field.

    With ``types``, also fail rows that set a field which their object type does not have.
    """
    required = _required_names(target, mode)
    for row in rows:
        row.errors.extend(guard.error for guard in row.guarded.values())
        if types is not None:
            types.refuse(row, row.values)
        for name in required:
            if row.values.get(name) is None and not row.errors:
                row.fail(
                    ErrorType.PARAMETER_REQUIRED,
                    f"Missing required parameter [{name}]",
                )


def _required_names(target: VaultObject, mode: WriteMode) -> list[str]:
    names: list[str] = []
    for field in target.fields.values():
        if not field.required or field.system or not field.active:
            continue
        # Records that are migrated may lack what is required today, but for their name.
        if mode.migration and field.name != NAME:
            continue
        by_vault = field.name == NAME and field.system_managed_name
        if field.name != STATUS and not by_vault:
            names.append(field.name)
    return names


@dataclass(frozen=True, slots=True)
class Creation:
    """The values that all records created by one batch share; ``date`` is None when the database sets the time."""

    vault_id: int
    user_id: int
    date: datetime | None

    def fill(
        self,
        row: NewRow,
        identifier: str,
        target: VaultObject,
        registry: Registry,
    ) -> None:
        """Set the fields that the Vault fills in a new record: id, user, dates, status, object type and state."""
        values = row.values
        values["id"] = identifier
        values["global_id__sys"] = f"{self.vault_id}_{identifier}"
        # In migration mode the row may have brought these.
        values.setdefault("created_by__v", self.user_id)
        values.setdefault("created_date__v", self.date)
        values.setdefault("modified_by__v", self.user_id)
        values.setdefault("modified_date__v", self.date)
        if row.source_modified is not None:
            values[SOURCE_MODIFIED.name] = row.source_modified
        if values.get(STATUS) is None:
            values[STATUS] = ACTIVE
        untyped = target.allow_types and values.get(TYPE) is None
        if untyped and target.default_type:
            values[TYPE] = registry.object_type_id(target.name, target.default_type)
        if target.lifecycle:
            values["lifecycle__v"] = target.lifecycle
            starting = registry.lifecycles[target.lifecycle].starting_state
            values.setdefault("state__v", starting)


def insert_fields(target: VaultObject, rows: Sequence[NewRow]) -> list[Field]:
    """Return the fields that an insert of these rows sets.

    They are in the object's order, so that calls with the same fields share one prepared statement.
    """
    used: set[str] = set()
    for row in rows:
        used.update(row.values)
    if target.fields[NAME].system_managed_name:
        used.discard(NAME)
    return [field for field in target.fields.values() if field.name in used]


# The roles of new records and documents are filled as the rules of their lifecycles say.


async def fill_roles(
    connection: Connection,
    object_name: str,
    stored: VaultObject,
    lifecycles: Mapping[str, str],
) -> list[RoleEdit]:
    """Assign the roles of new records by the rules, and return the changes to audit.

    ``object_name`` is ``documents`` for documents, whose versions have the object ``stored``; ``lifecycles`` maps
    the ids of the records to their lifecycles.
    """
    rows = await connection.fetch(RULES, list(set(lifecycles.values())))
    # Hardly a lifecycle has rules: then nothing is read of the records.
    if not rows:
        return []
    rules = [
        RoleRule(
            row["lifecycle"],
            row["role"],
            json.loads(row["conditions"]),
            frozenset(row["users"]),
            frozenset(row["groups"]),
        )
        for row in rows
    ]
    named = {name for rule in rules for name in rule.conditions}
    fields = sorted(named & stored.fields.keys())
    values = await _values(connection, object_name, stored, list(lifecycles), fields)
    assigned: list[tuple[str, Assignments]] = []
    for record_id, lifecycle in lifecycles.items():
        found = _assignments(deciding_rules(rules, lifecycle, values[record_id]))
        if found:
            assigned.append((record_id, found))
    return await change_roles(connection, object_name, assigned, RoleChange.ADD)


def _assignments(rules: Iterable[RoleRule]) -> Assignments:
    found: dict[tuple[str, Holder], frozenset[int]] = {}
    for rule in rules:
        if rule.users:
            found[rule.role, Holder.USERS] = rule.users
        if rule.groups:
            found[rule.role, Holder.GROUPS] = rule.groups
    return found


async def _values(
    connection: Connection,
    object_name: str,
    stored: VaultObject,
    ids: Sequence[str],
    fields: Sequence[str],
) -> Mapping[str, Mapping[str, object]]:
    """Return the values of fields by record id."""
    if not fields:
        return defaultdict(dict)
    template = OF_DOCUMENTS if object_name == DOCUMENTS else OF_RECORDS
    listed = ", ".join(quoted(name) for name in fields)
    sql = template.format(fields=listed, table=table(stored.name))
    rows = await connection.fetch(sql, ids)
    return {row["record_id"]: dict(row) for row in rows}
