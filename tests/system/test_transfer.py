"""Transfers of inquiries: contacts matched or created, agreements kept, records linked, and refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bench.data import SUBMIT, TRANSFER
from shared.client import VaultClient, VaultRefused
from shared.client.results import Row, rows_of
from shared.client.transport import Request
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue
from tests.system.reconciling import assert_clean

QUEUE = "crm_to_medical_outbound_queue__v"
OUTBOUND = "medical_crm_outbound_queue__v"


async def one(client: VaultClient, text: str) -> Row:
    (row,) = (await client.query(text)).rows
    return row


async def create(client: VaultClient, object_name: str, row: dict[str, Any]) -> str:
    (result,) = await client.create(object_name, [row])
    assert result.ok, result.errors
    return str(result.id)


async def account(
    connected: Connected, run: str, country: str = "US", **fields: object
) -> str:
    row = {
        "name__v": f"Dr {run}",
        "first_name_cda__v": "Vale",
        "last_name_cda__v": f"Example {run}",
        "email_cda__v": f"{run}@account.example",
        "external_id__v": f"T-{run}",
        "primary_country__vr.country_code__v": country,
        **fields,
    }
    return await create(connected.crm, "account__v", row)


async def inquiry(
    connected: Connected, account_id: str, country: str = "US", **fields: object
) -> str:
    row = {
        "account__v": account_id,
        "product__vr.external_id__v": "P-1001",
        "country__vr.country_code__v": country,
        "inquiry_text__v": "Is there a pediatric dose?",
        "delivery_method__v": "email__v",
        "email__v": "delivery@inquiry.example",
        **fields,
    }
    inquiry_id = await create(connected.rep, "medical_inquiry__v", row)
    await connected.rep.run_action("medical_inquiry__v", inquiry_id, SUBMIT)
    return inquiry_id


async def transferred(
    connected: Connected, inquiry_id: str, status: str = "success__v"
) -> Row:
    """Transfer and return the Case Request (or an empty row where the transfer was to fail)."""
    await connected.rep.run_action("medical_inquiry__v", inquiry_id, TRANSFER)

    async def done() -> bool:
        row = await connected.crm.record("medical_inquiry__v", inquiry_id)
        return row["transfer_status__v"] == [status]

    await eventually(f"Transfer Status {status}", done)
    if status != "success__v":
        return {}
    return await one(
        connected.medical,
        "SELECT id, state__v, product__vr.external_id__v, LONGTEXT(question__v), case__v, case__vr.link__sys, "
        "case__vr.origination_channel__v, case__vr.priority__v, case__vr.country__vr.country_code__v, "
        "case__vr.case_contact__v, case__vr.case_contact__vr.last_name__sys, "
        f"case__vr.case_contact__vr.email__sys FROM case_request__v WHERE link__sys = '20202_{inquiry_id}'",
    )


async def test_records_are_made_and_linked(connected: Connected) -> None:
    run = new_run()
    account_id = await account(connected, run, veevaid__v=f"V{run}")
    inquiry_id = await inquiry(
        connected,
        account_id,
        delivery_method__v="urgent_mail__v",
        address_line_1__v="1 Example Street",
        city__v="Springfield",
    )
    request = await transferred(connected, inquiry_id)
    assert request["state__v"] == "new_state__v"
    assert request["product__vr.external_id__v"] == "P-1001"
    assert request["question__v"] == "Is there a pediatric dose?"
    assert request["case__vr.origination_channel__v"] == ["vault_crm__v"]
    assert request["case__vr.priority__v"] == ["high__v"]
    assert request["case__vr.country__vr.country_code__v"] == "US"
    source_data = await one(
        connected.medical,
        "SELECT id, person__v, last_name__v, email__v FROM case_contact_source_data__v "
        f"WHERE link__sys = '20202_{account_id}'",
    )
    assert source_data["person__v"] == request["case__vr.case_contact__v"]
    assert source_data["last_name__v"] == f"Example {run}"
    await assert_clean(connected.medical, {account_id, inquiry_id})


async def test_the_same_veeva_id_updates_the_contact(connected: Connected) -> None:
    run = new_run()
    contact = await create(
        connected.medical,
        "person__sys",
        {
            "name__v": "As it was",
            "last_name__sys": "As it was",
            "veeva_id__v": f"V{run}",
            "object_type__v.api_name__v": "case_contact__v",
        },
    )
    account_id = await account(connected, run, veevaid__v=f"V{run}")
    request = await transferred(connected, await inquiry(connected, account_id))
    assert request["case__vr.case_contact__v"] == contact
    assert request["case__vr.case_contact__vr.last_name__sys"] == f"Example {run}"


async def test_the_same_external_id_updates_the_contact(connected: Connected) -> None:
    run = new_run()
    row = {
        "name__v": "As it was",
        "external_id__v": f"T-{run}",
        "object_type__v.api_name__v": "case_contact__v",
    }
    contact = await create(connected.medical, "person__sys", row)
    request = await transferred(
        connected, await inquiry(connected, await account(connected, run))
    )
    assert request["case__vr.case_contact__v"] == contact


async def test_without_ids_the_account_keeps_its_contact(connected: Connected) -> None:
    run = new_run()
    account_id = await account(connected, run, external_id__v=None)
    first = await transferred(connected, await inquiry(connected, account_id))
    second = await transferred(connected, await inquiry(connected, account_id))
    assert first["case__vr.case_contact__v"] == second["case__vr.case_contact__v"]
    assert first["case__v"] != second["case__v"]


async def test_ids_of_two_contacts_are_an_exception_not_a_guess(
    connected: Connected,
) -> None:
    run = new_run()
    for ids in ({"veeva_id__v": f"V{run}"}, {"external_id__v": f"T-{run}"}):
        row = {
            "name__v": "Someone",
            "object_type__v.api_name__v": "case_contact__v",
            **ids,
        }
        await create(connected.medical, "person__sys", row)
    inquiry_id = await inquiry(
        connected, await account(connected, run, veevaid__v=f"V{run}")
    )
    await transferred(connected, inquiry_id, "failed__v")
    text = f"SELECT error_message__sys, error_status__sys FROM exception_item__sys WHERE item__sys = '{inquiry_id}'"

    async def recorded() -> bool:
        return len((await connected.medical.query(text)).rows) == 1

    await eventually("the item", recorded)


@pytest.mark.parametrize(
    "country", ["CH", "JP"], ids=["do not pull", "no rule: the most restrictive"]
)
async def test_no_account_data_where_the_agreement_forbids_it(
    connected: Connected, country: str
) -> None:
    run = new_run()
    account_id = await account(connected, run, country)
    inquiry_id = await inquiry(connected, account_id, country)
    request = await transferred(connected, inquiry_id)
    assert request["case__vr.case_contact__vr.email__sys"] == "delivery@inquiry.example"
    assert request["case__vr.case_contact__vr.last_name__sys"] != f"Example {run}"
    rows = await connected.medical.query(
        f"SELECT id FROM case_contact_source_data__v WHERE email__v = '{run}@account.example'"
    )
    assert rows.rows == []
    await assert_clean(connected.medical, {account_id, inquiry_id})


async def test_a_transferred_inquiry_is_locked_for_every_user(
    connected: Connected,
) -> None:
    inquiry_id = await inquiry(connected, await account(connected, new_run()))
    await transferred(connected, inquiry_id)
    for client in (connected.rep, connected.crm):
        (result,) = await client.update(
            "medical_inquiry__v",
            [{"id": inquiry_id, "email__v": "new@inquiry.example"}],
        )
        assert result.errors[0].type == "OPERATION_NOT_ALLOWED"
        with pytest.raises(VaultRefused):
            await client.run_action("medical_inquiry__v", inquiry_id, TRANSFER)
    (result,) = await connected.crm.delete("medical_inquiry__v", [inquiry_id])
    assert result.errors[0].type == "OPERATION_NOT_ALLOWED"


async def test_a_failed_inquiry_is_mended_and_transferred_again(
    connected: Connected,
) -> None:
    inquiry_id = await inquiry(
        connected,
        await account(connected, new_run()),
        **{"product__vr.external_id__v": "P-1005"},
    )
    await transferred(connected, inquiry_id, "failed__v")
    (result,) = await connected.rep.update(
        "medical_inquiry__v",
        [{"id": inquiry_id, "product__vr.external_id__v": "P-1002"}],
    )
    assert result.ok
    request = await transferred(connected, inquiry_id)
    assert request["product__vr.external_id__v"] == "P-1002"
    text = f"SELECT error_status__sys FROM exception_item__sys WHERE item__sys = '{inquiry_id}'"

    async def resolved() -> bool:
        return [
            row["error_status__sys"]
            for row in (await connected.medical.query(text)).rows
        ] == [["resolved__sys"]]

    await eventually(
        "the first failure being resolved by the second transfer", resolved
    )
    await assert_clean(connected.medical, {inquiry_id})


async def test_delivered_twice_makes_one_case(connected: Connected) -> None:
    inquiry_id = await inquiry(connected, await account(connected, new_run()))
    body = envelope([inquiry_id]).encode()
    for _ in range(2):
        await put_on_queue(connected, body)
    await transferred(
        connected, await inquiry(connected, await account(connected, new_run()))
    )

    async def one_request() -> bool:
        text = f"SELECT id FROM case_request__v WHERE link__sys = '20202_{inquiry_id}'"
        return len((await connected.medical.query(text)).rows) == 1

    await eventually("one Case Request", one_request)
    await assert_clean(connected.medical, {inquiry_id})


async def test_an_inactive_integration_refuses_the_transfer(
    connected: Connected,
) -> None:
    inquiry_id = await inquiry(connected, await account(connected, new_run()))
    row = {"integration_api_name__sys": "medical_inquiry_details__v"}
    await connected.crm.update(
        "integration__sys",
        [{**row, "status__v": "inactive__v"}],
        "integration_api_name__sys",
    )
    try:
        with pytest.raises(VaultRefused) as refused:
            await connected.rep.run_action("medical_inquiry__v", inquiry_id, TRANSFER)
    finally:
        await connected.crm.update(
            "integration__sys",
            [{**row, "status__v": "active__v"}],
            "integration_api_name__sys",
        )
    assert refused.value.type == "OPERATION_NOT_ALLOWED"
    assert (await connected.crm.record("medical_inquiry__v", inquiry_id))[
        "transfer_status__v"
    ] is None
    await transferred(connected, inquiry_id)


async def test_activation_sets_the_last_successful_run_time(
    connected: Connected,
) -> None:
    row = {"integration_api_name__sys": "medical_inquiry_details__v"}
    times = []
    for status in ("inactive__v", "active__v"):
        await connected.medical.update(
            "integration__sys",
            [{**row, "status__v": status}],
            "integration_api_name__sys",
        )
        found = await one(
            connected.medical,
            "SELECT last_successful_run_time__sys FROM integration__sys "
            f"WHERE integration_api_name__sys = '{row['integration_api_name__sys']}'",
        )
        times.append(str(found["last_successful_run_time__sys"]))
    assert times[0] < times[1]


async def test_transfer_as_entry_action_of_submitted(connected: Connected) -> None:
    """The guide's other way: the action runs automatically when the inquiry is submitted."""
    change = (
        "ALTER Objectlifecycle medical_inquiry_lifecycle__v ( MODIFY Objectlifecyclestate submitted_state__v ("
        " {0} Objectlifecyclestateentryaction transfer__c {1} ) );"
    )
    await connected.crm.execute_mdl(
        change.format("ADD", "( action('transfer_to_medical'), order(1) )")
    )
    try:
        inquiry_id = await inquiry(connected, await account(connected, new_run()))
    finally:
        await connected.crm.execute_mdl(change.format("DROP", ""))

    async def done() -> bool:
        row = await connected.crm.record("medical_inquiry__v", inquiry_id)
        return row["transfer_status__v"] == ["success__v"]

    await eventually("Success after Submit alone", done)


async def becomes_empty(client: VaultClient, queue: str) -> None:
    """Wait until no messages of other tests are on a queue."""

    async def empty() -> bool:
        return (await client.queue(queue))["messages_in_queue"] == 0

    await eventually(f"{queue} being empty", empty)


async def test_disabled_delivery_holds_messages(connected: Connected) -> None:
    inquiry_id = await inquiry(connected, await account(connected, new_run()))
    await becomes_empty(connected.crm, QUEUE)
    await connected.crm.set_delivery(QUEUE, enabled=False)
    try:
        await connected.rep.run_action("medical_inquiry__v", inquiry_id, TRANSFER)
        queue = await connected.crm.queue(QUEUE)
        assert (queue["delivery"], queue["messages_in_queue"]) == ("disabled", 1)
        row = await connected.crm.record("medical_inquiry__v", inquiry_id)
        assert row["transfer_status__v"] == ["pending__v"]
    finally:
        await connected.crm.set_delivery(QUEUE, enabled=True)

    async def done() -> bool:
        record = await connected.crm.record("medical_inquiry__v", inquiry_id)
        return record["transfer_status__v"] == ["success__v"]

    await eventually("Success once delivery is enabled", done)


async def test_what_cannot_be_delivered_is_an_exception_in_the_source_and_in_the_queue_log(
    connected: Connected,
) -> None:
    inquiry_id = await inquiry(connected, await account(connected, new_run()))
    change = "ALTER Queue {} ( MODIFY Queueconnection medical_crm__v ( deliver_to_queue('{}') ) );"
    await connected.crm.execute_mdl(change.format(QUEUE, "nowhere__c"))
    try:
        await transferred(connected, inquiry_id, "failed__v")
    finally:
        await connected.crm.execute_mdl(
            change.format(QUEUE, "medical_crm_inbound_queue__v")
        )
    text = (
        "SELECT id, message_id__sys, error_type__sys, LONGTEXT(message_body_json__sys) "
        "FROM exception_message__sys WHERE error_status__sys = 'open__sys'"
    )
    (exception,) = [
        row
        for row in (await connected.crm.query(text)).rows
        if inquiry_id in str(row["message_body_json__sys"])
    ]
    assert exception["error_type__sys"] == ["message_delivery_error__sys"]
    today = datetime.now(UTC).date().isoformat()
    log = await connected.crm.call(
        Request("log", "GET", f"/api/v25.1/services/queue_logs/{today}")
    )
    lines = [
        line
        for line in rows_of(log["data"], "data")
        if line["message_id"] == exception["message_id__sys"]
    ]
    assert [(line["entry_type"], line["attempts"]) for line in lines] == [
        ("REMOVAL", 5)
    ]
    (connection,) = rows_of(
        (await connected.crm.queue(QUEUE))["connections"], "connections"
    )
    assert connection["last_message_delivered"] == "error"
    retry = "Objectaction.exception_message__sys.retry_transfer__sys"
    await connected.crm.run_action(
        "exception_message__sys", str(exception["id"]), retry
    )

    async def mended() -> bool:
        status = (await connected.crm.record("medical_inquiry__v", inquiry_id))[
            "transfer_status__v"
        ]
        record = await connected.crm.record(
            "exception_message__sys", str(exception["id"])
        )
        return (status, record["error_status__sys"]) == (
            ["success__v"],
            ["resolved__sys"],
        )

    await eventually("Success after the retry", mended)
    (connection,) = rows_of(
        (await connected.crm.queue(QUEUE))["connections"], "connections"
    )
    assert connection["last_message_delivered"] == "ok"


async def test_a_request_made_by_an_agent_concerns_no_crm(connected: Connected) -> None:
    case = await create(
        connected.agent, "case__v", {"origination_channel__v": "phone__v"}
    )
    request = await create(
        connected.agent,
        "case_request__v",
        {"case__v": case, "question__v": "By telephone"},
    )
    actions = await connected.agent.actions("case_request__v", request)
    start = next(
        str(action["name"]) for action in actions if action["label"] == "Start Work"
    )
    await becomes_empty(connected.medical, OUTBOUND)
    await connected.agent.run_action("case_request__v", request, start)
    queue = await connected.medical.queue(OUTBOUND)
    assert queue["messages_in_queue"] == 0
    assert (await connected.agent.record("case_request__v", request))["state__v"] == [
        "in_progress_state__v"
    ]


async def test_preferred_contact_information_is_the_contacts_own_that_equals_the_delivery_detail(
    connected: Connected,
) -> None:
    run = new_run()
    account_id = await account(connected, run, veevaid__v=f"V{run}")
    first = await transferred(connected, await inquiry(connected, account_id))
    assert (await connected.medical.record("case__v", str(first["case__v"])))[
        "preferred_contact_information__v"
    ] is None
    person = str(first["case__vr.case_contact__v"])
    known = {
        kind: await create(
            connected.medical,
            "person_information__v",
            {"person__v": person, "information_type__v": kind, "value__v": value},
        )
        for kind, value in (
            ("email__v", "Delivery@Inquiry.example"),
            ("phone__v", "+1 555 0199"),
        )
    }
    by_email = await transferred(connected, await inquiry(connected, account_id))
    by_phone = await transferred(
        connected,
        await inquiry(
            connected,
            account_id,
            delivery_method__v="phone__v",
            phone_number__v="+1 (555) 0199",
        ),
    )
    elsewhere = await transferred(
        connected,
        await inquiry(connected, account_id, email__v="other@inquiry.example"),
    )
    found = [
        (await connected.medical.record("case__v", str(request["case__v"])))[
            "preferred_contact_information__v"
        ]
        for request in (first, by_email, by_phone, elsewhere)
    ]
    assert found == [None, known["email__v"], known["phone__v"], None]
