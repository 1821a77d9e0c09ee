"""What went wrong with one field of one row, in words an administrator can act on."""

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
