"""Reads and writes Spark messages: strict to read, because the sender is not trusted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

import orjson

from shared.spark.broker_errors import MalformedMessage

JsonValue: TypeAlias = (
    "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
)

MAX_ITEMS = 500
MAX_ITEM_LENGTH = 100
MAX_BODY_BYTES = 262_144
# AMQP carries names and ids as strings of at most 255 bytes.
MAX_NAME_LENGTH = 255
MAX_ATTRIBUTES = 100
# Far below where the JSON reader, or a walk through the value, runs out of stack.
MAX_DEPTH = 8
# Counts are stored in columns of 32 bits.
MAX_COUNT = 2**31 - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

SOURCE_ATTRIBUTE = "source_vault_id"
"""Attribute that a recorded message carries, so that a retry from the target Vault still names its source."""

DESTINATION_ATTRIBUTE = "destination_vault_id"
"""Attribute of a message that is for one remote Vault only, whatever else its queue is connected with."""


class RunEvent(StrEnum):
    """Value of the attribute ``event`` in a run's messages: read the records, or transfer those that were read."""

    REQUEST = "run"
    BATCH = "run_batch"


class ReconciliationEvent(StrEnum):
    """Value of the attribute ``event`` in messages of reconciliations: compare a slice, or transfer records again."""

    SLICE = "reconciliation_slice"
    TRANSFER_AGAIN = "transfer_again"


@dataclass(frozen=True, slots=True)
class Message:
    """The content: ``attributes`` (object, event, integration_point, …) and up to 500 source record ids."""

    attributes: Mapping[str, JsonValue]
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with the data of its way so far, as a receiver of Spark messages gets it.

    Timestamps are aware; on the wire they are UTC with milliseconds, ``2012-04-25T21:49:27.719Z``. ``send_attempt``
    counts from 1. ``message_id`` is the same in every copy of the message.
    """

    vault_name: str
    vault_host_name: str
    queue_name: str
    enter_queue_timestamp: datetime
    send_message_timestamp: datetime
    send_attempt: int
    message_id: str
    message: Message

    @classmethod
    def parse(cls, body: bytes) -> Envelope:
        """Read an envelope.

        :raises MalformedMessage: with the reason, when any known member is missing or misshapen.
        """
        # Measured before it is read, so that a huge body costs no memory for its values.
        if len(body) > MAX_BODY_BYTES:
            raise MalformedMessage(f"body is larger than {MAX_BODY_BYTES} bytes")
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            # The decoder's own message quotes the body, which may hold personal data.
            raise MalformedMessage("body is not JSON") from None
        # Members that are not known are ignored: later versions of the format may add some.
        members = _mapping(value, "body")
        return cls(
            vault_name=_text(members, "vault_name"),
            vault_host_name=_text(members, "vault_host_name"),
            queue_name=_text(members, "queue_name"),
            enter_queue_timestamp=_moment(members, "enter_queue_timestamp"),
            send_message_timestamp=_moment(members, "send_message_timestamp"),
            send_attempt=_count(members, "send_attempt"),
            message_id=_text(members, "message_id"),
            message=_message(members),
        )

    def encode(self) -> bytes:
        """Return the JSON body.

        :raises MalformedMessage: the envelope breaks a limit, so no receiver would accept it.
        """
        message: dict[str, JsonValue] = {"attributes": dict(self.message.attributes)}
        _attributes(message)
        message["items"] = list(_items(list(self.message.items)))
        value = {
            "vault_name": self.vault_name,
            "vault_host_name": self.vault_host_name,
            "queue_name": self.queue_name,
            "enter_queue_timestamp": format_moment(self.enter_queue_timestamp),
            "send_message_timestamp": format_moment(self.send_message_timestamp),
            "send_attempt": self.send_attempt,
            "message_id": self.message_id,
            "message": message,
        }
        try:
            body = orjson.dumps(value)
        except orjson.JSONEncodeError:
            raise MalformedMessage("an attribute cannot be written as JSON") from None
        if len(body) > MAX_BODY_BYTES:
            raise MalformedMessage(f"body is larger than {MAX_BODY_BYTES} bytes")
        return body

    def recorded(self, source: int | None) -> str:
        """Return the envelope as text, to be stored for a retry.

        ``source`` is the id of the Vault that it came from, None when that Vault itself stores it.
        """
        attributes = dict(self.message.attributes)
        if source is not None:
            attributes[SOURCE_ATTRIBUTE] = source
        # ``encode`` checks the limits before the source is added: one more attribute refuses no recorded message.
        value: dict[str, JsonValue] = orjson.loads(self.encode())
        value["message"] = {"attributes": attributes, "items": list(self.message.items)}
        return orjson.dumps(value).decode()


def known_id(message_id: str, body: bytes) -> str:
    """Return the id of a message: ``message_id``, or the body's digest when a record cannot store that id."""
    # By its digest, a body that comes again without an id is the same message.
    fits = 0 < len(message_id) <= MAX_NAME_LENGTH
    if fits and is_storable(message_id):
        return message_id
    return hashlib.sha256(body).hexdigest()


def is_storable(text: str) -> bool:
    """Return whether a record can store ``text``: it has no NUL and no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def format_moment(moment: datetime) -> str:
    """Write an aware datetime as UTC with milliseconds and ``Z``."""
    utc = moment.astimezone(UTC)
    text = utc.isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def cut(ids: Sequence[str], size: int = MAX_ITEMS) -> Iterator[tuple[str, ...]]:
    """Split ids into tuples of at most ``size``, in order, so that each fits one message."""
    for start in range(0, len(ids), size):
        part = ids[start : start + size]
        yield tuple(part)


def _mapping(value: object, name: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise MalformedMessage(f"{name} is not a JSON object")
    return value


def _member(members: Mapping[str, JsonValue], name: str, within: str = "") -> JsonValue:
    value = members.get(name)
    if value is None:
        raise MalformedMessage(f"{within}{name} is missing")
    return value


def _text(members: Mapping[str, JsonValue], name: str) -> str:
    value = _member(members, name)
    if not isinstance(value, str) or not value.strip():
        raise MalformedMessage(f"{name} is not a text")
    if not is_storable(value):
        raise MalformedMessage(f"{name} has a character that cannot be stored")
    if len(value.encode()) > MAX_NAME_LENGTH:
        raise MalformedMessage(f"{name} is longer than {MAX_NAME_LENGTH} bytes")
    return value


def _moment(members: Mapping[str, JsonValue], name: str) -> datetime:
    value = _text(members, name)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedMessage(f"{name} is not a timestamp") from None
    raise MalformedMessage(f"{name} has no time zone")


def _count(members: Mapping[str, JsonValue], name: str) -> int:
    value = _member(members, name)
    # True is an int to Python, and no number to JSON.
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedMessage(f"{name} is not a positive whole number")
    if not 1 <= value <= MAX_COUNT:
        raise MalformedMessage(f"{name} is not a positive whole number")
    return value


def _message(members: Mapping[str, JsonValue]) -> Message:
    message = _mapping(_member(members, "message"), "message")
    items = _member(message, "items", "message.")
    return Message(
        attributes=_attributes(message),
        items=_items(items),
    )


def _attributes(message: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    value = _member(message, "attributes", "message.")
    attributes = _mapping(value, "message.attributes")
    if len(attributes) > MAX_ATTRIBUTES:
        raise MalformedMessage(
            f"message.attributes has more than {MAX_ATTRIBUTES} members"
        )
    if _deeper_than(attributes, MAX_DEPTH):
        raise MalformedMessage(f"message.attributes is nested deeper than {MAX_DEPTH}")
    if not _all_storable(attributes):
        raise MalformedMessage(
            "message.attributes has a character that cannot be stored"
        )
    return attributes


def _all_storable(value: JsonValue) -> bool:
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, dict):
        return all(is_storable(name) and _all_storable(value[name]) for name in value)
    if isinstance(value, list):
        return all(_all_storable(part) for part in value)
    return True


def _deeper_than(value: JsonValue, depth: int) -> bool:
    parts: Iterable[JsonValue]
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list):
        parts = value
    else:
        return False
    # The recursion ends here, so that its own depth is bounded by the limit.
    if depth == 0:
        return True
    return any(_deeper_than(part, depth - 1) for part in parts)


def _items(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise MalformedMessage("message.items is not a list")
    if len(value) > MAX_ITEMS:
        raise MalformedMessage(f"message.items has more than {MAX_ITEMS} items")
    items: list[str] = []
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise MalformedMessage(f"message.items[{position}] is not a text")
        if not item:
            raise MalformedMessage(f"message.items[{position}] is empty")
        if len(item) > MAX_ITEM_LENGTH:
            raise MalformedMessage(
                f"message.items[{position}] is longer than {MAX_ITEM_LENGTH} characters"
            )
        if not is_storable(item):
            raise MalformedMessage(
                f"message.items[{position}] has a character that cannot be stored"
            )
        items.append(item)
    return tuple(items)
