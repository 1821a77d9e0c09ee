"""Bad input on a queue: each fault becomes one User Exception with a reason, and blocks nothing else."""

from __future__ import annotations

import orjson
import pytest

from bench.data import TRANSFER, submitted_inquiries
from shared.client.results import Row
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue

MESSAGE_FIELDS = (
    "id, message_id__sys, error_type__sys, error_message__sys, error_status__sys, "
    "message_items_received__sys, message_items_failed__sys, queue__sys"
)


async def exception_messages(connected: Connected) -> dict[str, Row]:
    rows = (
        await connected.medical.query(
            f"SELECT {MESSAGE_FIELDS} FROM exception_message__sys"
        )
    ).rows
    return {str(row["id"]): row for row in rows}


async def new_exception(connected: Connected, before: dict[str, Row]) -> Row:
    """The one new User Exception Message."""
    found: list[Row] = []

    async def arrived() -> bool:
        after = await exception_messages(connected)
        found[:] = [row for key, row in after.items() if key not in before]
        return bool(found)

    await eventually("a User Exception Message", arrived)
    assert len(found) == 1
    return found[0]


async def items_of(connected: Connected, message: Row) -> list[Row]:
    """The items of a User Exception Message; they are written after it."""
    text = (
        "SELECT item__sys, integration_rule__sys, field_rule__sys, target_field__sys, error_message__sys, "
        f"error_status__sys FROM exception_item__sys WHERE exception_message__sys = '{message['id']}' ORDER BY id"
    )
    found: list[Row] = []

    async def written() -> bool:
        found[:] = (await connected.medical.query(text)).rows
        return bool(found)

    await eventually("the User Exception Items", written)
    return found


async def status_of(connected: Connected, inquiry: str) -> object:
    return (await connected.crm.record("medical_inquiry__v", inquiry))[
        "transfer_status__v"
    ]


async def assert_transfers(connected: Connected, inquiry: str) -> None:
    """Check that the queue still works: a valid inquiry is transferred."""
    await connected.crm.run_action("medical_inquiry__v", inquiry, TRANSFER)

    async def succeeded() -> bool:
        return await status_of(connected, inquiry) == ["success__v"]

    await eventually("a good inquiry's Success behind the bad message", succeeded)


def altered(**changes: object) -> bytes:
    document = orjson.loads(envelope(["V4T000000000001"]).encode())
    document.update(changes)
    return orjson.dumps(document)


def altered_message(**changes: object) -> bytes:
    document = orjson.loads(envelope(["V4T000000000001"]).encode())
    document["message"].update(changes)
    return orjson.dumps(document)


MALFORMED = {
    "no JSON": b"\x00\xffnot json",
    "a JSON list": b"[]",
    "no message": altered(message=None),
    "items that are no list": altered_message(items="V4T000000000001"),
    "an item that is no text": altered_message(items=[1]),
    "an item that no text holds": altered_message(items=["V4T\x00"]),
    "an attribute that no text holds": altered_message(attributes={"object": "\x00"}),
    "an item too long": altered_message(items=["x" * 101]),
    "too many items": altered_message(items=[f"V4T{n:012d}" for n in range(501)]),
    "too large": altered_message(attributes={"object": "x" * 300_000}),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed(connected: Connected, body: bytes) -> None:
    before = await exception_messages(connected)
    await put_on_queue(connected, body)
    message = await new_exception(connected, before)
    assert message["error_type__sys"] == ["malformed_message__sys"]
    assert message["error_message__sys"]


async def test_one_exception_however_often_delivered(connected: Connected) -> None:
    before = await exception_messages(connected)
    body = envelope(["V4T00000NOWHERE"], point="nowhere__c").encode()
    for _ in range(3):
        await put_on_queue(connected, body)
    (inquiry,) = await submitted_inquiries(
        connected.crm, connected.medical, 1, new_run()
    )
    await assert_transfers(connected, inquiry)
    await new_exception(connected, before)


@pytest.mark.parametrize(
    ("point", "object_name"),
    [
        ("nowhere__c", "medical_inquiry__v"),
        ("medical_inquiry_details_inbound__v", "nothing__c"),
    ],
    ids=["unknown integration point", "unknown object"],
)
async def test_unknown_names(
    connected: Connected, point: str, object_name: str
) -> None:
    before = await exception_messages(connected)
    await put_on_queue(
        connected,
        envelope(["V4T000000000001"], point=point, object_name=object_name).encode(),
    )
    message = await new_exception(connected, before)
    assert message["error_type__sys"] == ["configuration_error__sys"]
    unknown = point if point == "nowhere__c" else object_name
    assert unknown in str(message["error_message__sys"])


async def test_missing_source_record(connected: Connected) -> None:
    (good,) = await submitted_inquiries(connected.crm, connected.medical, 1, new_run())
    before = await exception_messages(connected)
    await put_on_queue(connected, envelope(["V4T00000MISSING", good]).encode())
    message = await new_exception(connected, before)
    assert (
        message["message_items_received__sys"],
        message["message_items_failed__sys"],
    ) == (2, 1)
    (item,) = await items_of(connected, message)
    assert item["item__sys"] == "V4T00000MISSING"

    async def succeeded() -> bool:
        return await status_of(connected, good) == ["success__v"]

    await eventually("the good item beside the missing one", succeeded)


async def test_value_too_long_names_rule_and_field(connected: Connected) -> None:
    """By an administrator's field rule a value that is too long fails; the corrected rule retries it."""
    run = new_run()
    name = f"short_{run}__c"
    await connected.medical.execute_mdl(
        f"ALTER Object case_request__v ( ADD Field {name} ( label('Short'), type('String'), max_length(5) ) );"
        f"ALTER Integrationrule medical_inquiries__v ( ADD Fieldrule {name} ("
        " target_object('Object.case_request__v'),"
        f" target_object_field('Field.{name}'), query_object('medical_inquiry__v'), query_field('email__v') ) );"
    )
    (inquiry,) = await submitted_inquiries(connected.crm, connected.medical, 1, run)
    before = await exception_messages(connected)
    await connected.crm.run_action("medical_inquiry__v", inquiry, TRANSFER)
    message = await new_exception(connected, before)
    (item,) = await items_of(connected, message)
    assert item["item__sys"] == inquiry
    assert item["integration_rule__sys"] == "medical_inquiries__v"
    assert item["field_rule__sys"] == name
    assert "5" in str(item["error_message__sys"])
    assert "practice.example" not in str(item["error_message__sys"]), (
        "the value may be personal"
    )

    async def failed() -> bool:
        return await status_of(connected, inquiry) == ["failed__v"]

    await eventually("Failed, which is told after the exception", failed)
    await connected.medical.execute_mdl(
        f"ALTER Integrationrule medical_inquiries__v ( DROP Fieldrule {name} );"
    )
    await retry(connected, message)
    await assert_resolved(connected, message, inquiry)


async def test_missing_rule_is_one_exception_for_all_items(
    connected: Connected,
) -> None:
    inquiries = await submitted_inquiries(
        connected.crm, connected.medical, 3, new_run()
    )
    await connected.medical.execute_mdl(
        "ALTER Integrationrule medical_inquiries__v ( active(false) );"
    )
    before = await exception_messages(connected)
    try:
        await connected.crm.run_bulk_action("medical_inquiry__v", inquiries, TRANSFER)
        message = await new_exception(connected, before)
    finally:
        await connected.medical.execute_mdl(
            "ALTER Integrationrule medical_inquiries__v ( active(true) );"
        )
    assert message["error_type__sys"] == ["configuration_error__sys"]
    assert message["message_items_failed__sys"] == 3

    async def failed() -> bool:
        statuses = [await status_of(connected, inquiry) for inquiry in inquiries]
        return statuses == [["failed__v"]] * 3

    await eventually("Failed, which is told after the exception", failed)
    await retry(connected, message)
    for inquiry in inquiries:
        await assert_resolved(connected, message, inquiry)


async def retry(connected: Connected, message: Row) -> None:
    action = "Objectaction.exception_message__sys.retry_transfer__sys"
    await connected.medical.run_action(
        "exception_message__sys", str(message["id"]), action
    )


async def assert_resolved(connected: Connected, message: Row, inquiry: str) -> None:
    async def resolved() -> bool:
        record = await connected.medical.record(
            "exception_message__sys", str(message["id"])
        )
        status = await status_of(connected, inquiry)
        return record["error_status__sys"] == ["resolved__sys"] and status == [
            "success__v"
        ]

    await eventually("the retried inquiry's Success and the exception's end", resolved)
