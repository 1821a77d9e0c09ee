"""Gathers messages into work units: at most 500 distinct records of one object, for one integration point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeGuard

from shared.spark.envelope import (
    MAX_ITEMS,
    SOURCE_ATTRIBUTE,
    Envelope,
    JsonValue,
    Message,
    ReconciliationEvent,
    RunEvent,
)


@dataclass(frozen=True, slots=True)
class RunBatch:
    """One batch of one run of an integration; ``number`` 0 is the request to read the run's records."""

    integration: str
    run: int
    number: int = 0

    def attributes(self) -> dict[str, JsonValue]:
        """Return the batch as attributes of a message."""
        return {"integration": self.integration, "run": self.run, "batch": self.number}


def run_of(message: Message) -> RunBatch | None:
    """Return the run that a message belongs to, or None."""
    attributes = message.attributes
    if attributes.get("event") not in tuple(RunEvent):
        return None
    integration = attributes.get("integration")
    run = attributes.get("run")
    number = attributes.get("batch", 0)
    if isinstance(integration, str) and _is_whole(run) and _is_whole(number):
        return RunBatch(integration, run, number)
    return None


def requested_run(message: Message) -> RunBatch | None:
    """Return the run whose records a message requests to read; None for any other message."""
    if message.attributes.get("event") != RunEvent.REQUEST:
        return None
    return run_of(message)


def requested_slice(message: Message) -> int | None:
    """Return the id of the reconciliation whose next slice a message requests; None for any other message."""
    if message.attributes.get("event") != ReconciliationEvent.SLICE:
        return None
    number = message.attributes.get("reconciliation")
    if _is_whole(number):
        return number
    return None


def _is_whole(value: object) -> TypeGuard[int]:
    # bool is an int in Python, and no number in JSON.
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Inbound:
    """One readable message from an inbound queue; ``sender`` is the id of the Vault that put it on the broker."""

    envelope: Envelope
    sender: int | None

    @property
    def integration_point(self) -> str:
        """Return the API name of the target integration point; empty when the message names none."""
        return self._text("integration_point")

    @property
    def object(self) -> str:
        """Return the source object of the items; empty when the message names none."""
        return self._text("object")

    @property
    def event(self) -> str:
        """Return the event of the records; empty when the message names none."""
        return self._text("event")

    def source(self, own: int) -> int | None:
        """Return the id of the source Vault of a message on a queue of the Vault ``own``; None if unknown."""
        if self.sender is not None and self.sender != own:
            return self.sender
        # A retry is put on the queue by the target Vault itself, and then names the source in an attribute.
        named = self.envelope.message.attributes.get(SOURCE_ATTRIBUTE)
        return named if _is_whole(named) and named != own else None

    def _text(self, name: str) -> str:
        value = self.envelope.message.attributes.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class UnitKey:
    """The attributes that the messages of one unit share; a batch of a run is a unit of its own."""

    source: int | None
    integration_point: str
    object: str
    event: str
    batch: RunBatch | None = None


@dataclass(slots=True)
class WorkUnit:
    """Messages to be processed together, with the distinct ids that they name, in order of first mention."""

    key: UnitKey
    messages: list[Inbound] = field(default_factory=list)
    ids: dict[str, None] = field(default_factory=dict)

    @property
    def entered(self) -> datetime:
        """Return when the latest of the messages entered its source queue."""
        return max(message.envelope.enter_queue_timestamp for message in self.messages)

    @property
    def message_of(self) -> dict[str, str]:
        """Return message ids by item id; for an item of several messages, the id of the last one."""
        found = {}
        for message in self.messages:
            envelope = message.envelope
            for item in envelope.message.items:
                found[item] = envelope.message_id
        return found

    @property
    def ids_by_message(self) -> tuple[tuple[str, ...], ...]:
        """Return the ids of each message without those of earlier messages; messages without any left are omitted."""
        left = dict(self.ids)
        parts = []
        for message in self.messages:
            items = dict.fromkeys(message.envelope.message.items)
            own = tuple(item for item in items if item in left)
            for item in own:
                del left[item]
            if own:
                parts.append(own)
        return tuple(parts)

    @property
    def whole_messages(self) -> dict[str, Envelope]:
        """Return message id → the message, with the item ids that any of its copies names."""
        whole: dict[str, Envelope] = {}
        for message in self.messages:
            envelope = message.envelope
            known = whole.setdefault(envelope.message_id, envelope)
            if known is envelope:
                continue
            # A retry names only what was left, so no copy alone may have all the ids.
            both = (*known.message.items, *envelope.message.items)
            items = tuple(dict.fromkeys(both))
            joined = replace(known.message, items=items)
            whole[envelope.message_id] = replace(known, message=joined)
        return whole

    def takes(self, message: Inbound) -> bool:
        """Return whether the unit has room for the ids of a message."""
        # A message is never divided, so the first one always fits.
        if not self.messages:
            return True
        items = message.envelope.message.items
        new = sum(item not in self.ids for item in items)
        return len(self.ids) + new <= MAX_ITEMS

    def add(self, message: Inbound) -> None:
        """Add a message to the unit; a second copy of a message adds no ids."""
        self.messages.append(message)
        self.ids.update(dict.fromkeys(message.envelope.message.items))


def gather(
    messages: Iterable[Inbound],
    own: int,
) -> list[WorkUnit]:
    """Return work units of the messages on a queue of the Vault ``own``, in order of arrival."""
    open_units: dict[UnitKey, WorkUnit] = {}
    units: list[WorkUnit] = []
    for message in messages:
        key = UnitKey(
            source=message.source(own),
            integration_point=message.integration_point,
            object=message.object,
            event=message.event,
            # Batches are reported one by one, so no two of them share a unit.
            batch=run_of(message.envelope.message),
        )
        unit = open_units.get(key)
        if unit is None or not unit.takes(message):
            unit = WorkUnit(key)
            open_units[key] = unit
            units.append(unit)
        unit.add(message)
    return units
