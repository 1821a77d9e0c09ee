"""Makes the SQL that finds and writes the records of a batch: one statement for all rows, with values in arrays."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.edge_spaces import edge_space_note
from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import LAST
from shared.vault.access.permissions import Operation, may
from shared.vault.errors import ApiError
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import (
    USER_OBJECT,
    follows_from_id,
    ids_of_global_ids,
    name_sequence,
    quoted,
    table,
)
from shared.vault.records.batch_values import Parameters
from shared.vault.records.field_values import column_type
from shared.vault.records.rows import NewRow, ReadRow, ResolvedRow

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

NAME_FORMAT = re.compile(r"(?P<head>[^{]*)\{(?P<digits>0+)\}(?P<tail>[^{]*)\Z")


def insert_statement(
    target: VaultObject,
    fields: Sequence[Field],
    shared: frozenset[str] = frozenset(),
    *,
    leaving_out: bool = True,
) -> str:
    """Return the INSERT of a batch. ``fields`` include ``id``.

    The parameters are those of ``Columns`` with these fields and ``shared`` ones. A row that would break a unique index
    is left out, and the statement returns the ids of the others; without ``leaving_out`` such a row fails it.
    """
    parameters = Parameters(fields, 1, shared)
    source = (
        f"unnest({', '.join(parameters.arrays)}) AS u({', '.join(parameters.aliases)})"
    )
    names = [quoted(field.name) for field in fields]
    values = list(parameters.values)
    if target.fields["name__v"].system_managed_name:
        names.append(quoted("name__v"))
        values.append(_managed_name(parameters.last))
        # Drawn once a row, however often the name contains it.
        drawn = f"nextval('{name_sequence(target.name)}')::text AS number"
        source = f"(SELECT u.*, {drawn} FROM {source}) u"
    into = f"INSERT INTO {table(target.name)} ({', '.join(names)})"
    select = f"SELECT {', '.join(values)} FROM {source}"
    stored = " ON CONFLICT DO NOTHING RETURNING id" if leaving_out else ""
    return f"{into} {select}{stored}"


def _managed_name(last: int) -> str:
    """Return the SQL of a system-managed name; its format (head, digits, tail) follows the arrays as parameters."""
    head, digits, tail = (f"${last + n}" for n in (1, 2, 3))
    # A number with more digits than the format has keeps all of them.
    width = f"greatest({digits}::int, length(u.number))"
    number = f"lpad(u.number, {width}, '0')"
    return f"{head}::text || {number} || {tail}::text"


def name_parameters(target: VaultObject) -> tuple[str, int, str] | tuple[()]:
    """Return the parameters that a system-managed name adds to the INSERT; none for an object without such names."""
    name = target.fields["name__v"]
    if not name.system_managed_name:
        return ()
    match = NAME_FORMAT.match(name.value_format or "{000000}")
    if match is None:
        return ("", 6, "")
    digits = len(match["digits"])
    return match["head"], digits, match["tail"]


def update_statement(
    target: VaultObject,
    fields: Sequence[Field],
    shared: frozenset[str] = frozenset(),
    *,
    later: str | None = None,
) -> str:
    """Return the UPDATE of a batch by id; its parameters are the ids as ``array_text``, and those of ``Columns``.

    The date field ``later`` gets a date at least a millisecond after the stored one: two states of a record never
    share a date, and the later state has the later date.
    """
    parameters = Parameters(fields, 2, shared)
    arrays = ", ".join(["$1::text::text[]", *parameters.arrays])
    columns = ", ".join(["id", *parameters.aliases])
    sets: list[str] = []
    for field, sql_value in zip(fields, parameters.values, strict=True):
        name, value = quoted(field.name), sql_value
        if field.name == later:
            # The last moment of the calendar has none behind it.
            value = f"least(greatest({value}, t.{name} + interval '1 ms'), '{LAST.isoformat()}')"
        sets.append(f"{name} = {value}")
    update = f"UPDATE {table(target.name)} t SET {', '.join(sets)}"
    return f"{update} FROM unnest({arrays}) AS u({columns}) WHERE t.id = u.id"


def lock_statement(target: VaultObject, key: Field, fields: Sequence[Field]) -> str:
    """Return the SELECT that locks the records of a batch by key, ordered by id so that batches cannot deadlock."""
    name = quoted(key.name)
    stored = [_stored(field) for field in fields]
    columns = ", ".join(["id", f"{name} AS key", *stored])
    # Weaker than FOR UPDATE: records that refer to these may be added meanwhile.
    return (
        f"SELECT {columns} FROM {table(target.name)} "
        f"WHERE {_has_key(key)} ORDER BY id FOR NO KEY UPDATE"
    )


def _has_key(key: Field) -> str:
    """Return the condition that a record has one of the keys in the statement's first parameter."""
    # Not the text of an array, whose length PostgreSQL would not know when it plans the statement.
    keys = f"$1::{column_type(key)}[]"
    condition = f"{quoted(key.name)} = ANY({keys})"
    if not follows_from_id(key):
        return condition
    return f"id = {ids_of_global_ids(keys, several=True)} AND {condition}"


def _stored(field: Field) -> str:
    """Return the SQL that selects a stored value in the form of a row: a multi-value picklist as names with commas."""
    name = quoted(field.name)
    if field.multi_value:
        return f"array_to_string({name}, ',') AS {name}"
    return name


def taken_statement(target: VaultObject, field: Field) -> str:
    """Return the SELECT that finds which of the values $1 a unique field stores, each with the id of its record."""
    name = quoted(field.name)
    condition = f"{name} = ANY($1::{column_type(field)}[])"
    return f"SELECT id, {name} AS key FROM {table(target.name)} WHERE {condition}"


def unique_fields(target: VaultObject) -> list[Field]:
    """Return the unique fields that callers set."""
    return [field for field in target.fields.values() if _is_unique(field)]


def _is_unique(field: Field) -> bool:
    # Ids are unique by the way they are handed out.
    if field.system or field.type is FieldType.ID:
        return False
    return field.unique


AUTHORS = ("created_by__v", "modified_by__v")
UNKNOWN_USERS = """
SELECT u.id FROM unnest($1::bigint[]) AS u(id)
WHERE NOT EXISTS (SELECT FROM platform.credential c WHERE c.user_id = u.id)
"""
Found = Mapping[tuple[str, str], Mapping[object, str]]
"""Object and key field → key → id of its record, or ``SEVERAL`` if several records have the key."""
SEVERAL = ""


async def resolve_references(
    connection: Connection,
    registry: Registry,
    target: VaultObject,
    caller: Caller,
    rows: Sequence[ReadRow],
) -> list[ResolvedRow]:
    """Return the rows with ids in place of keys; rows that refer to no record get an error.

    A caller who may not read an object's records cannot refer to them by key: the result would reveal which keys exist.
    Nor are ids of such records looked for; ``fail_unreadable`` and ``Batch`` refuse them.
    """
    for row in rows:
        if row.lookups:
            _refuse_unreadable(target, caller, row)
    ids, others = referenced_keys(target, rows)
    for field in unreadable_references(target, caller):
        ids.pop(field.object or "", None)
    found: dict[tuple[str, str], dict[object, str]] = {}
    for (object_name, key_field), keys in others.items():
        sql = _referred(object_name, registry.objects[object_name].fields[key_field])
        found[object_name, key_field] = by_key = {}
        for record in await connection.fetch(sql, list(keys)):
            key = record["key"]
            # Versions of a document share its unique values.
            alone = record["number"] == 1 and key not in by_key
            by_key[key] = record["id"] if alone else SEVERAL
    absent: dict[str, set[object]] = {}
    for object_name, named in ids.items():
        records = await connection.fetch(_absent(object_name), list(named))
        absent[object_name] = {record["id"] for record in records}
    # Nearly all calls refer only to records that exist.
    references = [
        (field, absent[field.object])
        for field in target.fields.values()
        if _is_reference(field) and field.object and absent.get(field.object)
    ]
    return [resolved(target, row, found, references) for row in rows]


async def fail_unknown_users(connection: Connection, rows: Sequence[ReadRow]) -> None:
    """Fail rows that name a creator or a last modifier, as in migration mode, who is no user."""
    named = {row.values.get(name) for row in rows for name in AUTHORS} - {None}
    if not named:
        return
    records = await connection.fetch(UNKNOWN_USERS, list(named))
    unknown = {record["id"] for record in records}
    for row in rows:
        for name in AUTHORS:
            if row.values.get(name) in unknown:
                row.fail(ErrorType.INVALID_DATA, f"Field [{name}] names no user")


def _absent(object_name: str) -> str:
    """Return the SELECT of those of the ids $1 that no record of an object has."""
    # Hardly any: the statement returns less than one that selects the others.
    return (
        "SELECT u.id FROM unnest($1::text[]) AS u(id) "
        f"WHERE NOT EXISTS (SELECT FROM {table(object_name)} t WHERE t.id = u.id)"
    )


def _referred(object_name: str, key: Field) -> str:
    """Return the SELECT of the records with certain keys: the lowest id and the number of those that share a key."""
    name, source = quoted(key.name), table(object_name)
    condition = _has_key(key)
    # Keys of one record each need not be sorted and counted.
    if key.unique or key.type is FieldType.ID:
        return f"SELECT id, {name} AS key, 1 AS number FROM {source} WHERE {condition}"
    return (
        f"SELECT min(id) AS id, {name} AS key, count(*) AS number FROM {source} "
        f"WHERE {condition} GROUP BY {name}"
    )


def unreadable_references(target: VaultObject, caller: Caller) -> list[Field]:
    """Return an object's reference fields to records that the caller may not read, except users.

    Which users exist everybody sees, by the records that they have made.
    """
    return [
        field
        for field in target.fields.values()
        if _is_reference(field)
        and field.object != USER_OBJECT
        and not may(caller, field.object or "", Operation.READ)
    ]


def fail_unreadable(rows: Sequence[NewRow], fields: Sequence[Field]) -> None:
    """Fail new rows that set one of these fields, which refer to records that the caller may not read."""
    for field in fields:
        for row in rows:
            if row.values.get(field.name) is not None:
                error = unreadable(field)
                row.fail(error.type, error.message)


def unreadable(field: Field) -> ApiError:
    """Return the error of a reference to records that the caller may not read."""
    return ApiError(
        ErrorType.INSUFFICIENT_ACCESS,
        f"The records that field [{field.name}] refers to may not be read",
    )


def _refuse_unreadable(
    target: VaultObject,
    caller: Caller,
    row: ReadRow,
) -> None:
    """Fail a row for each reference by key to records that the caller may not read, and drop that reference."""
    for name in list(row.lookups):
        field = target.fields[name]
        if may(caller, field.object or "", Operation.READ):
            continue
        del row.lookups[name]
        error = unreadable(field)
        row.fail(error.type, error.message)


def referenced_keys(
    target: VaultObject, rows: Sequence[ReadRow]
) -> tuple[dict[str, set[object]], dict[tuple[str, str], set[object]]]:
    """Return the ids that the rows refer to by referenced object, and other keys by referenced object and key field."""
    ids: dict[str, set[object]] = defaultdict(set)
    wanted: dict[tuple[str, str], set[object]] = defaultdict(set)
    by_key = [row for row in rows if row.lookups]
    for field in target.fields.values():
        if not _is_reference(field):
            continue
        identifiers = {row.values.get(field.name) for row in rows} - {None}
        # A field is set by id or by key; reading has refused rows that do both.
        if identifiers:
            ids[field.object or ""] |= identifiers
        for row in by_key:
            if field.name in row.lookups:
                unique, key = row.lookups[field.name]
                wanted[field.object or "", unique].add(key)
    return ids, wanted


def _is_reference(field: Field) -> bool:
    if field.type is not FieldType.OBJECT:
        return False
    return bool(field.object)


def resolved(
    target: VaultObject,
    row: ReadRow,
    found: Found,
    references: Iterable[tuple[Field, Collection[object]]],
) -> ResolvedRow:
    """Return a row with the ids of the records that it refers to, and an error for each record that was not found.

    The new row shares the values and errors of ``row``. ``references`` are fields with the ids that no record has.
    """
    following = ResolvedRow(
        row.index,
        row.key,
        row.values,
        row.guarded,
        row.source_modified,
        row.lineage,
        errors=row.errors,
    )
    for field, absent in references:
        # Checked here because a broken foreign key would fail the whole batch, not the row.
        if row.values.get(field.name) in absent:
            following.fail(
                ErrorType.INVALID_DATA,
                f"Field [{field.name}] refers to no record of [{field.object}]",
            )
    for name, (unique, key) in row.lookups.items():
        field = target.fields[name]
        identifier = found[field.object or "", unique].get(key)
        if identifier is None or identifier == SEVERAL:
            relationship = f"{field.relationship_outbound_name}.{unique}"
            matched = "no record" if identifier is None else "several records"
            message = f"Field [{relationship}] matches {matched} of [{field.object}]"
            note = edge_space_note(key)
            following.fail(ErrorType.INVALID_DATA, message + note)
        else:
            following.values[name] = identifier
    return following
