"""Bounds the rows of a page by the characters that they may have, so that no answer takes more memory than a few do."""

from __future__ import annotations

from collections.abc import Iterable

from shared.vault.model.component_model import FieldType
from shared.vault.vql.columns import Column, SubSelectColumn
from shared.vault.vql.functions import SHORT_TEXT, Function

MAX_PAGE_CHARACTERS = 32 * 2**20
"""Characters that the rows of a page may have at most; one row is a page, whatever it has."""
_SHORT = 50  # of a number, a date, an id or a picklist value
# Children with less are as short as most records are, and rarely as many as a sub-select takes.
_LONG_CHILD = 2000


def bounded_rows(
    columns: Iterable[Column | SubSelectColumn],
    wanted: int,
) -> int:
    """Return how many of the wanted rows a page has, by the maximum lengths of its fields."""
    longest = sum(_longest(column) for column in columns)
    room = MAX_PAGE_CHARACTERS // max(longest, 1)
    return max(1, min(wanted, room))


def _longest(column: Column | SubSelectColumn) -> int:
    """Return the characters of the longest value that a column may have."""
    if isinstance(column, Column):
        return _of_field(column)
    row = sum(_of_field(child) for child in column.columns)
    return row * column.rows if row > _LONG_CHILD else row


def _of_field(column: Column) -> int:
    field = column.field
    is_whole = column.function in (Function.LONGTEXT, Function.RICHTEXT)
    is_long = field.type in (FieldType.LONG_TEXT, FieldType.RICH_TEXT)
    if is_long and not is_whole:
        return SHORT_TEXT
    return field.max_length or _SHORT
