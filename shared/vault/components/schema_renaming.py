"""DDL that gives tables, columns and what is called after them their new names; data stay where they are."""

from __future__ import annotations

from collections.abc import Iterator

from shared.vault.components.schema import (
    SCHEMA,
    has_sequence,
    name_sequence,
    needs_unique_index,
    quote,
    refers,
    schema_name,
    table,
)
from shared.vault.model.component_model import Field, VaultObject

__all__ = ["rename_column", "rename_table"]


def rename_table(old: VaultObject, new_name: str) -> tuple[str, ...]:
    """What turns the table of ``old`` into that of an object of the new name, otherwise the same."""
    statements = [f"ALTER TABLE {table(old.name)} RENAME TO {quote(new_name)}"]
    if has_sequence(old):
        sequence = quote(f"{new_name}_name_seq")
        statements.append(
            f"ALTER SEQUENCE {name_sequence(old.name)} RENAME TO {sequence}"
        )
    for field in old.fields.values():
        statements += _renamed_parts(
            field, (old.name, field.name), (new_name, field.name)
        )
    return tuple(statements)


def rename_column(owner: VaultObject, old: Field, new_name: str) -> tuple[str, ...]:
    """What gives the column of a field its new name."""
    return (
        f"ALTER TABLE {table(owner.name)} RENAME COLUMN {quote(old.name)} TO {quote(new_name)}",
        *_renamed_parts(old, (owner.name, old.name), (owner.name, new_name)),
    )


def _renamed_parts(
    field: Field, before: tuple[str, str], after: tuple[str, str]
) -> Iterator[str]:
    """Indexes and constraints; the table has its new name already."""
    if needs_unique_index(field):
        yield _rename_index(schema_name(*before, "key"), schema_name(*after, "key"))
    if refers(field) or field.name == "modified_date__v":
        yield _rename_index(schema_name(*before, "idx"), schema_name(*after, "idx"))
    if refers(field):
        old, new = (
            quote(schema_name(*before, "fkey")),
            quote(schema_name(*after, "fkey")),
        )
        yield f"ALTER TABLE {table(after[0])} RENAME CONSTRAINT {old} TO {new}"


def _rename_index(old: str, new: str) -> str:
    return f"ALTER INDEX {SCHEMA}.{quote(old)} RENAME TO {quote(new)}"
