"""Partial failures are recorded by message and item, and resolved once nothing fails any more."""

from __future__ import annotations

import json

import pytest

from shared.client.errors import VaultRefused
from tests.unit.connector.example_records import (
    CASE,
    INQUIRIES,
    INQUIRY,
    REQUEST,
    account,
    inquiry,
)
from tests.unit.connector.messages import (
    envelope,
    exceptions,
    handle,
    items,
)
from tests.unit.connector.standard_vaults import CRM_ID, MEDICAL_ID, Pair, pair


@pytest.fixture
def vaults() -> Pair:
    return pair()


def an_inquiry(vaults: Pair) -> str:
    return inquiry(vaults.crm, account(vaults.crm))


def point_id(vaults: Pair) -> str:
    """The record id of the integration point for inquiries."""
    name = "integration_point_api_name__sys"
    rows = vaults.medical.rows("integration_point__sys", "id", name)
    return next(str(row["id"]) for row in rows if row[name] == INQUIRIES)


async def test_a_message_with_failed_items_is_recorded_with_them(vaults: Pair) -> None:
    right, wrong = an_inquiry(vaults), an_inquiry(vaults)
    vaults.medical.refuse_rows(CASE, link__sys=f"{CRM_ID}_{wrong}")
    message = envelope(right, wrong)
    await handle(vaults, message)
    fields = (
        "message_id",
        "error_type",
        "message_items_received",
        "message_items_failed",
    )
    assert exceptions(vaults, *fields) == [
        {
            "message_id": message.message_id,
            "error_type": "message_processing_error__sys",
            "message_items_received": 2,
            "message_items_failed": 1,
        }
    ]
    (text,) = (row["error_message"] for row in exceptions(vaults, "error_message"))
    assert str(text).startswith(f"1 of 2 items failed at integration point {INQUIRIES}")
    assert items(
        vaults, "item_key", "item", "error_type", "error_status", "integration_rule"
    ) == [
        (
            f"{point_id(vaults)}:{wrong}",
            wrong,
            "save_error__sys",
            "open__sys",
            "medical_inquiries__v",
        )
    ]
    (data,) = items(vaults, "item_data")
    assert json.loads(str(data[0])) == {"object": INQUIRY, "id": wrong}


async def test_each_message_has_its_own_items(vaults: Pair) -> None:
    messages = [envelope("V4T8"), envelope("V4T9")]
    await handle(vaults, *messages)
    records = [row["id"] for row in vaults.medical.rows("exception_message__sys", "id")]
    assert items(vaults, "exception_message", "item") == [
        (records[0], "V4T8"),
        (records[1], "V4T9"),
    ]


async def test_a_message_that_only_warns_is_a_warning() -> None:
    warns = """ALTER Integrationrule account__v (
        MODIFY Fieldrule person_specialty__v (missing_lookup('warning')));"""
    vaults = pair(warns)
    item = inquiry(vaults.crm, account(vaults.crm, specialty_1__v="alchemy__v"))
    await handle(vaults, envelope(item))
    fields = ("error_status", "message_items_failed")
    assert exceptions(vaults, *fields) == [
        {"error_status": "warning__sys", "message_items_failed": 0}
    ]
    assert items(vaults, "item", "error_status") == [(item, "warning__sys")]


async def test_a_retry_that_succeeds_resolves_item_and_message(vaults: Pair) -> None:
    item = an_inquiry(vaults)
    vaults.medical.refuse_rows(CASE, times=1)
    await handle(vaults, envelope(item))
    await handle(vaults, envelope(item))
    assert [row[0] for row in items(vaults, "error_status")] == ["resolved__sys"]
    fields = ("error_status", "message_items_failed")
    assert exceptions(vaults, *fields) == [
        {"error_status": "resolved__sys", "message_items_failed": 0}
    ]


async def test_a_message_stays_open_while_one_of_its_items_is(vaults: Pair) -> None:
    mended = an_inquiry(vaults)
    vaults.medical.refuse_rows(CASE, times=1)
    await handle(vaults, envelope(mended, "V4T9"))
    await handle(vaults, envelope(mended))
    assert items(vaults, "item", "error_status") == [
        (mended, "resolved__sys"),
        ("V4T9", "open__sys"),
    ]
    statuses = [row["error_status"] for row in exceptions(vaults, "error_status")]
    assert statuses == ["open__sys"]


async def test_a_message_that_failed_as_a_whole_is_resolved_by_its_retry(
    vaults: Pair,
) -> None:
    refused = VaultRefused("INSUFFICIENT_ACCESS", "no")
    vaults.medical.fail_calls("upsert person__sys", refused)
    message = envelope(an_inquiry(vaults))
    for _ in range(2):
        await handle(vaults, message)
    statuses = [row["error_status"] for row in exceptions(vaults, "error_status")]
    assert statuses == ["resolved__sys"]


async def test_an_ignored_exception_stays_ignored(vaults: Pair) -> None:
    message = envelope("V4T9")
    await handle(vaults, message)
    (row,) = vaults.medical.rows("exception_message__sys", "id")
    vaults.medical.change(
        "exception_message__sys", str(row["id"]), error_status__sys="ignored__sys"
    )
    await handle(vaults, message)
    statuses = [row["error_status"] for row in exceptions(vaults, "error_status")]
    assert statuses == ["ignored__sys"]


async def test_an_ignored_item_stays_ignored(vaults: Pair) -> None:
    message = envelope("V4T8", "V4T9")
    await handle(vaults, message)
    (row, _) = vaults.medical.rows("exception_item__sys", "id")
    vaults.medical.change(
        "exception_item__sys", str(row["id"]), error_status__sys="ignored__sys"
    )
    await handle(vaults, message)
    statuses = [each[0] for each in items(vaults, "error_status")]
    assert statuses == ["ignored__sys", "open__sys"]


async def test_items_being_retried_are_open_again_when_the_message_fails_as_a_whole(
    vaults: Pair,
) -> None:
    message = envelope("V4T9")
    await handle(vaults, message)
    (row,) = vaults.medical.rows("exception_item__sys", "id")
    vaults.medical.change(
        "exception_item__sys", str(row["id"]), error_status__sys="retrying__sys"
    )
    vaults.crm.fail_calls("query", VaultRefused("INSUFFICIENT_ACCESS", "no"))
    await handle(vaults, message)
    assert [each[0] for each in items(vaults, "error_status")] == ["open__sys"]


async def test_a_retry_that_fails_again_keeps_the_first_body_and_count(
    vaults: Pair,
) -> None:
    message = envelope("V4T8", "V4T9")
    await handle(vaults, message)
    await handle(vaults, envelope("V4T9", message_id=message.message_id))
    fields = ("message_items_received", "message_items_failed")
    assert exceptions(vaults, *fields) == [
        {"message_items_received": 2, "message_items_failed": 1}
    ]


async def test_nothing_is_resolved_where_nothing_is_open(vaults: Pair) -> None:
    await handle(vaults, envelope(an_inquiry(vaults)))
    written = {each.object for each in vaults.medical.written}
    assert not any(name.startswith("exception_") for name in written)


async def test_lineage_is_sent_to_vaults_that_keep_it(vaults: Pair) -> None:
    message = envelope(an_inquiry(vaults))
    await handle(vaults, message)
    (request,) = [each for each in vaults.medical.written if each.object == REQUEST]
    assert request.lineage is not None
    assert request.lineage["source_vault_id"] == CRM_ID
    (back,) = [each for each in vaults.crm.written if each.object == INQUIRY]
    assert back.lineage is not None
    assert back.lineage["source_vault_id"] == MEDICAL_ID
