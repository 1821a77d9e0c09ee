"""Names what went wrong with one field, and with one record, in words an administrator can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    """One field that could not be given its value; the text never holds a value that may be personal."""

    rule: str
    field_rule: str
    target_field: str
    error_type: ItemErrorType
    message: str


MAX_TEXT = 1500


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """Why one source record could not be transferred; the text never holds a value that may be personal."""

    error_type: ItemErrorType
    message: str
    rule: str | None = None
    field_rule: str | None = None
    target_field: str | None = None

    @classmethod
    def of_fields(cls, errors: list[FieldError]) -> ItemFailure:
        """The failure of a record with these field errors: the first one's place, all of their texts."""
        first = errors[0]
        text = "\n".join(dict.fromkeys(error.message for error in errors))
        return cls(
            first.error_type,
            text[:MAX_TEXT],
            first.rule,
            first.field_rule,
            first.target_field,
        )
