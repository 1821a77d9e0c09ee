"""Defines the errors of Spark messaging: between a process and the broker, or inside a message.

* SparkError

  - MalformedMessage: the body is no Spark message
  - BrokerUnavailable: will pass; a publish may or may not have arrived

    * BrokerSilent: it did not answer in time

  - Unroutable: no queue is bound behind the exchange; a person has to correct the configuration
"""

from __future__ import annotations


class SparkError(Exception):
    """Base of the errors of Spark messaging."""


class MalformedMessage(SparkError):
    """Raised for a body that is no Spark message; ``reason`` contains the reason, and no values of the message."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokerUnavailable(SparkError):
    """The broker refused, did not answer in time or went away; it will pass.

    After a publish the outcome is unknown: the message may or may not be on its queue.
    """


class BrokerSilent(BrokerUnavailable):
    """The broker did not answer in time; the caller has waited that long already."""


class Unroutable(SparkError):
    """The broker has no queue of this name behind the exchange: a configuration error.

    ``message_ids`` are the returned messages; all others of the same call were confirmed.
    """

    def __init__(self, queue: str, message_ids: tuple[str, ...] = ()) -> None:
        super().__init__(f"no queue {queue} behind the exchange")
        self.queue = queue
        self.message_ids = message_ids
