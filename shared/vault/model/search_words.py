"""Defines what the search index of an object covers, and the SQL of the words that it has of a record."""

from __future__ import annotations

from typing import assert_never

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import quoted


def covers(field: Field) -> bool:
    """Return whether the search index of an object has the words of a field: ids, and texts that people write."""
    match field.type:
        case FieldType.ID:
            return True
        case FieldType.STRING | FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            # Those of the Vault itself are found by indexes of their own.
            return not field.system
        case (
            FieldType.PICKLIST
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(field.type)


def has_index(owner: VaultObject) -> bool:
    """Return whether the records of an object have a search index.

    Versions of documents have none, nor objects that say ``search(false)``: what nobody searches is written in half the
    time without. Searches of them give the same answers, and read every record.
    """
    # Much of what FIND looks through for documents lies in other tables. Records are told by the prefix of their ids.
    return owner.prefix != "" and owner.search


def words_sql(owner: VaultObject, alias: str = "") -> str:
    """Return the SQL of the words of an object's record, a ``tsvector``: the expression of its search index.

    Queries have to repeat the expression for PostgreSQL to use the index, with the ``alias`` of their table.
    """
    before = f"{alias}." if alias else ""
    # By name: an index outlasts changes of an object that only reorder its fields.
    fields = [owner.fields[name] for name in sorted(owner.fields)]
    texts = [f"{before}{quoted(field.name)}" for field in fields if covers(field)]
    choices = _choices(fields, before)
    return f"platform.search_words(ARRAY[{', '.join(texts)}], {choices})"


def _choices(fields: list[Field], before: str) -> str:
    """Return the SQL of the names of a record's picklist values, as an array."""
    picklists = [
        field
        for field in fields
        if field.type is FieldType.PICKLIST and not field.system
    ]
    single = [field.name for field in picklists if not field.multi_value]
    multiple = [field.name for field in picklists if field.multi_value]
    names = ", ".join(f"{before}{quoted(name)}" for name in single)
    arrays = [f"ARRAY[{names}]::text[]"]
    arrays += [f"{before}{quoted(name)}" for name in multiple]
    return " || ".join(arrays)
