"""Describes each error type of User Exceptions in plain words, with what an administrator can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from shared.vault.exceptions.exception_model import ItemErrorType, MessageErrorType


@dataclass(frozen=True, slots=True)
class ErrorExplanation:
    """One error type: ``what`` went wrong and the ``remedy``, each a sentence or two."""

    what: str
    remedy: str


def explanation_of(error_type: str) -> ErrorExplanation | None:
    """Return the words for an error type of an item or a message; None for a type that configuration has added."""
    if error_type in tuple(ItemErrorType):
        return item_explanation(ItemErrorType(error_type))
    if error_type in tuple(MessageErrorType):
        return message_explanation(MessageErrorType(error_type))
    return None


def reason_of(text: str) -> str:
    """Return the text of an item's error without the names of rule, field rule and target field before each reason."""
    return "\n".join(map(_reason, text.splitlines()))


def first_reason(text: str) -> str:
    """Return the reason of the first failed item in a message's error text; the text itself if it names no item."""
    _, found, first = text.partition("; see the items. The first: ")
    if found:
        return reason_of(first)
    return text


def _reason(line: str) -> str:
    """Return the reason in a line of an error text, without the names of rule and target field in front of it."""
    names, found, reason = line.partition(": ")
    of_field = names.startswith("Integration rule ") and ", target field " in names
    return reason[:1].upper() + reason[1:] if found and of_field else line


def item_explanation(error_type: ItemErrorType) -> ErrorExplanation:
    """Return the words for the error type of an item: its record was not transferred, or only without a field."""
    match error_type:
        case ItemErrorType.FIELD_VALUE:
            words = ErrorExplanation(
                "A value of the source record does not fit the field that it goes to.",
                "Correct the value in the source record, or the field rule that translates it; then retry.",
            )
        case ItemErrorType.LOOKUP:
            words = ErrorExplanation(
                "A value of the source record has no row in its reference lookup.",
                "Add the row to the reference lookup; then retry.",
            )
        case ItemErrorType.REFERENCE:
            words = ErrorExplanation(
                "A record to which the source record refers is missing in this Vault, or not usable.",
                "Add or activate it in this Vault, or correct its key in the source record; then retry.",
            )
        case ItemErrorType.SOURCE:
            words = ErrorExplanation(
                "The source record was not found, or the connection's user may not read it.",
                "Restore it or let the user read it; then retry. Ignore it if it was meant to be deleted.",
            )
        case ItemErrorType.MATCH:
            words = ErrorExplanation(
                "It is not clear which record of this Vault the source record belongs to.",
                "Leave only one of the records that match, or correct the keys that match them; then retry.",
            )
        case ItemErrorType.SAVE:
            words = ErrorExplanation(
                "This Vault refused to save the record.",
                "Correct what the error names, often a required field or a permission of the connection's user; "
                "then retry.",
            )
        case ItemErrorType.PROCESSING:
            words = ErrorExplanation(
                "Something unexpected stopped the record.",
                "Retry. If it fails again, show the error to the operator of the connector.",
            )
        case _:
            assert_never(error_type)
    return words


def message_explanation(error_type: MessageErrorType) -> ErrorExplanation:
    """Return the words for the error type of a message, which failed as a whole or with some of its records."""
    match error_type:
        case MessageErrorType.PROCESSING:
            words = ErrorExplanation(
                "Records of the message could not be transferred.",
                "Correct what the error names; then retry.",
            )
        case MessageErrorType.DELIVERY:
            words = ErrorExplanation(
                "The message could not be delivered.",
                "Give its queue an active connection, and see that the other Vault can be reached; then retry.",
            )
        case MessageErrorType.MALFORMED:
            words = ErrorExplanation(
                "What arrived on the queue cannot be read as a message.",
                "Correct the sender, which has to send it anew: it cannot be retried here. Then ignore it.",
            )
        case MessageErrorType.CONFIGURATION:
            words = ErrorExplanation(
                "The configuration does not say what to do with the message.",
                "Activate or correct the integration point and its rules; then retry.",
            )
        case _:
            assert_never(error_type)
    return words
