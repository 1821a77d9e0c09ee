"""Deliveries of an inbound queue: gathered, transferred, and recorded where they cannot be processed at all."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.connector.vaults.vaults import Interrupted, Patience
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.runtime.retry_policies import MARK_FAILED
from shared.spark.broker_errors import BrokerUnavailable
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRY,
    PERSON,
    REQUEST,
    account,
    inquiry,
    status,
)
from tests.unit.connector.messages import (
    delivery,
    envelope,
    exceptions,
    handle,
    inbox,
    items,
    logged,
    slots,
)
from tests.unit.connector.standard_vaults import CRM_ID, MEDICAL_ID, Pair, pair


@pytest.fixture
def vaults() -> Pair:
    return pair()


def an_inquiry(vaults: Pair) -> str:
    return inquiry(vaults.crm, account(vaults.crm))


# What arrives.


async def test_a_message_is_transferred_before_the_handler_returns(
    vaults: Pair,
) -> None:
    item = an_inquiry(vaults)
    await handle(vaults, envelope(item))
    assert status(vaults.crm, item) == "success__v"
    assert exceptions(vaults, "message_id") == []


async def test_messages_of_one_kind_are_one_unit(vaults: Pair) -> None:
    ids = [an_inquiry(vaults) for _ in range(3)]
    await handle(vaults, *(envelope(item) for item in ids))
    upserts = {each.row["link__sys"] for each in vaults.medical.written if each.object == REQUEST}  # fmt: skip
    assert upserts == {f"{CRM_ID}_{item}" for item in ids}
    reads = [each for each in vaults.crm.asked if "LONGTEXT(inquiry_text__v)" in each]
    assert len(reads) == 1


async def test_messages_for_different_points_are_units_of_their_own(
    vaults: Pair,
) -> None:
    of = account(vaults.crm)
    item = inquiry(vaults.crm, of)
    pulled = envelope(of, point="account_inbound__v", of=ACCOUNT)
    await handle(vaults, pulled, envelope(item))
    assert len(vaults.medical.rows(PERSON)) == 1
    assert len(vaults.medical.rows(CASE)) == 1


async def test_a_record_that_two_messages_name_is_at_work_once_at_a_time(
    vaults: Pair,
) -> None:
    item = an_inquiry(vaults)
    both = [envelope(item), envelope(item, event="again")]
    await handle(vaults, *both)
    assert len(vaults.medical.rows(REQUEST)) == 1
    assert exceptions(vaults, "message_id") == []


@pytest.mark.parametrize("sender", [CRM_ID, str(CRM_ID)])
async def test_the_header_names_the_source(vaults: Pair, sender: object) -> None:
    item = an_inquiry(vaults)
    await inbox(vaults).handle([delivery(envelope(item), sender)])
    assert status(vaults.crm, item) == "success__v"


@pytest.mark.parametrize("sender", [None, True, "crm", MEDICAL_ID])
async def test_without_a_source_the_first_vault_with_a_route_is_read(
    vaults: Pair, sender: object
) -> None:
    item = an_inquiry(vaults)
    await inbox(vaults).handle([delivery(envelope(item), sender)])
    assert status(vaults.crm, item) == "success__v"


async def test_a_retry_names_its_source_in_an_attribute(vaults: Pair) -> None:
    item = an_inquiry(vaults)
    retry = envelope(item, source_vault_id=CRM_ID)
    await inbox(vaults).handle([delivery(retry, MEDICAL_ID)])
    assert status(vaults.crm, item) == "success__v"


# What cannot be processed at all.


async def test_a_body_that_is_no_message_is_recorded(vaults: Pair) -> None:
    bad = delivery(b"{not json\x00", message_id="odd")
    item = an_inquiry(vaults)
    await inbox(vaults).handle([bad, delivery(envelope(item))])
    (found,) = exceptions(vaults, "message_id", "error_type", "message_body_json")
    assert found["message_id"] == "odd"
    assert found["error_type"] == "malformed_message__sys"
    assert found["message_body_json"] == "{not json"
    assert status(vaults.crm, item) == "success__v"


async def test_a_body_without_an_id_is_the_same_exception_each_time(
    vaults: Pair,
) -> None:
    for _ in range(2):
        await inbox(vaults).handle([delivery(b"nothing")])
    assert len(exceptions(vaults, "message_id")) == 1


@pytest.mark.parametrize(
    ("message", "sender", "text"),
    [
        pytest.param(
            envelope("V4T1", point=""), CRM_ID, "lacks the attribute", id="no point"
        ),
        pytest.param(
            envelope("V4T1", of=""), CRM_ID, "lacks the attribute", id="no object"
        ),
        pytest.param(
            envelope("V4T1"),
            30303,
            "comes from Vault 30303, which this connector has no access to",
            id="an unknown Vault",
        ),
        pytest.param(
            envelope("V4T1", point="odd__c"), CRM_ID, "does not exist", id="no route"
        ),
        pytest.param(
            envelope("V4T1", point="odd__c"), None, "does not exist", id="no source"
        ),
        pytest.param(
            envelope("V4A1", of=ACCOUNT), CRM_ID, "needs exactly one", id="no rule"
        ),
    ],
)
async def test_a_message_that_no_configuration_provides_for_is_recorded_as_a_whole(
    vaults: Pair, message: object, sender: object, text: str
) -> None:
    await inbox(vaults).handle([delivery(message, sender)])  # type: ignore[arg-type]
    fields = ("error_type", "error_message", "message_items_failed", "error_status")
    (found,) = exceptions(vaults, *fields)
    assert found["error_type"] == "configuration_error__sys"
    assert text in str(found["error_message"])
    assert (found["message_items_failed"], found["error_status"]) == (1, "open__sys")
    # A record has an exception of its own only where it is known which point it failed at.
    assert len(items(vaults, "item")) == (text == "needs exactly one")


async def test_without_another_vault_a_message_has_no_source(vaults: Pair) -> None:
    del vaults.vaults.by_id[CRM_ID]
    await inbox(vaults).handle([delivery(envelope("V4T1"), None)])
    (found,) = exceptions(vaults, "error_message")
    assert "no other Vault to read the records from" in str(found["error_message"])


async def test_the_recorded_body_names_its_source(vaults: Pair) -> None:
    await handle(vaults, envelope("V4A1", of=ACCOUNT))
    (found,) = exceptions(vaults, "message_body_json", "message_items_received")
    body = json.loads(str(found["message_body_json"]))
    assert body["message"]["attributes"]["source_vault_id"] == CRM_ID
    assert found["message_items_received"] == 1


async def test_inquiries_of_a_refused_message_are_failed(vaults: Pair) -> None:
    broken = "ALTER Integrationrule medical_inquiries__v (active(false));"
    vaults = pair(broken)
    item = an_inquiry(vaults)
    await handle(vaults, envelope(item))
    assert status(vaults.crm, item) == "failed__v"
    assert len(exceptions(vaults, "message_id")) == 1


NO_RULE = "ALTER Integrationrule medical_inquiries__v (active(false));"


@pytest.mark.parametrize("broken", ["the message", "an item"])
async def test_failed_is_reported_after_its_exception_is_recorded(broken: str) -> None:
    vaults, item = failing(broken)
    recorded: list[int] = []

    async def look() -> None:
        recorded.append(len(exceptions(vaults, "message_id")))

    vaults.crm.before(f"update {INQUIRY}", look)
    await handle(vaults, envelope(item))
    assert recorded == [1]
    assert status(vaults.crm, item) == "failed__v"


@pytest.mark.parametrize("broken", ["the message", "an item"])
@pytest.mark.parametrize("refusal", ["INSUFFICIENT_ACCESS", "UNEXPECTED_ERROR", "row"])
async def test_failed_is_reported_until_it_is_accepted(
    monkeypatch: pytest.MonkeyPatch, broken: str, refusal: str
) -> None:
    monkeypatch.setattr(asyncio, "timeout", _at_once)
    vaults, item = failing(broken)
    if refusal == "row":
        vaults.crm.refuse_rows(INQUIRY, times=MARK_FAILED.attempts - 1)
    else:
        times = MARK_FAILED.attempts - 1
        refusals = [VaultRefused(refusal, "no") for _ in range(times)]
        vaults.crm.fail_calls(f"update {INQUIRY}", *refusals)
    await handle(vaults, envelope(item))
    assert status(vaults.crm, item) == "failed__v"
    assert len(exceptions(vaults, "message_id")) == 1


async def test_one_that_does_not_take_it_for_long_returns_to_its_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncio, "timeout", _at_once)
    vaults, item = failing("an item")
    neighbour = an_inquiry(vaults)
    messages = [delivery(envelope(item)), delivery(envelope(neighbour))]
    vaults.crm.refuse_rows(INQUIRY, times=MARK_FAILED.attempts, transfer_status__v="failed__v")  # fmt: skip
    with pytest.raises(VaultRefused):
        await inbox(vaults).handle(messages)
    statuses = [status(vaults.crm, each) for each in (item, neighbour)]
    assert statuses == ["pending__v", "success__v"]
    await inbox(vaults).handle(messages[:1])
    assert status(vaults.crm, item) == "failed__v"
    assert len(exceptions(vaults, "message_id")) == 1


def failing(broken: str) -> tuple[Pair, str]:
    """Vaults with an inquiry that fails, as a whole message or as an item of it."""
    if broken == "the message":
        vaults = pair(NO_RULE)
        return vaults, an_inquiry(vaults)
    vaults = pair()
    odd = vaults.crm.add("product__v", external_id__v="P-9", name__v="P-9")
    return vaults, inquiry(vaults.crm, account(vaults.crm), product__v=odd)


async def test_a_refused_call_is_recorded_without_the_values_of_its_text(
    vaults: Pair,
) -> None:
    refused = VaultRefused("INSUFFICIENT_ACCESS", "no access to [name__v=Ann Lee]")
    vaults.medical.fail_calls("upsert person__sys", refused)
    item = an_inquiry(vaults)
    await handle(vaults, envelope(item))
    (found,) = exceptions(vaults, "error_type", "error_message")
    assert found == {
        "error_type": "message_processing_error__sys",
        "error_message": "A Vault refused the call: INSUFFICIENT_ACCESS: no access to [name__v]",
    }
    assert status(vaults.crm, item) == "failed__v"


async def test_an_error_of_the_connector_itself_is_recorded_by_its_kind_only(
    vaults: Pair,
) -> None:
    vaults.medical.fail_calls("upsert person__sys", KeyError("Ann Lee"))
    with logged() as events:
        await handle(vaults, envelope(an_inquiry(vaults)))
    assert events == ["unit failed"]
    (found,) = exceptions(vaults, "error_message")
    assert found["error_message"] == (
        "The message could not be processed (KeyError); the connector's log has the details"
    )


# What passes.


@pytest.mark.parametrize(
    "fault",
    [
        VaultUnavailable("away"),
        BrokerUnavailable("away"),
        VaultRefused("RACE_CONDITION", "busy"),
        VaultRefused("INVALID_SESSION_ID", "expired"),
        VaultRefused("UNEXPECTED_ERROR", "oops"),
    ],
)
async def test_a_fault_that_passes_is_waited_for(
    vaults: Pair, fault: Exception
) -> None:
    vaults.medical.fail_calls("upsert case__v", fault)
    item = an_inquiry(vaults)
    await handle(vaults, envelope(item))
    assert status(vaults.crm, item) == "success__v"
    assert exceptions(vaults, "message_id") == []


def _at_once(_delay: float | None) -> asyncio.Timeout:
    return asyncio.Timeout(0)


async def test_the_stop_of_the_process_ends_the_wait(vaults: Pair) -> None:
    patience = Patience()

    async def stop() -> None:
        patience.end()
        raise VaultUnavailable("away")

    vaults.medical.before("upsert case__v", stop)
    with pytest.raises(Interrupted):
        await inbox(vaults, slots(patience=patience)).handle(
            [delivery(envelope(an_inquiry(vaults)))]
        )


async def test_an_exception_that_is_not_taken_keeps_the_deliveries(
    vaults: Pair,
) -> None:
    vaults.medical.refuse_rows("exception_message__sys")
    with pytest.raises(VaultRefused, match="exception record not taken"):
        await handle(vaults, envelope("V4T9"))
