"""Optional: Cases that are started in the Medical Vault become inquiries of their contacts' accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from shared.client.results import Row
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue
from tests.system.reconciling import assert_clean
from tests.system.test_case_requests import ANSWER, agent_does, followed
from tests.system.test_crashes import assert_queues_empty
from tests.system.test_runs import INTEGRATION, ended
from tests.system.test_transfer import account, create, inquiry, one, transferred

running, connected = module_system.running, module_system.connected
CASES = "medical_case__v"


@pytest.fixture
async def started(connected: Connected) -> AsyncIterator[Connected]:
    """The integration is active in Vault CRM during a test."""

    async def become(status: str) -> None:
        row = {"integration_api_name__sys": CASES, "status__v": status}
        (result,) = await connected.crm.update(
            "integration__sys", [row], "integration_api_name__sys"
        )
        assert result.ok

    await become("active__v")
    yield connected
    await become("inactive__v")


async def known_contact(connected: Connected, country: str = "US") -> tuple[str, str]:
    """An account, and its Case Contact from an earlier transfer."""
    account_id = await account(connected, new_run(), country)
    request = await transferred(
        connected, await inquiry(connected, account_id, country)
    )
    return account_id, str(request["case__vr.case_contact__v"])


async def called(
    connected: Connected, contact: str | None, product: str = "P-1002"
) -> str:
    """The Case Request of a call that an agent has entered."""
    row = {"country__vr.country_code__v": "US", "origination_channel__v": "phone__v"}
    case = await create(
        connected.agent,
        "case__v",
        row if contact is None else {**row, "case_contact__v": contact},
    )
    asked = {
        "case__v": case,
        "product__vr.external_id__v": product,
        "question__v": "Is it to be kept cold?",
    }
    return await create(
        connected.agent, "case_request__v", {**asked, "delivery_method__v": "phone__v"}
    )


async def synced(connected: Connected, status: str = "SUCCESS") -> Mapping[str, int]:
    return await ended(
        connected.crm, await connected.crm.request_run(CASES), status, CASES
    )


async def inquiries(connected: Connected, request: str) -> list[Row]:
    text = (
        "SELECT id, account__v, product__vr.external_id__v, country__vr.country_code__v, LONGTEXT(inquiry_text__v), "
        "delivery_method__v, transfer_status__v, inquiry_status__v FROM medical_inquiry__v "
        f"WHERE link__sys = '{connected.medical.vault_id}_{request}'"
    )
    return (await connected.crm.query(text)).rows


async def test_a_call_becomes_an_inquiry_that_follows_it_and_never_comes_back(
    started: Connected,
) -> None:
    account_id, contact = await known_contact(started)
    request = await called(started, contact)
    assert (await synced(started))["written"] >= 1
    (made,) = await inquiries(started, request)
    item = str(made.pop("id"))
    assert made == {
        "account__v": account_id,
        "product__vr.external_id__v": "P-1002",
        "country__vr.country_code__v": "US",
        "inquiry_text__v": "Is it to be kept cold?",
        "delivery_method__v": ["phone__v"],
        "transfer_status__v": ["success__v"],
        "inquiry_status__v": ["transferred__v"],
    }
    of_contact = (
        f"SELECT id FROM case_request__v WHERE case__vr.case_contact__v = '{contact}'"
    )
    cases = (await started.medical.query(of_contact)).rows
    assert len(cases) == 2, "the transferred inquiry, and the call"
    await agent_does(started, request, "new_state__v.start_work__v")
    await agent_does(started, request, "in_progress_state__v.close__v", ANSWER)
    closed = await followed(started, item, "closed__v")
    assert closed["response__v"] == ANSWER["response_notes__v"]
    await ended(started.medical, await started.medical.request_run(INTEGRATION))
    await synced(started)
    assert len(await inquiries(started, request)) == 1
    assert (await started.medical.query(of_contact)).rows == cases
    await assert_clean(started.crm, {request})


async def test_nothing_is_made_of_whoever_is_no_account_here(
    started: Connected,
) -> None:
    """No contact; a contact known only to this Vault; and one known to CRM only by an inquiry."""
    person = {"object_type__v.api_name__v": "case_contact__v", "name__v": new_run()}
    contacts = (
        None,
        await create(started.medical, "person__sys", person),
        (await known_contact(started, "CH"))[1],
    )
    requests = [await called(started, contact) for contact in contacts]
    await synced(started)
    for request in requests:
        assert await inquiries(started, request) == []
        assert (await started.medical.record("case_request__v", request))[
            "link__sys"
        ] is None


async def test_several_accounts_are_an_exception_not_a_guess(
    started: Connected,
) -> None:
    account_id, contact = await known_contact(started)
    other = await account(started, new_run())
    tie = {
        "name__v": "By hand",
        "link__sys": f"{started.crm.vault_id}_{other}",
        "person__v": contact,
    }
    source_data = await create(started.medical, "case_contact_source_data__v", tie)
    request = await called(started, contact)
    assert (await synced(started, "ERRORS_ENCOUNTERED"))["failed"] == 1
    text = f"SELECT error_type__sys, error_status__sys FROM exception_item__sys WHERE item__sys = '{request}'"
    assert (await one(started.crm, text))["error_type__sys"] == ["match_error__sys"]
    assert await inquiries(started, request) == []
    await started.medical.delete("case_contact_source_data__v", [source_data])
    await synced(started)
    (made,) = await inquiries(started, request)
    assert made["account__v"] == account_id
    assert (await one(started.crm, text))["error_status__sys"] == ["resolved__sys"]


async def test_a_message_makes_one_inquiry_however_often_it_comes(
    started: Connected,
) -> None:
    _, contact = await known_contact(started)
    request, last = await called(started, contact), await called(started, contact)
    for items in ([request], [request], [last, request]):
        message = envelope(
            items, point="case_inbound__v", object_name="case_request__v"
        ).encode()
        await put_on_queue(
            started, message, queue="medical_to_crm_inbound__v", vault="crm"
        )

    async def made() -> bool:
        return len(await inquiries(started, last)) == 1

    await eventually("the inquiry of the last message", made)
    await assert_queues_empty(started)
    (item,) = await inquiries(started, request)
    link = (await started.medical.record("case_request__v", request))["link__sys"]
    assert link == f"{started.crm.vault_id}_{item['id']}"
