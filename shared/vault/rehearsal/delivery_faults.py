"""Changes the publishing of messages: delays some, sends some twice, and lets some be overtaken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.vault.rehearsal.fault import QueueFault, Treatment
from shared.vault.rehearsal.fault_switches import Switch, Switches

UNTOUCHED = Treatment()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox: its position there, and its queue."""

    position: int
    queue: str


@dataclass(frozen=True, slots=True)
class _Delayed:
    """A message that stays in the outbox until a moment, until its switch ends, or until it is overtaken."""

    queue: str
    switch_id: str
    until: datetime
    until_overtaken: bool


class DeliveryFaults:
    """Decides how often a relay publishes each message of the outbox now.

    While there are no ``switches``, no delayed and no ``released`` messages, each message is published once, in order.
    """

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        # Messages that stay in the outbox for now, by position.
        self.delayed_by_position: dict[int, _Delayed] = {}
        # Published when they come again, whatever is on by then: a message is struck once.
        self.released: set[int] = set()
        self._again = False

    def delayed(self) -> list[int]:
        """Return the positions of the messages that stay in the outbox for now."""
        if not self.delayed_by_position:
            return []
        now = self.switches.now
        for position, delayed in list(self.delayed_by_position.items()):
            if delayed.until <= now or not self.switches.has(delayed.switch_id):
                self._release(position)
        return list(self.delayed_by_position)

    def arranged(self, messages: Sequence[Waiting]) -> list[int]:
        """Return the positions of the messages to publish now, in this order; a position may occur twice."""
        if not self.switches.known_by_id and not self.delayed_by_position:
            self.released.clear()
            return [message.position for message in messages]
        order: list[int] = []
        present = {message.position for message in messages}
        for message in messages:
            treatment = self._treatment(message, in_sequence=False)
            if message.position in self.delayed_by_position:
                continue
            order += [message.position] * treatment.copies
            overtaken = self._overtaken(message.queue)
            # What is not here was delayed in an earlier round; it comes with the next one.
            order += [position for position in overtaken if position in present]
        self.released -= set(order)
        return order

    def in_sequence(self, messages: Iterable[Waiting]) -> list[int]:
        """Return the positions of a sequential queue to publish now; a delayed message delays all after it."""
        order: list[int] = []
        delayed = set(self.delayed())
        for message in messages:
            if message.position in delayed:
                break
            treatment = self._treatment(message, in_sequence=True)
            if message.position in self.delayed_by_position:
                break
            order += [message.position] * treatment.copies
        self.released -= set(order)
        return order

    def again(self) -> bool:
        """Return whether messages have been released since the last call, and are to be published at once."""
        again, self._again = self._again, False
        return again

    def _treatment(self, message: Waiting, *, in_sequence: bool) -> Treatment:
        """Return the treatment of a message, and note it if it is delayed."""
        if message.position in self.released:
            return UNTOUCHED
        for switch in self.switches.for_message(message.queue):
            treatment = _treatment_of(switch)
            if self._spares(message.queue, treatment, in_sequence=in_sequence):
                continue
            if switch.strikes():
                self._note_delay(message, switch, treatment)
                return treatment
        return UNTOUCHED

    def _spares(self, queue: str, treatment: Treatment, *, in_sequence: bool) -> bool:
        """Return whether a message is left alone since none could overtake it.

        This is so in a sequential queue, and while another message of its queue waits to be overtaken.
        """
        if not treatment.until_overtaken:
            return False
        delayed = self.delayed_by_position.values()
        return in_sequence or any(
            each.until_overtaken and each.queue == queue for each in delayed
        )

    def _note_delay(
        self, message: Waiting, switch: Switch, treatment: Treatment
    ) -> None:
        if treatment.delay_seconds:
            until = self.switches.now + timedelta(seconds=treatment.delay_seconds)
            overtaken = treatment.until_overtaken
            delayed = _Delayed(message.queue, switch.switch_id, until, overtaken)
            self.delayed_by_position[message.position] = delayed

    def _overtaken(self, queue: str) -> list[int]:
        """Release the messages of a queue that waited to be overtaken; return their positions."""
        found = [
            position
            for position, delayed in self.delayed_by_position.items()
            if delayed.queue == queue and delayed.until_overtaken
        ]
        for position in found:
            self._release(position)
        return found

    def _release(self, position: int) -> None:
        del self.delayed_by_position[position]
        self.released.add(position)
        self._again = True


def _treatment_of(switch: Switch) -> Treatment:
    fault = switch.fault
    return fault.treat(switch.seconds) if isinstance(fault, QueueFault) else UNTOUCHED
