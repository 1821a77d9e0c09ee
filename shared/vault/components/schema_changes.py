"""Plans the DDL that changes an object's table from one version to another, and the conditions for running it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.vault.components.registry import is_business
from shared.vault.components.schema import (
    SCHEMA,
    count_records,
    count_under,
    create_indexes,
    create_search_index,
    create_unique_index,
    delete_count,
    drop_search_index,
    foreign_key,
    has_sequence,
    needs_unique_index,
    quote,
    refers,
    schema_name,
    search_index,
    table,
)
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import (
    NEVER_EMPTY,
    column_type,
    has_index,
    is_text,
    name_sequence,
    sequence_name,
    words_sql,
)

__all__ = ["Guard", "SchemaChange", "plan", "rename_column", "rename_table"]

# Percent of a page, as migrations 0040 and 0074 set it; docs/performance.md has what others cost.
FILLED = 60
FILLED_TO_HALF = 50
_MAX_BIGINT = 9223372036854775807


@dataclass(frozen=True, slots=True)
class Guard:
    """A query of one Boolean; when it returns true, the change is refused with the message."""

    sql: str
    message: str


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """The DDL of a change, in order; the guards run before it, in the same transaction."""

    statements: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()


def plan(
    old: VaultObject | None,
    new: VaultObject | None,
) -> SchemaChange:
    """Return the DDL that changes the table of ``old`` to that of ``new``; None is an object that does not exist.

    Objects that a new or changed field refers to must have their tables already.
    """
    if new is None:
        return SchemaChange() if old is None else _drop(old)
    if old is None:
        return SchemaChange(tuple(_create(new)))
    return _Alteration(old, new).plan()


def rename_table(
    old: VaultObject,
    new_name: str,
) -> tuple[str, ...]:
    """Return the DDL that renames the table of ``old`` for the renamed object, which has the same fields."""
    statements = [
        f"ALTER TABLE {table(old.name)} RENAME TO {quote(new_name)}",
        count_under(old.name, new_name),
    ]
    if has_sequence(old):
        former = name_sequence(old.name)
        sequence = quote(sequence_name(new_name))
        statements.append(f"ALTER SEQUENCE {former} RENAME TO {sequence}")
    former_index, following_index = search_index(old.name), search_index(new_name)
    statements.append(
        f"ALTER INDEX IF EXISTS {SCHEMA}.{former_index} RENAME TO {following_index}"
    )
    # A later change finds indexes and constraints by names that are made of those of object and field.
    for field in old.fields.values():
        before = (old.name, field.name)
        after = (new_name, field.name)
        statements += _renamed_parts(field, before, after)
    return tuple(statements)


def rename_column(
    owner: VaultObject,
    old: Field,
    new_name: str,
) -> tuple[str, ...]:
    """Return the DDL that renames the column of a field."""
    former, following = quote(old.name), quote(new_name)
    before = (owner.name, old.name)
    after = (owner.name, new_name)
    return (
        # It has the columns in the order of their names; the background builds it again.
        drop_search_index(owner.name),
        f"ALTER TABLE {table(owner.name)} RENAME COLUMN {former} TO {following}",
        *_renamed_parts(old, before, after),
    )


def _renamed_parts(
    field: Field,
    before: tuple[str, str],
    after: tuple[str, str],
) -> Iterator[str]:
    """Yield the DDL that renames the indexes and constraints of a field, after the table has been renamed.

    ``before`` and ``after`` are the names of the object and of the field.
    """
    if needs_unique_index(field):
        yield _rename_index(before, after, "key")
    # Other fields with such an index belong to documents, whose table is never renamed.
    if refers(field):
        yield _rename_index(before, after, "idx")
        old = quote(schema_name(*before, "fkey"))
        new = quote(schema_name(*after, "fkey"))
        yield f"ALTER TABLE {table(after[0])} RENAME CONSTRAINT {old} TO {new}"


def _rename_index(
    before: tuple[str, str],
    after: tuple[str, str],
    suffix: str,
) -> str:
    old = quote(schema_name(*before, suffix))
    new = quote(schema_name(*after, suffix))
    return f"ALTER INDEX {SCHEMA}.{old} RENAME TO {new}"


def _create(new: VaultObject) -> list[str]:
    fields = new.fields.values()
    columns = [f"{_column(field)}{_column_suffix(field)}" for field in fields]
    constraints = [foreign_key(new.name, field) for field in fields if refers(field)]
    contents = ", ".join(columns + constraints)
    filled = f"WITH (fillfactor = {_fill_factor(new)})"
    statements = [f"CREATE TABLE {table(new.name)} ({contents}) {filled}"]
    for field in fields:
        statements += create_indexes(new.name, field)
    if has_index(new):
        # Nobody waits for an index of an empty table.
        statements.append(create_search_index(new))
    statements += count_records(new.name)
    if has_sequence(new):
        statements.append(f"CREATE SEQUENCE {name_sequence(new.name)}")
    return statements


def _fill_factor(owner: VaultObject) -> int:
    """Return the fill factor of a table; pages of business records keep free space for updates."""
    # A version in its record's own page, by a change of no indexed column, costs no index an entry (HOT).
    if not is_business(owner.name):
        return 100
    # A picklist that is changed often is not searched, so that each record may have a second version there.
    often_changed = not all(field.search for field in owner.fields.values())
    return FILLED_TO_HALF if often_changed else FILLED


def _drop(old: VaultObject) -> SchemaChange:
    name = table(old.name)
    has_records = Guard(
        f"SELECT EXISTS (SELECT 1 FROM {name})",
        f"Object {old.name} still has records.",
    )
    # References of its own records to each other go with the table.
    is_referred_to = Guard(
        "SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE contype = 'f' "
        f"AND confrelid = to_regclass('{name}') AND conrelid <> confrelid)",
        f"Other objects still refer to object {old.name}.",
    )
    statements = [f"DROP TABLE {name}", delete_count(old.name)]
    if has_sequence(old):
        statements.append(f"DROP SEQUENCE {name_sequence(old.name)}")
    return SchemaChange(tuple(statements), (has_records, is_referred_to))


def _column(field: Field) -> str:
    return f"{quote(field.name)} {column_type(field)}"


def _column_suffix(field: Field) -> str:
    if field.type is FieldType.ID:
        return " PRIMARY KEY"
    return " NOT NULL" if field.name in NEVER_EMPTY else ""


class _Alteration:
    """Collects the statements and guards of one object's change."""

    def __init__(
        self,
        old: VaultObject,
        new: VaultObject,
    ) -> None:
        self._old = old
        self._new = new
        self._table = table(new.name)
        self._statements: list[str] = []
        self._guards: list[Guard] = []

    def plan(self) -> SchemaChange:
        """Return the DDL that changes the old table to the new one."""
        self._guard_prefix()
        self._guard_lifecycle()
        self._drop_search_index()
        if _fill_factor(self._old) != _fill_factor(self._new):
            self._alter(f"SET (fillfactor = {_fill_factor(self._new)})")
        for name, field in self._old.fields.items():
            if name not in self._new.fields:
                self._drop_column(field)
        for name, field in self._new.fields.items():
            former = self._old.fields.get(name)
            if former is None:
                self._add_column(field)
            else:
                self._alter_field(former, field)
        self._alter_sequence()
        return SchemaChange(tuple(self._statements), tuple(self._guards))

    def _alter(self, change: str) -> None:
        self._statements.append(f"ALTER TABLE {self._table} {change}")

    def _drop_search_index(self) -> None:
        """Drop the search index if the new one has other columns; the new one is built in the background."""
        unwanted = has_index(self._old) and not has_index(self._new)
        # First, since the columns of its expression are about to change.
        if unwanted or words_sql(self._old) != words_sql(self._new):
            self._statements.append(drop_search_index(self._new.name))

    def _guard_prefix(self) -> None:
        if self._old.prefix != self._new.prefix:
            sql = f"SELECT EXISTS (SELECT 1 FROM {self._table})"
            problem = "prefix is part of existing record ids."
            self._guards.append(Guard(sql, f"Object {self._new.name}: {problem}"))

    def _guard_lifecycle(self) -> None:
        former = self._old.lifecycle
        following = self._new.lifecycle
        if former and following and former != following:
            state = self._new.fields["state__v"]
            self._guard(state, "", "has records in states of the former lifecycle")

    def _guard(
        self,
        field: Field,
        condition: str,
        problem: str,
    ) -> None:
        """Add a guard that refuses the change if a record meets ``condition``; ``{column}`` is the field's column."""
        column = quote(field.name)
        found = f"{column} IS NOT NULL"
        if condition:
            found += f" AND {condition.format(column=column)}"
        sql = f"SELECT EXISTS (SELECT 1 FROM {self._table} WHERE {found})"
        message = f"Object {self._new.name}: field {field.name} {problem}."
        self._guards.append(Guard(sql, message))

    def _drop_column(self, field: Field) -> None:
        self._guard(field, "", "still has values, which would be lost")
        self._alter(f"DROP COLUMN {quote(field.name)}")

    def _add_column(self, field: Field) -> None:
        self._alter(f"ADD COLUMN {_column(field)}")
        if refers(field):
            self._alter(f"ADD {foreign_key(self._new.name, field)}")
        self._statements += create_indexes(self._new.name, field)

    def _alter_field(self, old: Field, new: Field) -> None:
        if self._is_replacement(old, new):
            self._drop_column(old)
            self._add_column(new)
            return
        self._guard_length(old, new)
        self._alter_number(old, new)
        self._alter_multi_value(old, new)
        self._alter_reference(old, new)
        self._alter_unique(old, new)

    @staticmethod
    def _is_replacement(old: Field, new: Field) -> bool:
        """Return whether no value of the old field can be a value of the new field."""
        # Texts of all lengths have one type of column.
        if old.type is not new.type:
            both_are_text = is_text(old.type) and is_text(new.type)
            return not both_are_text
        # The values name records of the former object, or entries of the former picklist.
        return old.object != new.object or old.picklist != new.picklist

    def _guard_length(self, old: Field, new: Field) -> None:
        limit = new.max_length
        if limit is None:
            return
        if old.max_length is None or limit < old.max_length:
            condition = f"char_length({{column}}) > {int(limit)}"
            self._guard(new, condition, f"has values longer than {limit} characters")

    def _alter_number(self, old: Field, new: Field) -> None:
        former = int(old.scale or 0)
        scale = int(new.scale or 0)
        if new.type is not FieldType.NUMBER or former == scale:
            return
        if scale < former:
            condition = f"{{column}} <> round({{column}}, {scale})"
            self._guard(new, condition, f"has more than {scale} decimals")
        # Numbers without decimals are bigint: numeric has no such limit.
        if scale == 0:
            condition = f"abs({{column}}) > {_MAX_BIGINT}"
            self._guard(new, condition, "has values too large for a whole number")
        self._alter_type(old, new, f"{quote(new.name)}::{column_type(new)}")

    def _alter_multi_value(
        self,
        old: Field,
        new: Field,
    ) -> None:
        if old.multi_value == new.multi_value:
            return
        column = quote(new.name)
        if new.multi_value:
            # A record without a value stays without one, instead of having an array of NULL.
            values = f"CASE WHEN {column} IS NOT NULL THEN ARRAY[{column}] END"
            self._alter_type(old, new, values)
            return
        condition = "cardinality({column}) > 1"
        self._guard(new, condition, "has records with several values")
        self._alter_type(old, new, f"{column}[1]")

    def _alter_type(
        self,
        old: Field,
        new: Field,
        using: str,
    ) -> None:
        following = column_type(new)
        # A change of type can rewrite the whole table.
        if column_type(old) != following:
            column = quote(new.name)
            self._alter(f"ALTER COLUMN {column} TYPE {following} USING {using}")

    def _alter_reference(
        self,
        old: Field,
        new: Field,
    ) -> None:
        if new.object is None or old.relationship_deletion is new.relationship_deletion:
            return
        # PostgreSQL cannot change ON DELETE of a constraint that exists.
        constraint = quote(schema_name(self._new.name, new.name, "fkey"))
        self._alter(f"DROP CONSTRAINT {constraint}")
        self._alter(f"ADD {foreign_key(self._new.name, new)}")

    def _alter_unique(self, old: Field, new: Field) -> None:
        before = needs_unique_index(old)
        after = needs_unique_index(new)
        if before and not after:
            index = quote(schema_name(self._new.name, new.name, "key"))
            self._statements.append(f"DROP INDEX {SCHEMA}.{index}")
        if after and not before:
            self._guard_duplicates(new)
            self._statements.append(create_unique_index(self._new.name, new.name))

    def _guard_duplicates(self, field: Field) -> None:
        column = quote(field.name)
        sql = (
            f"SELECT EXISTS (SELECT 1 FROM {self._table} WHERE {column} IS NOT NULL "
            f"GROUP BY {column} HAVING count(*) > 1)"
        )
        message = f"Object {self._new.name}: field {field.name} has duplicate values."
        self._guards.append(Guard(sql, message))

    def _alter_sequence(self) -> None:
        before = has_sequence(self._old)
        after = has_sequence(self._new)
        sequence = name_sequence(self._new.name)
        if after and not before:
            self._statements.append(f"CREATE SEQUENCE {sequence}")
        if before and not after:
            self._statements.append(f"DROP SEQUENCE {sequence}")
