"""The Spark message as bytes and as values: strict to read, because the sender is not trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import orjson

from shared.spark.broker_errors import MalformedMessage

JsonValue: TypeAlias = (
    "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
)

MAX_ITEMS = 500
MAX_ITEM_LENGTH = 100
MAX_BODY_BYTES = 262_144
MAX_NAME_LENGTH = 255
MAX_ATTRIBUTES = 100
MAX_DEPTH = 8

SOURCE_ATTRIBUTE = "source_vault_id"
"""Attribute that a recorded message carries, so that a retry from the target Vault still names its source."""

DESTINATION_ATTRIBUTE = "destination_vault_id"
"""Attribute of a message that is for one remote Vault only, whatever else its queue is connected with."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is said: ``attributes`` (object, event, integration_point, …) and up to 500 source record ids."""

    attributes: Mapping[str, JsonValue]
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with its way so far, as a receiver of Spark messages sees it.

    Timestamps are aware; on the wire they are UTC with milliseconds, ``2012-04-25T21:49:27.719Z``.
    ``send_attempt`` counts from 1. ``message_id`` is the same in every copy of the message.
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
        """Read an envelope; members that are not known are ignored.

        :raises MalformedMessage: with the reason, when any known member is missing or misshapen.
        """
        if len(body) > MAX_BODY_BYTES:
            raise MalformedMessage(f"body is larger than {MAX_BODY_BYTES} bytes")
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise MalformedMessage("body is not JSON") from None
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
        """The envelope as text, to be kept for a retry; ``source`` is the Vault it came from, if not its keeper."""
        attributes = dict(self.message.attributes)
        if source is not None:
            attributes[SOURCE_ATTRIBUTE] = source
        value: dict[str, JsonValue] = orjson.loads(self.encode())
        value["message"] = {"attributes": attributes, "items": list(self.message.items)}
        return orjson.dumps(value).decode()


def format_moment(moment: datetime) -> str:
    """Write an aware datetime as UTC with milliseconds and ``Z``."""
    return (
        moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def cut(ids: Sequence[str], size: int = MAX_ITEMS) -> Iterator[tuple[str, ...]]:
    """Cut ids into tuples of at most ``size``, in order, so that each fits one message."""
    for start in range(0, len(ids), size):
        yield tuple(ids[start : start + size])


def _mapping(value: object, name: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise MalformedMessage(f"{name} is not a JSON object")
    return value


def _member(members: Mapping[str, JsonValue], name: str, within: str = "") -> JsonValue:
    if members.get(name) is None:
        raise MalformedMessage(f"{within}{name} is missing")
    return members[name]


def _text(members: Mapping[str, JsonValue], name: str) -> str:
    value = _member(members, name)
    if not isinstance(value, str) or not value.strip():
        raise MalformedMessage(f"{name} is not a text")
    # AMQP carries names and ids as strings of at most 255 bytes.
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
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise MalformedMessage(f"{name} is not a positive whole number")
    return value


def _message(members: Mapping[str, JsonValue]) -> Message:
    message = _mapping(_member(members, "message"), "message")
    return Message(
        attributes=_attributes(message),
        items=_items(_member(message, "items", "message.")),
    )


def _attributes(message: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    attributes = _mapping(
        _member(message, "attributes", "message."), "message.attributes"
    )
    if len(attributes) > MAX_ATTRIBUTES:
        raise MalformedMessage(
            f"message.attributes has more than {MAX_ATTRIBUTES} members"
        )
    if _deeper_than(attributes, MAX_DEPTH):
        raise MalformedMessage(f"message.attributes is nested deeper than {MAX_DEPTH}")
    return attributes


def _deeper_than(value: JsonValue, depth: int) -> bool:
    if isinstance(value, dict):
        return depth == 0 or any(
            _deeper_than(member, depth - 1) for member in value.values()
        )
    if isinstance(value, list):
        return depth == 0 or any(_deeper_than(element, depth - 1) for element in value)
    return False


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
        items.append(item)
    return tuple(items)
