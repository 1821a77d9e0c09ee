"""Assigns each failure to an exception: the existing one of its record, or the one of its message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.connector.processing.message_failure import MessageFailure


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """The record of a User Exception Message: its id and Error Status."""

    id: str
    status: str


@dataclass(frozen=True, slots=True)
class StoredItem:
    """The record of a User Exception Item that is not resolved, and the record id of its ``message``.

    ``ignored`` says that an administrator ignores the item or its message.
    """

    id: str
    message: str
    ignored: bool


@dataclass(slots=True)
class WorkList:
    """Failures by the exception that records them.

    * ``own`` are recorded in the exceptions of their own messages, with new or existing items.
    * ``refreshed`` have items in exceptions of other messages, each with the record id of that message.
    * ``emptied`` are the record ids of messages whose items are all in other exceptions.
    * ``ignored`` are the items that an administrator ignores.
    """

    own: list[MessageFailure] = field(default_factory=list)
    refreshed: list[tuple[str, MessageFailure]] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)


def work_list(
    failures: Iterable[MessageFailure],
    messages: Mapping[str, StoredMessage],
    items: Mapping[str, StoredItem],
) -> WorkList:
    """Assign failures to exceptions; ``messages`` are by message id, ``items`` by item id."""
    found = WorkList()
    taken: set[str] = set()
    for failure in failures:
        stored = messages.get(failure.message_id)
        if failure.whole:
            found.own.append(failure)
            continue
        parts = _by_message(failure, stored, items, found.ignored, taken)
        own = parts.pop(None, ())
        if own:
            found.own.append(failure.only(own))
        elif stored is not None:
            found.emptied.append(stored.id)
        for message, names in parts.items():
            part = replace(failure.only(names), received=len(names))
            found.refreshed.append((str(message), part))
    return found


def _by_message(
    failure: MessageFailure,
    stored: StoredMessage | None,
    items: Mapping[str, StoredItem],
    ignored: set[str],
    taken: set[str],
) -> dict[str | None, list[str]]:
    """Return the failure's items by the record of the message that they belong to; None is the failure's own message.

    Items in ``taken`` belong to an earlier failure; ignored ones are added to ``ignored``.
    """
    parts: dict[str | None, list[str]] = {}
    for item in (*failure.items, *failure.warnings):
        known = items.get(item)
        if known is not None and known.ignored:
            ignored.add(item)
        elif item not in taken:
            taken.add(item)
            message = _message_of(known, stored)
            parts.setdefault(message, []).append(item)
    return parts


def _message_of(
    known: StoredItem | None,
    own: StoredMessage | None,
) -> str | None:
    """Return the record of the message that an item belongs to; None for a new item, or one of the ``own`` message."""
    if known is None or (own is not None and known.message == own.id):
        return None
    return known.message
