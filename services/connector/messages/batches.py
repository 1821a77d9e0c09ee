"""Runs in messages: the request to read, and the batches that were read."""

from __future__ import annotations

from dataclasses import dataclass

from shared.spark.envelope import JsonValue, Message

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
