"""The envelope: written ones are read back, and malformed bodies are refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import (
    MAX_BODY_BYTES,
    MAX_ITEMS,
    Envelope,
    JsonValue,
    Message,
    cut,
    format_moment,
)

VALID: dict[str, Any] = {
    "vault_name": "Medical",
    "vault_host_name": "medical.example.com",
    "queue_name": "study_sync__c",
    "enter_queue_timestamp": "2012-04-25T21:49:25.719Z",
    "send_message_timestamp": "2012-04-25T21:49:27.719Z",
    "send_attempt": 2,
    "message_id": "bb28d4ca-3a37-4fef-91ae-93c3a4ec1d8d",
    "message": {
        "attributes": {
            "object": "product_brand__c",
            "has_related": True,
            "related_count": 100,
            "ids": ["a", 1, None],
        },
        "items": ["OP0000000010I13", "OP0000000000I09"],
    },
}

storable = st.characters(codec="utf-8", exclude_characters="\x00")
texts = st.text(storable, min_size=1, max_size=60).filter(str.strip)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars | st.text(storable, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(storable, max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
).filter(lambda value: depth(value) <= 7)
moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
envelopes = st.builds(
    Envelope,
    vault_name=texts,
    vault_host_name=texts,
    queue_name=texts,
    enter_queue_timestamp=moments,
    send_message_timestamp=moments,
    send_attempt=st.integers(1, 2**31 - 1),
    message_id=texts,
    message=st.builds(
        Message,
        attributes=st.dictionaries(st.text(storable, max_size=20), values, max_size=4),
        items=st.lists(st.text(storable, min_size=1, max_size=100), max_size=6).map(
            tuple
        ),
    ),
)


def reason_of(body: bytes) -> str | None:
    try:
        Envelope.parse(body)
    except MalformedMessage as error:
        return error.reason
    return None


def depth(value: JsonValue) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(envelopes)
def test_what_is_encoded_is_parsed_back(envelope: Envelope) -> None:
    assert Envelope.parse(envelope.encode()) == envelope


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    assert reason_of(body) != ""


@given(
    st.sampled_from([*VALID, "attributes", "items"]),
    scalars
    | st.lists(scalars, max_size=2)
    | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
    | texts,
)
def test_a_member_of_any_value_is_parsed_or_refused(
    name: str, value: JsonValue
) -> None:
    body: dict[str, Any] = VALID | {"message": dict(VALID["message"])}
    (body if name in body else body["message"])[name] = value
    reason = reason_of(orjson.dumps(body))
    assert reason is None or name in reason


def test_the_documented_example_is_read() -> None:
    envelope = Envelope.parse(orjson.dumps(VALID))
    assert envelope.send_message_timestamp == datetime(
        2012, 4, 25, 21, 49, 27, 719000, UTC
    )
    assert envelope.message.items == ("OP0000000010I13", "OP0000000000I09")
    assert envelope.message.attributes["related_count"] == 100
    assert envelope.message.attributes["has_related"] is True


def test_unknown_members_are_ignored() -> None:
    body = VALID | {
        "new_member": {"a": 1},
        "message": VALID["message"] | {"priority": 1},
    }
    assert Envelope.parse(orjson.dumps(body)) == Envelope.parse(orjson.dumps(VALID))


def message(**members: object) -> dict[str, Any]:
    return VALID | {"message": VALID["message"] | members}


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


MALFORMED = [
    (b"", "body is not JSON"),
    (b"{", "body is not JSON"),
    (b"\xff\xfe", "body is not JSON"),
    (b"[" * 2000, "body is not JSON"),
    (b" " * (MAX_BODY_BYTES + 1), "body is larger than 262144 bytes"),
    (b"[]", "body is not a JSON object"),
    (b"null", "body is not a JSON object"),
    *[({**VALID, name: None}, f"{name} is missing") for name in VALID],
    *[
        (
            {other: VALID[other] for other in VALID if other != name},
            f"{name} is missing",
        )
        for name in VALID
    ],
    (VALID | {"message_id": ""}, "message_id is not a text"),
    (VALID | {"message_id": 7}, "message_id is not a text"),
    (VALID | {"message_id": "é" * 128}, "message_id is longer than 255 bytes"),
    (VALID | {"queue_name": ["q"]}, "queue_name is not a text"),
    (
        VALID | {"enter_queue_timestamp": "yesterday"},
        "enter_queue_timestamp is not a timestamp",
    ),
    (
        VALID | {"enter_queue_timestamp": "2012-04-25T21:49:25.719"},
        "enter_queue_timestamp has no time zone",
    ),
    (
        VALID | {"enter_queue_timestamp": "0001-01-01T00:00:00+01:00"},
        "enter_queue_timestamp is not a timestamp",
    ),
    (
        VALID | {"enter_queue_timestamp": 1335390565},
        "enter_queue_timestamp is not a text",
    ),
    (VALID | {"send_attempt": "2"}, "send_attempt is not a positive whole number"),
    (VALID | {"send_attempt": True}, "send_attempt is not a positive whole number"),
    (VALID | {"send_attempt": 0}, "send_attempt is not a positive whole number"),
    (VALID | {"send_attempt": 2**40}, "send_attempt is not a positive whole number"),
    (VALID | {"message": []}, "message is not a JSON object"),
    (message(attributes=None), "message.attributes is missing"),
    (message(attributes=[]), "message.attributes is not a JSON object"),
    (
        message(attributes={str(n): n for n in range(101)}),
        "message.attributes has more than 100 members",
    ),
    (
        message(attributes={"a": nested(8)}),
        "message.attributes is nested deeper than 8",
    ),
    (message(items=None), "message.items is missing"),
    (message(items="V4T1"), "message.items is not a list"),
    (message(items={"0": "V4T1"}), "message.items is not a list"),
    (message(items=["a"] * 501), "message.items has more than 500 items"),
    (message(items=["a", 2]), "message.items[1] is not a text"),
    (message(items=["a", None]), "message.items[1] is not a text"),
    (message(items=["a", ""]), "message.items[1] is empty"),
    (message(items=["a" * 101]), "message.items[0] is longer than 100 characters"),
    (
        message(items=["a", "b\x00"]),
        "message.items[1] has a character that cannot be stored",
    ),
    (
        orjson.dumps(message(items=["a", "?"])).replace(b"?", rb"\ud800"),
        "body is not JSON",
    ),
    *[
        (
            message(attributes=attributes),
            "message.attributes has a character that cannot be stored",
        )
        for attributes in ({"object": "\x00"}, {"\x00": 1}, {"a": [{"b": "\x00"}]})
    ],
    (
        VALID | {"message_id": "m\x00"},
        "message_id has a character that cannot be stored",
    ),
]


@pytest.mark.parametrize(("body", "reason"), MALFORMED)
def test_a_misshapen_body_is_refused_with_its_reason(
    body: bytes | dict[str, Any], reason: str
) -> None:
    with pytest.raises(MalformedMessage) as caught:
        Envelope.parse(body if isinstance(body, bytes) else orjson.dumps(body))
    assert caught.value.reason == reason


def test_a_reason_repeats_no_values() -> None:
    secret = "Jane Doe, born 1970"
    for body in (message(items=[secret, 1]), VALID | {"enter_queue_timestamp": secret}):
        with pytest.raises(MalformedMessage) as caught:
            Envelope.parse(orjson.dumps(body))
        assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(
    "broken",
    [
        Message({}, ("a" * 101,)),
        Message({}, tuple("a" for _ in range(501))),
        Message({"a": [[[[[[[[[1]]]]]]]]]}, ()),
        Message({"a": 2**70}, ()),
        Message({"a": "x" * MAX_BODY_BYTES}, ()),
    ],
)
def test_what_no_receiver_would_accept_is_not_encoded(broken: Message) -> None:
    envelope = Envelope.parse(orjson.dumps(VALID))
    with pytest.raises(MalformedMessage):
        Envelope(
            envelope.vault_name,
            envelope.vault_host_name,
            envelope.queue_name,
            envelope.enter_queue_timestamp,
            envelope.send_message_timestamp,
            1,
            envelope.message_id,
            broken,
        ).encode()


def test_moments_are_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2025, 1, 31, 10, 20, 30, 123999, timezone(timedelta(hours=2)))
    assert format_moment(moment) == "2025-01-31T08:20:30.123Z"


@given(st.lists(st.text(max_size=5), max_size=1200), st.integers(1, 600))
def test_cut_keeps_all_ids_in_order(ids: list[str], size: int) -> None:
    parts = list(cut(ids, size))
    assert [one for part in parts for one in part] == ids
    assert all(0 < len(part) <= size for part in parts)
    assert all(len(part) == size for part in parts[:-1])


def test_cut_fits_one_message_by_default() -> None:
    assert [len(part) for part in cut(["id"] * 1001)] == [MAX_ITEMS, MAX_ITEMS, 1]
