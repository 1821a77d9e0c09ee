"""Names the fields, statuses and error types of User Exception Messages and Items."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

MESSAGE = "exception_message__sys"
ITEM = "exception_item__sys"
ERROR_STATUS = "error_status__sys"
ITEMS_FAILED = "message_items_failed__sys"


class ErrorStatus(StrEnum):
    """Error statuses of messages and items, as their picklist names them."""

    OPEN = "open__sys"
    RETRYING = "retrying__sys"
    WARNING = "warning__sys"
    IGNORED = "ignored__sys"
    RESOLVED = "resolved__sys"

    @property
    def settled(self) -> bool:
        """Return whether a record with this status needs no retry."""
        match self:
            case ErrorStatus.IGNORED | ErrorStatus.RESOLVED:
                return True
            case ErrorStatus.OPEN | ErrorStatus.RETRYING | ErrorStatus.WARNING:
                return False
            case _:
                assert_never(self)


SETTLED = frozenset(status for status in ErrorStatus if status.settled)


class MessageErrorType(StrEnum):
    """Error types of messages, as their picklist names them."""

    PROCESSING = "message_processing_error__sys"
    DELIVERY = "message_delivery_error__sys"
    MALFORMED = "malformed_message__sys"
    CONFIGURATION = "configuration_error__sys"


class ItemErrorType(StrEnum):
    """Error types of items, as their picklist names them."""

    FIELD_VALUE = "field_value_error__sys"
    LOOKUP = "reference_lookup_error__sys"
    REFERENCE = "reference_error__sys"
    SOURCE = "source_record_error__sys"
    MATCH = "match_error__sys"
    SAVE = "save_error__sys"
    PROCESSING = "item_processing_error__sys"


@dataclass(frozen=True, slots=True)
class MessageFailure:
    """A message that failed as a whole.

    ``body`` is what a retry sends, ``items`` how many records the message names.
    """

    message_id: str
    queue: str
    error_type: MessageErrorType
    text: str
    body: str
    items: int
