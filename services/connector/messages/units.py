"""Messages gathered into work units: at most 500 distinct records of one object, for one integration point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.spark.envelope import (
    MAX_ITEMS,
    SOURCE_ATTRIBUTE,
    Envelope,
    JsonValue,
    Message,
)

RUN_EVENT = "run"


BATCH_EVENT = "run_batch"


@dataclass(frozen=True, slots=True)
class RunBatch:
    """One batch of one run of an integration; ``number`` 0 is the request to read."""

    integration: str
    run: int
    number: int = 0

    def attributes(self) -> dict[str, JsonValue]:
        """As a message carries it."""
        return {"integration": self.integration, "run": self.run, "batch": self.number}


def run_of(message: Message) -> RunBatch | None:
    """The run that a message belongs to, if any."""
    attributes = message.attributes
    integration, run, number = (
        attributes.get("integration"),
        attributes.get("run"),
        attributes.get("batch", 0),
    )
    if attributes.get("event") not in (RUN_EVENT, BATCH_EVENT) or not isinstance(
        integration, str
    ):
        return None
    if (
        not isinstance(run, int)
        or not isinstance(number, int)
        or isinstance(run, bool)
        or isinstance(number, bool)
    ):
        return None
    return RunBatch(integration, run, number)


def requested_run(message: Message) -> RunBatch | None:
    """The run whose records are to be read, when the message asks for that."""
    batch = run_of(message)
    return (
        batch
        if batch is not None and message.attributes.get("event") == RUN_EVENT
        else None
    )


@dataclass(frozen=True, slots=True)
class Inbound:
    """One readable message from an inbound queue; ``sender`` is the id of the Vault that put it on the broker."""

    envelope: Envelope
    sender: int | None

    @property
    def integration_point(self) -> str:
        """API name of the target integration point; empty when the message names none."""
        return self._text("integration_point")

    @property
    def object(self) -> str:
        """The source object whose records the items are; empty when the message names none."""
        return self._text("object")

    def source(self, own: int) -> int | None:
        """Id of the Vault that the records are in, if known, for a message on a queue of the Vault ``own``.

        A retry is put on the queue by the target Vault itself, and then names the source in an attribute.
        """
        if self.sender is not None and self.sender != own:
            return self.sender
        named = self.envelope.message.attributes.get(SOURCE_ATTRIBUTE)
        return (
            named
            if isinstance(named, int) and not isinstance(named, bool) and named != own
            else None
        )

    def _text(self, name: str) -> str:
        value = self.envelope.message.attributes.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class UnitKey:
    """What the messages of one unit have in common; a batch of a run is a unit of its own."""

    source: int | None
    integration_point: str
    object: str
    event: str
    batch: RunBatch | None = None


@dataclass(slots=True)
class WorkUnit:
    """Messages to be processed together, and the distinct ids they name, in order of first mention."""

    key: UnitKey
    messages: list[Inbound] = field(default_factory=list)
    ids: dict[str, None] = field(default_factory=dict)

    @property
    def entered(self) -> datetime:
        """When the latest of the messages entered its source queue."""
        return max(message.envelope.enter_queue_timestamp for message in self.messages)

    @property
    def message_of(self) -> dict[str, str]:
        """Message ids by the id that they name; the last message that names it."""
        return {
            item: m.envelope.message_id
            for m in self.messages
            for item in m.envelope.message.items
        }

    @property
    def whole_messages(self) -> dict[str, Envelope]:
        """Each message once, by its id, with the ids that any copy of it names: a retry names only what was left."""
        whole: dict[str, Envelope] = {}
        for message in self.messages:
            envelope = message.envelope
            known = whole.setdefault(envelope.message_id, envelope)
            if known is not envelope:
                items = tuple(
                    dict.fromkeys((*known.message.items, *envelope.message.items))
                )
                whole[envelope.message_id] = replace(
                    known, message=replace(known.message, items=items)
                )
        return whole

    def takes(self, message: Inbound) -> bool:
        """Whether a message still fits."""
        new = sum(item not in self.ids for item in message.envelope.message.items)
        return not self.messages or len(self.ids) + new <= MAX_ITEMS

    def add(self, message: Inbound) -> None:
        """Take a message in; a second copy of one adds nothing."""
        self.messages.append(message)
        self.ids.update(dict.fromkeys(message.envelope.message.items))


def gather(messages: Iterable[Inbound], own: int) -> list[WorkUnit]:
    """Work units of the messages on a queue of the Vault ``own``, in order of arrival; a message is never cut."""
    open_units: dict[UnitKey, WorkUnit] = {}
    units: list[WorkUnit] = []
    for message in messages:
        event = message.envelope.message.attributes.get("event")
        key = UnitKey(
            message.source(own),
            message.integration_point,
            message.object,
            event if isinstance(event, str) else "",
            run_of(message.envelope.message),
        )
        unit = open_units.get(key)
        if unit is None or not unit.takes(message):
            unit = open_units[key] = WorkUnit(key)
            units.append(unit)
        unit.add(message)
    return units
