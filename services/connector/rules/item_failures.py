"""Defines the failures of fields and records, with texts that an administrator can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_TEXT = 1500
"""Characters of an error text; the field of an exception record takes no more."""


class ItemErrorType(StrEnum):
    """Error types of a User Exception Item."""

    FIELD_VALUE = "field_value_error__sys"
    LOOKUP = "reference_lookup_error__sys"
    REFERENCE = "reference_error__sys"
    SOURCE = "source_record_error__sys"
    MATCH = "match_error__sys"
    SAVE = "save_error__sys"
    PROCESSING = "item_processing_error__sys"


@dataclass(frozen=True, slots=True)
class FieldError:
    """The error of one field of a record; the text never contains a value that may be personal."""

    rule: str
    field_rule: str
    target_field: str
    error_type: ItemErrorType
    message: str


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """The failure of one record's transfer; the text never contains a value that may be personal."""

    error_type: ItemErrorType
    message: str
    rule: str | None = None
    field_rule: str | None = None
    target_field: str | None = None

    @classmethod
    def of_fields(cls, errors: list[FieldError]) -> ItemFailure:
        """Return the failure of a record with these field errors: it names the first field, and has all their texts."""
        first = errors[0]
        texts = dict.fromkeys(error.message for error in errors)
        text = "\n".join(texts)
        return cls(
            first.error_type,
            text[:MAX_TEXT],
            first.rule,
            first.field_rule,
            first.target_field,
        )
