"""What a target field gets when its source has no value: a text, a reference, or a value computed from the record."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from services.connector.rules.conversion import Convert
from services.connector.rules.rows import Read, Row


class DefaultType(StrEnum):
    """How ``field_default`` is meant."""

    TEXT = "text"
    REFERENCE = "reference"
    CODE = "code"


def _vault_id(row: Row) -> object:
    prefix, separator, _ = str(row.get("global_id__sys") or "").partition("_")
    return prefix if separator else None


# Only what the record itself says: a value that changed from one evaluation to the next, such as the time of
# day, would make a message that comes twice write twice.
CODES: Mapping[str, Read] = {
    "source_id": lambda row: row.get("id"),
    "source_global_id": lambda row: row.get("global_id__sys"),
    "source_modified_date": lambda row: row.get("modified_date__v"),
    "source_vault_id": _vault_id,
}
"""The values that a default of type code may name."""


def constant(value: object) -> Read:
    """The same value for every row."""
    return lambda _row: value


def computed(code: str, fit: Convert) -> Read:
    """A named value of the row, made fit for the target field; raises KeyError for a name that is none of CODES."""
    take = CODES[code]

    def default(row: Row) -> object:
        value = take(row)
        return None if value is None else fit(value)

    return default
