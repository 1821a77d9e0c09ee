"""SQL of the write path: one statement for a whole batch, values in arrays, names quoted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.vault.components.schema import name_sequence, quote, table
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.field_values import column_type

NAME_FORMAT = re.compile(r"(?P<head>[^{]*)\{(?P<digits>0+)\}(?P<tail>[^{]*)\Z")


def _carried(field: Field, alias: str) -> str:
    """The stored value of a carried one: multi-value picklists travel as comma-separated names."""
    return f"string_to_array({alias}, ',')" if field.multi_value else alias


def insert_statement(target: VaultObject, fields: Sequence[Field]) -> str:
    """Insert a batch, one array parameter a field (``fields`` include ``id``); RETURNING the ids stored.

    A row that would break a unique index is left out, and so is missing from what is returned.
    """
    names = [quote(f.name) for f in fields]
    arrays = ", ".join(f"${n}::{column_type(f)}[]" for n, f in enumerate(fields, 1))
    values = [_carried(f, f"u.c{n}") for n, f in enumerate(fields, 1)]
    source = f"unnest({arrays}) AS u({', '.join(f'c{n}' for n in range(1, len(fields) + 1))})"
    if target.fields["name__v"].system_managed_name:
        names.append(quote("name__v"))
        values.append(_managed_name(len(fields)))
        # Drawn once a row, however often the name speaks of it.
        source = f"(SELECT u.*, nextval('{name_sequence(target.name)}')::text AS number FROM {source}) u"
    return (
        f"INSERT INTO {table(target.name)} ({', '.join(names)}) SELECT {', '.join(values)} FROM {source} "
        "ON CONFLICT DO NOTHING RETURNING id"
    )


def _managed_name(last: int) -> str:
    """The name of a row's number; head, digits and tail of the format follow the arrays as parameters."""
    head, digits, tail = (f"${last + n}" for n in (1, 2, 3))
    return f"{head}::text || lpad(u.number, greatest({digits}::int, length(u.number)), '0') || {tail}::text"


def name_parameters(target: VaultObject) -> tuple[str, int, str] | tuple[()]:
    """The parameters that a system-managed name adds to the insert."""
    name = target.fields["name__v"]
    if not name.system_managed_name:
        return ()
    match = NAME_FORMAT.match(name.value_format or "{000000}")
    if match is None:
        return ("", 6, "")
    return match["head"], len(match["digits"]), match["tail"]


def update_statement(
    target: VaultObject,
    fields: Sequence[Field],
    *,
    later: str | None = None,
) -> str:
    """Update a batch by id: array of ids, then one array a field.

    The date field ``later`` gets a date after the stored one, a millisecond at least: two states of a record never
    share it, and the later state has the later date.
    """
    arrays = ", ".join(
        ["$1::text[]", *(f"${n}::{column_type(f)}[]" for n, f in enumerate(fields, 2))]
    )
    aliases = ", ".join(["id", *(f"c{n}" for n in range(2, len(fields) + 2))])
    values = {
        f.name: f"greatest(u.c{n}, t.{quote(f.name)} + interval '1 ms')"
        if f.name == later
        else _carried(f, f"u.c{n}")
        for n, f in enumerate(fields, 2)
    }
    sets = ", ".join(f"{quote(name)} = {value}" for name, value in values.items())
    return f"UPDATE {table(target.name)} t SET {sets} FROM unnest({arrays}) AS u({aliases}) WHERE t.id = u.id"


def lock_statement(
    target: VaultObject,
    key: Field,
    fields: Sequence[Field],
) -> str:
    """Lock the records of a batch by key, in the order of their ids so that two batches never wait for each other."""
    columns = ", ".join(
        ["id", f"{quote(key.name)} AS key", *(_stored(f) for f in fields)]
    )
    return (
        f"SELECT {columns} FROM {table(target.name)} "
        f"WHERE {quote(key.name)} = ANY($1::{column_type(key)}[]) ORDER BY id FOR NO KEY UPDATE"
    )


def _stored(field: Field) -> str:
    name = quote(field.name)
    return f"array_to_string({name}, ',') AS {name}" if field.multi_value else name


def taken_statement(target: VaultObject, field: Field) -> str:
    """Which of the given values of a unique field are stored, and in which record."""
    name = quote(field.name)
    return f"SELECT id, {name} AS key FROM {table(target.name)} WHERE {name} = ANY($1::{column_type(field)}[])"


def unique_fields(target: VaultObject) -> list[Field]:
    """The fields whose values may occur once."""
    return [
        f
        for f in target.fields.values()
        if f.unique and f.type is not FieldType.ID and not f.system
    ]
