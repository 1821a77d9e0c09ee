"""Describes how a message failed, as a whole or in some of its items, and the statuses of its exception."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from services.connector.rules.item_failures import ItemFailure


class ErrorStatus(StrEnum):
    """The values of Error Status of an exception record."""

    OPEN = "open__sys"
    RETRYING = "retrying__sys"
    WARNING = "warning__sys"
    RESOLVED = "resolved__sys"
    IGNORED = "ignored__sys"


class MessageErrorType(StrEnum):
    """Error types of a User Exception Message."""

    PROCESSING = "message_processing_error__sys"
    MALFORMED = "malformed_message__sys"
    CONFIGURATION = "configuration_error__sys"


@dataclass(frozen=True, slots=True)
class MessageFailure:
    """One message that could not be processed or delivered, as a whole or in some of its items.

    ``received`` and ``failed`` are numbers of items. ``integration`` and ``integration_point`` are record ids, if
    known; ``place`` is the point's API name. ``warnings`` are about items that were transferred nevertheless. Without a
    ``text``, the record says how many items failed.
    """

    message_id: str
    queue: str
    error_type: MessageErrorType
    text: str
    body: str
    received: int
    failed: int
    object: str = ""
    integration: str | None = None
    integration_point: str | None = None
    place: str = ""
    items: Mapping[str, ItemFailure] = field(default_factory=dict)
    warnings: Mapping[str, ItemFailure] = field(default_factory=dict)

    @property
    def status(self) -> ErrorStatus:
        """Return the Error Status of the message's record; a message with warnings only is not open."""
        warns_only = self.warnings and not self.failed
        return ErrorStatus.WARNING if warns_only else ErrorStatus.OPEN

    @property
    def whole(self) -> bool:
        """Return whether the message failed before its integration point, and so its items, were known."""
        return not self.items and not self.warnings

    @property
    def summary(self) -> str:
        """Return the text of the message's record."""
        if self.text or self.whole:
            return self.text
        if self.items:
            what = f"{len(self.items)} of {self.received} items failed"
        else:
            what = f"{len(self.warnings)} items with warnings"
        first = next(iter((self.items or self.warnings).values()))
        return f"{what} at integration point {self.place}; see the items. The first: {first.message}"

    def only(self, items: Collection[str]) -> MessageFailure:
        """Return the part of the failure that is about these items."""
        failed = _among(self.items, items)
        warned = _among(self.warnings, items)
        return replace(self, items=failed, warnings=warned, failed=len(failed))


def _among(
    reasons: Mapping[str, ItemFailure],
    items: Collection[str],
) -> dict[str, ItemFailure]:
    return {item: reason for item, reason in reasons.items() if item in items}
