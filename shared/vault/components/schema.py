"""Names tables, columns, indexes and constraints of objects as SQL text, and chooses the types of their columns."""

from __future__ import annotations

import hashlib
import re
from typing import assert_never

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipDeletion,
    VaultObject,
)
from shared.vault.model.field_types import NEVER_EMPTY, follows_from_id, words_sql

SCHEMA = "records"
FILES = "platform.field_file (handle)"  # what fields of type Attachment refer to

_IDENTIFIER = re.compile(r"[a-z0-9_]{1,63}")
_MAX_IDENTIFIER = 63  # bytes; PostgreSQL cuts off the rest without an error
_DIGEST_LENGTH = 12
_INDEXED = frozenset({"document_id__sys", "version_modified_date__v"})


def quote(identifier: str) -> str:
    """Return an identifier as SQL text; every name of a component enters SQL through this function.

    :raises ComponentError: INVALID_NAME if it has anything but lower-case letters, digits and underscores.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        message = "A name has characters that a database identifier may not have."
        raise ComponentError(message, Code.INVALID_NAME)
    # In quotes even a keyword of SQL is a name.
    return f'"{identifier}"'


def constant(value: object) -> str:
    """Return a declared value, or a list of values, as SQL text: the condition of an index can have no parameters.

    :raises ComponentError: INVALID_NAME if a value has anything but lower-case letters, digits and underscores.
    """
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(constant, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    quote(str(value))
    return f"'{value}'"


def table(object_name: str) -> str:
    """Return the table of an object, qualified and quoted."""
    return f"{SCHEMA}.{quote(object_name)}"


def has_sequence(vault_object: VaultObject) -> bool:
    """Return whether a sequence counts the object's names."""
    return vault_object.fields["name__v"].system_managed_name


def refers(field: Field) -> bool:
    """Return whether the field's column is a foreign key: to another object's records, or to files."""
    match field.type:
        case FieldType.ATTACHMENT:
            return True
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.PICKLIST
            | FieldType.OBJECT
        ):
            return field.object is not None
        case _:
            assert_never(field.type)


def needs_unique_index(field: Field) -> bool:
    """Return whether a field needs an index to keep its values unique; ids have the primary key."""
    # Global IDs are as unique as the ids in them, by which records are found.
    by_id = field.type is FieldType.ID or follows_from_id(field)
    return field.unique and not by_id


def needs_index(field: Field) -> bool:
    """Return whether the field has an index that allows equal values."""
    # PostgreSQL has no index for a foreign key by itself: deleting a record would read all that may
    # refer to it.
    return refers(field) or field.name in _INDEXED


def schema_name(
    object_name: str,
    field_name: str,
    suffix: str,
) -> str:
    """Return the name of a constraint (``fkey``) or index (``key``, ``idx``) of a field.

    A name that PostgreSQL would cut off ends in a digest of the whole name instead, so that long names stay distinct.
    """
    name = f"{object_name}_{field_name}_{suffix}"
    if len(name) <= _MAX_IDENTIFIER:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    ending = f"_{digest}_{suffix}"
    beginning = name[: _MAX_IDENTIFIER - len(ending)]
    return beginning + ending


def _on_delete(deletion: RelationshipDeletion) -> str:
    """Return the ON DELETE clause of a reference field."""
    match deletion:
        case RelationshipDeletion.BLOCK:
            return "NO ACTION"
        case RelationshipDeletion.SET_NULL:
            return "SET NULL"
        case RelationshipDeletion.CASCADE:
            return "CASCADE"
        case _:
            assert_never(deletion)


def foreign_key(object_name: str, field: Field) -> str:
    """Return the foreign key of a reference field, for CREATE TABLE and ALTER TABLE … ADD."""
    constraint = quote(schema_name(object_name, field.name, "fkey"))
    column = quote(field.name)
    if field.object is None:
        # A file stays while a record has it.
        referenced, deletion = FILES, "NO ACTION"
    else:
        referenced = f"{table(field.object)} (id)"
        deletion = _on_delete(field.relationship_deletion)
    return f"CONSTRAINT {constraint} FOREIGN KEY ({column}) REFERENCES {referenced} ON DELETE {deletion}"


def create_unique_index(
    object_name: str,
    field_name: str,
) -> str:
    """Return the statement that creates the index that keeps the values of a field unique."""
    return _create_index(
        object_name,
        field_name,
        "key",
        "UNIQUE INDEX",
    )


def create_indexes(
    object_name: str,
    field: Field,
) -> list[str]:
    """Return the statements for the indexes of a field."""
    statements = []
    if needs_unique_index(field):
        statements.append(create_unique_index(object_name, field.name))
    if needs_index(field):
        statements.append(
            _create_index(
                object_name,
                field.name,
                "idx",
                "INDEX",
            )
        )
    return statements


def search_index(object_name: str) -> str:
    """Return the name of an object's search index, quoted."""
    return quote(schema_name(object_name, "text", "words"))


def create_search_index(owner: VaultObject, *, concurrently: bool = False) -> str:
    """Return the statement that creates an object's search index; with ``concurrently`` it does not block writes."""
    kind = "INDEX CONCURRENTLY" if concurrently else "INDEX"
    name = search_index(owner.name)
    return f"CREATE {kind} {name} ON {table(owner.name)} USING gin ({words_sql(owner)})"


def drop_search_index(object_name: str) -> str:
    """Return the statement that drops an object's search index, if the index exists."""
    return f"DROP INDEX IF EXISTS {SCHEMA}.{search_index(object_name)}"


def order_index(object_name: str, field_name: str, *, descending: bool) -> str:
    """Return the name of the index that has an object's records in the order of a field."""
    return schema_name(object_name, field_name, "desc" if descending else "asc")


def create_order_index(object_name: str, field_name: str, *, descending: bool) -> str:
    """Return the statement that creates the index for ordering an object's records by a field, as queries do.

    The creation does not block writes.
    """
    name = quote(order_index(object_name, field_name, descending=descending))
    # Queries say nothing of records without a value where there are none.
    last = "" if field_name in NEVER_EMPTY else " NULLS LAST"
    direction = f" DESC{last}" if descending else ""
    order = f"{quote(field_name)}{direction}, id"
    return f"CREATE INDEX CONCURRENTLY {name} ON {table(object_name)} ({order})"


def count_records(object_name: str) -> list[str]:
    """Return the statements that start counting the records of a new object, which has none."""
    # Migration 0043 has the function, and the same triggers for the objects that there were.
    counted = f"ON {table(object_name)} REFERENCING"
    call = "AS changed_records FOR EACH STATEMENT EXECUTE FUNCTION platform.count_records()"
    return [
        f"CREATE TRIGGER records_added AFTER INSERT {counted} NEW TABLE {call}",
        f"CREATE TRIGGER records_removed AFTER DELETE {counted} OLD TABLE {call}",
    ]


def count_under(object_name: str, new_name: str) -> str:
    """Return the statement that stores the count of an object's records under the object's new name."""
    quote(object_name)
    quote(new_name)
    return f"UPDATE platform.record_count SET object = '{new_name}' WHERE object = '{object_name}'"


def delete_count(object_name: str) -> str:
    """Return the statement that removes the count of a dropped object's records."""
    quote(object_name)
    return f"DELETE FROM platform.record_count WHERE object = '{object_name}'"


def _create_index(
    object_name: str,
    field_name: str,
    suffix: str,
    kind: str,
) -> str:
    name = quote(schema_name(object_name, field_name, suffix))
    column = quote(field_name)
    return f"CREATE {kind} {name} ON {table(object_name)} ({column})"
