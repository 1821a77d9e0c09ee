"""Messages gathered into units, and the order in which a rule's objects are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.messages.units import Inbound, gather
from services.connector.processing.exception_records import malformed
from services.connector.rules.order import Link, Step, write_order
from services.connector.rules.rule import RuleError
from shared.spark.envelope import SOURCE_ATTRIBUTE, Envelope, JsonValue, Message
from tests.unit.connector.examples import (
    CASE,
    CASE_REQUEST,
    PERSON,
    metadata,
    reference,
)

OWN, OTHER = 10101, 20202
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def inbound(
    *items: str,
    sender: int | None = OTHER,
    message_id: str = "m",
    minutes: int = 0,
    **more: JsonValue,
) -> Inbound:
    attributes: dict[str, JsonValue] = {
        "object": "medical_inquiry__v",
        "event": "e",
        "integration_point": "p__v",
        **more,
    }
    envelope = Envelope(
        "crm",
        "host",
        "q",
        NOON + timedelta(minutes=minutes),
        NOON,
        1,
        message_id,
        Message(attributes, items),
    )
    return Inbound(envelope, sender)


def test_messages_of_one_kind_share_a_unit_and_ids_count_once() -> None:
    units = gather(
        [
            inbound("a", "b"),
            inbound("b", "c", minutes=2),
            inbound("d", object="case_request__v"),
        ],
        OWN,
    )
    assert [list(unit.ids) for unit in units] == [["a", "b", "c"], ["d"]]
    assert units[0].entered == NOON + timedelta(minutes=2)


def test_copies_of_one_message_are_reported_as_one() -> None:
    (unit,) = gather(
        [
            inbound("a", "b", "c"),
            inbound("d", message_id="n"),
            inbound("c", "e"),
            inbound("b"),
        ],
        OWN,
    )
    items = {
        message_id: envelope.message.items
        for message_id, envelope in unit.whole_messages.items()
    }
    assert items == {"m": ("a", "b", "c", "e"), "n": ("d",)}


@given(st.lists(st.lists(st.integers(0, 900), max_size=500), max_size=8))
def test_a_unit_holds_whole_messages_and_at_most_500_ids(
    batches: list[list[int]],
) -> None:
    messages = [
        inbound(*map(str, batch), message_id=str(number))
        for number, batch in enumerate(batches)
    ]
    units = gather(messages, OWN)
    assert [message for unit in units for message in unit.messages] == messages
    for unit in units:
        assert len(unit.ids) <= 500
        assert set(unit.ids) == {
            item for message in unit.messages for item in message.envelope.message.items
        }


def test_a_retry_names_its_source_in_an_attribute() -> None:
    body = orjson.loads(inbound("a").envelope.recorded(OTHER))
    attributes = body["message"]["attributes"]
    assert attributes[SOURCE_ATTRIBUTE] == OTHER
    assert inbound("a", sender=OWN, **attributes).source(OWN) == OTHER
    assert inbound("a", sender=OWN).source(OWN) is None
    assert inbound("a", sender=OTHER, source_vault_id=5).source(OWN) == OTHER


@pytest.mark.parametrize("unusable", ["", "a\x00b", "\ud800", "m" * 256])
def test_a_body_without_a_usable_id_is_known_by_its_digest(unusable: str) -> None:
    first, second = (
        malformed(b"\xff\x00{", unusable, "q__v", "body is not JSON") for _ in range(2)
    )
    assert first == second
    assert len(first.message_id) == 64
    assert "\x00" not in first.body


def test_what_is_referred_to_is_written_first_and_linked() -> None:
    objects = {"case_request__v": CASE_REQUEST, "case__v": CASE, "person__sys": PERSON}
    assert write_order("r", objects, {}, objects) == (
        Step("person__sys"),
        Step("case__v", (Link("case_contact__v", "person__sys"),)),
        Step("case_request__v", (Link("case__v", "case__v"),)),
    )
    ruled = {"case__v": frozenset({"case_contact__v"})}
    assert write_order("r", objects, ruled, objects)[1] == Step("person__sys")


def test_objects_that_refer_to_each_other_are_refused() -> None:
    objects = {
        "a__v": metadata("a__v", reference("b__v", "b__v")),
        "b__v": metadata("b__v", reference("a__v", "a__v")),
    }
    with pytest.raises(RuleError, match="circle"):
        write_order("r", objects, {}, objects)
