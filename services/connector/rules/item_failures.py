"""Defines the failures of fields and records, with texts that an administrator can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

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

    @property
    def for_sender(self) -> str:
        """Return why the record was not transferred and what to do, for those who sent it; the details come last."""
        names, found, reason = self.message.partition(": ")
        of_field = names.startswith("Integration rule ")
        details = reason if found and of_field else self.message
        return f"{sender_words(self.error_type)} Details: {details}"[:MAX_TEXT].strip()


def sender_words(error_type: ItemErrorType) -> str:
    """Return what an error type means to those who sent a record, and what they can do about it."""
    match error_type:
        case ItemErrorType.FIELD_VALUE:
            words = (
                "A value does not fit where it goes. Correct it, then transfer again."
            )
        case ItemErrorType.LOOKUP:
            words = "A value is not known there yet. Ask an administrator to add it, then transfer again."
        case ItemErrorType.REFERENCE:
            words = (
                "Something that it refers to, such as the product, is missing or not usable there. "
                "Choose another one, or ask an administrator to add it; then transfer again."
            )
        case ItemErrorType.SOURCE:
            words = "The connection could not read it. Ask an administrator, then transfer again."
        case ItemErrorType.MATCH:
            words = "It is not clear there who is meant. Ask an administrator, then transfer again."
        case ItemErrorType.SAVE:
            words = "It was not accepted there. Check what you entered, then transfer again."
        case ItemErrorType.PROCESSING:
            words = "Something unexpected happened. Transfer again; if it fails again, ask an administrator."
        case _:
            assert_never(error_type)
    return words
