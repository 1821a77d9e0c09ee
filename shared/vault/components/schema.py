"""The difference between two versions of an object, as DDL and the conditions under which it may run."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipDeletion,
    VaultObject,
)

SCHEMA = "records"
FILES = "platform.field_file (handle)"  # what fields of type Attachment refer to

_IDENTIFIER = re.compile(r"[a-z0-9_]{1,63}")
_MAX_IDENTIFIER = 63
_TEXT_TYPES = frozenset({FieldType.STRING, FieldType.LONG_TEXT, FieldType.RICH_TEXT})
_ON_DELETE = {
    RelationshipDeletion.BLOCK: "NO ACTION",
    RelationshipDeletion.SET_NULL: "SET NULL",
    RelationshipDeletion.CASCADE: "CASCADE",
}
_INDEXED = frozenset(
    {"modified_date__v", "document_id__sys", "version_modified_date__v"}
)
_NOT_NULL = frozenset(
    {
        "global_id__sys",
        "created_by__v",
        "created_date__v",
        "modified_by__v",
        "modified_date__v",
    }
)


@dataclass(frozen=True, slots=True)
class Guard:
    """A query of one Boolean; if it answers true the change is refused with the message."""

    sql: str
    message: str


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """DDL to run in order; the guards come first, in the same transaction."""

    statements: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()


def quote(identifier: str) -> str:
    """An identifier as SQL text; the only way by which a name gets there.

    :raises ComponentError: if it has anything but lower-case letters, digits and underscores.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        raise ComponentError(
            "A name has characters that a database identifier may not have.",
            Code.INVALID_NAME,
        )
    return f'"{identifier}"'


def table(object_name: str) -> str:
    """The table of an object, qualified and quoted."""
    return f"{SCHEMA}.{quote(object_name)}"


def name_sequence(object_name: str) -> str:
    """The sequence behind an object's system-managed names, qualified and quoted."""
    return f"{SCHEMA}.{quote(f'{object_name}_name_seq')}"


def column_type(field: Field) -> str:
    """The PostgreSQL type of a field's column."""
    match field.type:
        case FieldType.NUMBER:
            return "numeric" if field.scale else "bigint"
        case FieldType.BOOLEAN:
            return "boolean"
        case FieldType.DATE:
            return "date"
        case FieldType.DATE_TIME:
            return "timestamptz"
        case FieldType.PICKLIST if field.multi_value:
            return "text[]"
        case _:
            return "text"


def plan(old: VaultObject | None, new: VaultObject | None) -> SchemaChange:
    """What turns the table of ``old`` into that of ``new``; None means that the object does not exist.

    Objects that a new or changed field refers to must have their tables already.
    """
    if new is None:
        return SchemaChange() if old is None else _drop(old)
    if old is None:
        return SchemaChange(tuple(_create(new)))
    return _Alteration(old, new).plan()


def _create(new: VaultObject) -> list[str]:
    columns = [
        f"{quote(f.name)} {column_type(f)}{_column_suffix(f)}"
        for f in new.fields.values()
    ]
    constraints = [_foreign_key(new.name, f) for f in new.fields.values() if refers(f)]
    statements = [
        f"CREATE TABLE {table(new.name)} ({', '.join(columns + constraints)})"
    ]
    for field in new.fields.values():
        statements += _indexes(new.name, field)
    if has_sequence(new):
        statements.append(f"CREATE SEQUENCE {name_sequence(new.name)}")
    return statements


def _drop(old: VaultObject) -> SchemaChange:
    name = table(old.name)
    guards = (
        Guard(
            f"SELECT EXISTS (SELECT 1 FROM {name})",
            f"Object {old.name} still has records.",
        ),
        Guard(
            "SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE contype = 'f' "
            f"AND confrelid = to_regclass('{name}') AND conrelid <> confrelid)",
            f"Other objects still refer to object {old.name}.",
        ),
    )
    statements = [f"DROP TABLE {name}"]
    if has_sequence(old):
        statements.append(f"DROP SEQUENCE {name_sequence(old.name)}")
    return SchemaChange(tuple(statements), guards)


def _column_suffix(field: Field) -> str:
    if field.type is FieldType.ID:
        return " PRIMARY KEY"
    return " NOT NULL" if field.name in _NOT_NULL else ""


def refers(field: Field) -> bool:
    """Whether the field's column is a foreign key: to another object's records, or to files."""
    return field.object is not None or field.type is FieldType.ATTACHMENT


def _foreign_key(object_name: str, field: Field) -> str:
    constraint = quote(schema_name(object_name, field.name, "fkey"))
    referenced = FILES if field.object is None else f"{table(field.object)} (id)"
    deletion = (
        "NO ACTION" if field.object is None else _ON_DELETE[field.relationship_deletion]
    )
    return f"CONSTRAINT {constraint} FOREIGN KEY ({quote(field.name)}) REFERENCES {referenced} ON DELETE {deletion}"


def _indexes(object_name: str, field: Field) -> list[str]:
    statements = []
    if needs_unique_index(field):
        statements.append(_create_index(object_name, field.name, "key", "UNIQUE INDEX"))
    if refers(field) or field.name in _INDEXED:
        statements.append(_create_index(object_name, field.name, "idx", "INDEX"))
    return statements


def needs_unique_index(field: Field) -> bool:
    """Whether the field's values are kept apart by an index; ids are by the primary key."""
    return field.unique and field.type is not FieldType.ID


def _create_index(object_name: str, field_name: str, suffix: str, kind: str) -> str:
    name = quote(schema_name(object_name, field_name, suffix))
    return f"CREATE {kind} {name} ON {table(object_name)} ({quote(field_name)})"


def schema_name(object_name: str, field_name: str, suffix: str) -> str:
    """A constraint's or index's name; what PostgreSQL would cut off is replaced by a digest."""
    name = f"{object_name}_{field_name}_{suffix}"
    if len(name) <= _MAX_IDENTIFIER:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: _MAX_IDENTIFIER - len(suffix) - 14]}_{digest}_{suffix}"


def has_sequence(vault_object: VaultObject) -> bool:
    """Whether a sequence counts the object's names."""
    return vault_object.fields["name__v"].system_managed_name


class _Alteration:
    """Collects what one ALTER comes to."""

    def __init__(self, old: VaultObject, new: VaultObject) -> None:
        self._old = old
        self._new = new
        self._table = table(new.name)
        self._statements: list[str] = []
        self._guards: list[Guard] = []

    def plan(self) -> SchemaChange:
        if self._old.prefix != self._new.prefix:
            sql = f"SELECT EXISTS (SELECT 1 FROM {self._table})"
            self._guards.append(
                Guard(
                    sql,
                    f"Object {self._new.name}: prefix is part of existing record ids.",
                )
            )
        if (
            self._old.lifecycle
            and self._new.lifecycle
            and self._old.lifecycle != self._new.lifecycle
        ):
            self._guard(
                self._new.fields["state__v"],
                "",
                "has records in states of the former lifecycle",
            )
        for name, field in self._old.fields.items():
            if name not in self._new.fields:
                self._guard_any_value(field)
                self._statements.append(
                    f"ALTER TABLE {self._table} DROP COLUMN {quote(name)}"
                )
        for name, field in self._new.fields.items():
            if name in self._old.fields:
                self._alter_field(self._old.fields[name], field)
            else:
                self._add_column(field)
        self._alter_sequence()
        return SchemaChange(tuple(self._statements), tuple(self._guards))

    def _guard(self, field: Field, condition: str, problem: str) -> None:
        column = quote(field.name)
        more = f" AND {condition.format(column=column)}" if condition else ""
        sql = f"SELECT EXISTS (SELECT 1 FROM {self._table} WHERE {column} IS NOT NULL{more})"
        self._guards.append(
            Guard(sql, f"Object {self._new.name}: field {field.name} {problem}.")
        )

    def _guard_any_value(self, field: Field) -> None:
        self._guard(field, "", "still has values, which would be lost")

    def _add_column(self, field: Field) -> None:
        column = f"{quote(field.name)} {column_type(field)}"
        self._statements.append(f"ALTER TABLE {self._table} ADD COLUMN {column}")
        self._add_constraints(field)

    def _add_constraints(self, field: Field) -> None:
        if refers(field):
            self._statements.append(
                f"ALTER TABLE {self._table} ADD {_foreign_key(self._new.name, field)}"
            )
        self._statements += _indexes(self._new.name, field)

    def _alter_field(self, old: Field, new: Field) -> None:
        if self._is_replacement(old, new):
            self._guard_any_value(old)
            self._statements.append(
                f"ALTER TABLE {self._table} DROP COLUMN {quote(old.name)}"
            )
            self._add_column(new)
            return
        if new.max_length is not None and (
            old.max_length is None or new.max_length < old.max_length
        ):
            condition = f"char_length({{column}}) > {int(new.max_length)}"
            self._guard(
                new, condition, f"has values longer than {new.max_length} characters"
            )
        self._alter_number(old, new)
        self._alter_multi_value(old, new)
        self._alter_reference(old, new)
        self._alter_unique(old, new)

    @staticmethod
    def _is_replacement(old: Field, new: Field) -> bool:
        if old.type is not new.type:
            return not (old.type in _TEXT_TYPES and new.type in _TEXT_TYPES)
        return old.object != new.object or old.picklist != new.picklist

    def _alter_number(self, old: Field, new: Field) -> None:
        if new.type is not FieldType.NUMBER or (old.scale or 0) == (new.scale or 0):
            return
        scale = int(new.scale or 0)
        if scale < (old.scale or 0):
            self._guard(
                new,
                f"{{column}} <> round({{column}}, {scale})",
                f"has more than {scale} decimals",
            )
        if scale == 0:
            self._guard(
                new,
                "abs({column}) > 9223372036854775807",
                "has values too large for a whole number",
            )
        self._alter_type(old, new, f"{quote(new.name)}::{column_type(new)}")

    def _alter_multi_value(self, old: Field, new: Field) -> None:
        if old.multi_value == new.multi_value:
            return
        column = quote(new.name)
        if new.multi_value:
            self._alter_type(
                old, new, f"CASE WHEN {column} IS NOT NULL THEN ARRAY[{column}] END"
            )
        else:
            self._guard(
                new, "cardinality({column}) > 1", "has records with several values"
            )
            self._alter_type(old, new, f"{column}[1]")

    def _alter_type(self, old: Field, new: Field, using: str) -> None:
        if column_type(old) != column_type(new):
            change = (
                f"ALTER COLUMN {quote(new.name)} TYPE {column_type(new)} USING {using}"
            )
            self._statements.append(f"ALTER TABLE {self._table} {change}")

    def _alter_reference(self, old: Field, new: Field) -> None:
        if new.object is None or old.relationship_deletion is new.relationship_deletion:
            return
        constraint = quote(schema_name(self._new.name, new.name, "fkey"))
        self._statements.append(
            f"ALTER TABLE {self._table} DROP CONSTRAINT {constraint}"
        )
        self._statements.append(
            f"ALTER TABLE {self._table} ADD {_foreign_key(self._new.name, new)}"
        )

    def _alter_unique(self, old: Field, new: Field) -> None:
        before, after = needs_unique_index(old), needs_unique_index(new)
        if before and not after:
            index = quote(schema_name(self._new.name, new.name, "key"))
            self._statements.append(f"DROP INDEX {SCHEMA}.{index}")
        if after and not before:
            column = quote(new.name)
            sql = (
                f"SELECT EXISTS (SELECT 1 FROM {self._table} WHERE {column} IS NOT NULL "
                f"GROUP BY {column} HAVING count(*) > 1)"
            )
            self._guards.append(
                Guard(
                    sql,
                    f"Object {self._new.name}: field {new.name} has duplicate values.",
                )
            )
            self._statements.append(
                _create_index(self._new.name, new.name, "key", "UNIQUE INDEX")
            )

    def _alter_sequence(self) -> None:
        before, after = has_sequence(self._old), has_sequence(self._new)
        if after and not before:
            self._statements.append(f"CREATE SEQUENCE {name_sequence(self._new.name)}")
        if before and not after:
            self._statements.append(f"DROP SEQUENCE {name_sequence(self._new.name)}")
