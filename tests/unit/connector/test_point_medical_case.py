"""Case Requests that were started in the Medical Vault become inquiries of their accounts."""

from __future__ import annotations

import pytest

from services.connector.points import medical_case
from services.connector.points.point import Reading
from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType
from services.connector.vaults.configuration import ConfigurationFault
from tests.unit.connector.example_records import (
    CASE,
    CASES,
    INQUIRY,
    REQUEST,
    SOURCE_DATA,
    account,
    contact,
    reason,
)
from tests.unit.connector.standard_vaults import (
    CRM_ID,
    MEDICAL_ID,
    Pair,
    country,
    pair,
    product,
)


@pytest.fixture
def vaults() -> Pair:
    return pair()


def tied(vaults: Pair, *accounts: str) -> str:
    """A Case Contact that belongs to accounts by Source Data."""
    person = contact(vaults.medical)
    for of in accounts:
        link = f"{CRM_ID}_{of}"
        vaults.medical.add(SOURCE_DATA, name__v="A", link__sys=link, person__v=person)
    return person


def request(vaults: Pair, person: str | None, **fields: object) -> str:
    """A Case Request about a person, started in the Medical Vault."""
    medical = vaults.medical
    case = medical.add(CASE, case_contact__v=person, country__v=country(medical, "US"))
    values = {"product__v": product(medical, "P-1"), "question__v": "Why?", **fields}
    return medical.add(REQUEST, case__v=case, **values)


async def transferred(vaults: Pair, *ids: str, of_run: bool = False) -> Outcome:
    return await vaults.transfer(vaults.crm, CASES, REQUEST, *ids, of_run=of_run)


async def test_a_request_becomes_an_inquiry_of_the_account(vaults: Pair) -> None:
    of = account(vaults.crm)
    item = request(vaults, tied(vaults, of))
    assert (await transferred(vaults, item)).done == {item}
    fields = ("account__v", "link__sys", "transfer_status__v", "inquiry_text__v")
    assert vaults.crm.rows(INQUIRY, *fields, "inquiry_status__v", "country__v") == [
        {
            "account__v": of,
            "link__sys": f"{MEDICAL_ID}_{item}",
            "transfer_status__v": "success__v",
            "inquiry_text__v": "Why?",
            "inquiry_status__v": "transferred__v",
            "country__v": country(vaults.crm, "US"),
        }
    ]


async def test_the_request_is_tied_to_its_inquiry(vaults: Pair) -> None:
    item = request(vaults, tied(vaults, account(vaults.crm)))
    await transferred(vaults, item)
    (made,) = vaults.crm.rows(INQUIRY, "id")
    link = vaults.medical.get(REQUEST, item)["link__sys"]
    assert link == f"{CRM_ID}_{made['id']}"


async def test_a_second_transfer_skips_what_has_its_inquiry(vaults: Pair) -> None:
    item = request(vaults, tied(vaults, account(vaults.crm)))
    await transferred(vaults, item)
    assert (await transferred(vaults, item)).skipped == {item}
    assert len(vaults.crm.rows(INQUIRY)) == 1


async def test_a_tie_that_could_not_be_written_is_written_the_next_time(
    vaults: Pair,
) -> None:
    item = request(vaults, tied(vaults, account(vaults.crm)))
    vaults.medical.refuse_rows(REQUEST, times=1)
    outcome = await transferred(vaults, item)
    assert outcome.failures[item].target_field == "link__sys"
    assert (await transferred(vaults, item)).done == {item}
    assert len(vaults.crm.rows(INQUIRY)) == 1


async def test_nothing_is_tied_in_a_vault_that_may_not_be_written(
    vaults: Pair,
) -> None:
    (connection,) = vaults.crm.rows("connection__sys", "id")
    vaults.crm.change(
        "connection__sys",
        str(connection["id"]),
        domain_type__sys="sandbox__sys",
        remote_domain_type__sys="production__sys",
    )
    item = request(vaults, tied(vaults, account(vaults.crm)))
    assert (await transferred(vaults, item)).done == {item}
    assert vaults.medical.written == []


async def test_requests_of_a_crm_or_of_nobody_here_are_skipped(vaults: Pair) -> None:
    items = {
        request(vaults, tied(vaults, account(vaults.crm)), link__sys="30303_V4T1"),
        request(vaults, None),
        request(vaults, tied(vaults)),
        request(vaults, tied(vaults, "V4A9")),
    }
    elsewhere = tied(vaults)
    link = "30303_V4A1"
    vaults.medical.add(SOURCE_DATA, name__v="A", link__sys=link, person__v=elsewhere)
    items.add(request(vaults, elsewhere))
    outcome = await transferred(vaults, *items)
    assert (outcome.skipped, outcome.failures) == (items, {})


async def test_a_contact_of_two_accounts_fails_the_request(vaults: Pair) -> None:
    accounts = [account(vaults.crm) for _ in range(2)]
    item = request(vaults, tied(vaults, *accounts))
    outcome = await transferred(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.MATCH
    assert f"tied to the accounts {accounts[0]}, {accounts[1]}" in reason(outcome, item)


async def test_one_refused_row_fails_its_request_only(vaults: Pair) -> None:
    right, wrong = (request(vaults, tied(vaults, account(vaults.crm))) for _ in "ab")
    vaults.crm.refuse_rows(INQUIRY, link__sys=f"{MEDICAL_ID}_{wrong}")
    outcome = await transferred(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert vaults.medical.get(REQUEST, wrong).get("link__sys") is None


async def test_a_product_that_is_unknown_here_fails_the_request(vaults: Pair) -> None:
    odd = vaults.medical.add("product__v", external_id__v="P-9", name__v="P-9")
    item = request(vaults, tied(vaults, account(vaults.crm)), product__v=odd)
    outcome = await transferred(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.REFERENCE


async def test_a_request_that_does_not_exist_fails_and_in_a_run_is_skipped(
    vaults: Pair,
) -> None:
    assert set((await transferred(vaults, "V5R9")).failures) == {"V5R9"}
    assert (await transferred(vaults, "V5R9", of_run=True)).skipped == {"V5R9"}


async def test_messages_about_another_object_are_refused(vaults: Pair) -> None:
    with pytest.raises(ConfigurationFault, match="needs exactly one"):
        await vaults.transfer(vaults.crm, CASES, CASE, "V5A1")


async def test_a_run_reads_requests_that_were_started_here(vaults: Pair) -> None:
    narrowed = await medical_case.POINT.narrow(vaults.crm, Reading(CASES, REQUEST))
    assert narrowed is not None
    assert narrowed.condition == medical_case.STARTED
