"""Inquiries become a Case Contact, its Source Data, a Case and a Case Request; their Transfer Status goes back."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.connector.rules.item_failures import ItemErrorType
from services.connector.vaults.configuration import ConfigurationFault
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRY,
    PERSON,
    REQUEST,
    SOURCE_DATA,
    account,
    contact,
    inquiries,
    inquiry,
    reason,
    status,
)
from tests.unit.connector.standard_vaults import (
    CRM_ID,
    Pair,
    country,
    pair,
    product,
)


@pytest.fixture
def vaults() -> Pair:
    return pair()


# What an inquiry becomes.

READS_ACCOUNT = """ALTER Integrationrule medical_inquiries__v (
    MODIFY Fieldrule request_question__v (query_object('{object}'), query_field('{field}'),
        query_field_select(), query_field_type()));"""


@pytest.mark.parametrize(
    ("object_name", "field"),
    [
        ("account__v", "last_name_cda__v"),
        ("medical_inquiry__v", "account__vr.last_name_cda__v"),
        ("account__vr", "primary_country__vr.country_code__v"),
    ],
)
@pytest.mark.parametrize("status_before", ["pending__v", "failed__v"])
async def test_a_rule_reads_accounts_only_where_agreements_permit_it(
    object_name: str, field: str, status_before: str
) -> None:
    mdl = READS_ACCOUNT.format(object=object_name, field=field)
    vaults = pair(mdl)
    accounts = {
        code: account(vaults.crm, last_name_cda__v="US") for code in ("US", "CH", "JP")
    }
    items = {
        code: inquiry(vaults.crm, of, code, transfer_status__v=status_before)
        for code, of in accounts.items()
    }
    outcome = await inquiries(vaults, *items.values())
    assert outcome.done == set(items.values())
    questions = {
        str(row["link__sys"]): row["question__v"]
        for row in vaults.medical.rows(REQUEST, "link__sys", "question__v")
    }
    assert questions == {
        f"{CRM_ID}_{items['US']}": "US",
        f"{CRM_ID}_{items['CH']}": None,
        f"{CRM_ID}_{items['JP']}": None,
    }
    for text in vaults.crm.asked:
        for code in ("CH", "JP"):
            assert "account__vr." not in text or f"'{items[code]}'" not in text
            assert f"'{accounts[code]}'" not in text


async def test_the_rule_without_accounts_may_read_none() -> None:
    vaults = pair(
        """ALTER Integrationrule do_not_pull_from_accounts__v (
        MODIFY Fieldrule person_name__v (query_object('account__v'), query_field('last_name_cda__v')));"""
    )
    item = inquiry(vaults.crm, account(vaults.crm), "CH")
    with pytest.raises(ConfigurationFault, match="does not permit to read account__v"):
        await inquiries(vaults, item)
    assert not any("account__vr." in text for text in vaults.crm.asked)


async def test_a_new_account_becomes_a_case_contact(vaults: Pair) -> None:
    of = account(
        vaults.crm, veevaid__v="V-1", external_id__v="E-1", email_cda__v="a@b.example"
    )
    item = inquiry(vaults.crm, of)
    outcome = await inquiries(vaults, item)
    assert outcome.done == {item}
    fields = ("name__v", "veeva_id__v", "external_id__v", "email__sys", "link__sys")
    assert vaults.medical.rows(PERSON, *fields, "object_type__v", "country__v") == [
        {
            "name__v": "Ann Lee",
            "veeva_id__v": "V-1",
            "external_id__v": "E-1",
            "email__sys": "a@b.example",
            "link__sys": f"{CRM_ID}_{of}",
            "object_type__v": "case_contact__v",
            "country__v": country(vaults.medical, "US"),
        }
    ]


async def test_the_source_data_ties_the_contact_to_the_account(vaults: Pair) -> None:
    of = account(vaults.crm)
    await inquiries(vaults, inquiry(vaults.crm, of))
    (person,) = vaults.medical.rows(PERSON, "id")
    fields = ("link__sys", "person__v", "country_code__v")
    assert vaults.medical.rows(SOURCE_DATA, *fields) == [
        {
            "link__sys": f"{CRM_ID}_{of}",
            "person__v": person["id"],
            "country_code__v": "US",
        }
    ]


async def test_only_the_primary_address_is_read(vaults: Pair) -> None:
    of = account(vaults.crm)
    for city, primary in (("Rome", False), ("Oslo", True)):
        vaults.crm.add(
            "address__v",
            name__v="Main Street",
            account__v=of,
            city_cda__v=city,
            primary_cda__v=primary,
            country__v=country(vaults.crm, "DE"),
        )
    await inquiries(vaults, inquiry(vaults.crm, of))
    fields = ("city__v", "address_country_code__v")
    assert vaults.medical.rows(SOURCE_DATA, *fields) == [
        {"city__v": "Oslo", "address_country_code__v": "DE"}
    ]


async def test_the_case_has_the_contact_and_the_request_the_case(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm), delivery_method__v="urgent_mail__v")
    await inquiries(vaults, item)
    (person,) = vaults.medical.rows(PERSON, "id")
    (case,) = vaults.medical.rows(
        CASE, "id", "case_contact__v", "link__sys", "priority__v"
    )
    assert case["case_contact__v"] == person["id"]
    assert (case["link__sys"], case["priority__v"]) == (f"{CRM_ID}_{item}", "high__v")
    fields = ("case__v", "link__sys", "question__v", "product__v")
    assert vaults.medical.rows(REQUEST, *fields) == [
        {
            "case__v": case["id"],
            "link__sys": f"{CRM_ID}_{item}",
            "question__v": "How often?",
            "product__v": product(vaults.medical, "P-1"),
        }
    ]


async def test_a_long_question_comes_whole(vaults: Pair) -> None:
    question = "Why? " * 200
    item = inquiry(vaults.crm, account(vaults.crm), inquiry_text__v=question)
    await inquiries(vaults, item)
    assert vaults.medical.rows(REQUEST, "question__v") == [{"question__v": question}]


async def test_the_status_of_what_has_arrived_is_success(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    await inquiries(vaults, item)
    assert status(vaults.crm, item) == "success__v"


async def test_inquiries_of_one_account_share_its_contact(vaults: Pair) -> None:
    of = account(vaults.crm)
    items = [inquiry(vaults.crm, of) for _ in range(3)]
    assert (await inquiries(vaults, *items)).done == set(items)
    numbers = {
        name: len(vaults.medical.rows(name)) for name in (PERSON, SOURCE_DATA, CASE, REQUEST)
    }  # fmt: skip
    assert numbers == {PERSON: 1, SOURCE_DATA: 1, CASE: 3, REQUEST: 3}


async def test_lineage_says_of_each_row_where_it_comes_from(vaults: Pair) -> None:
    of = account(vaults.crm)
    item = inquiry(vaults.crm, of)
    await inquiries(vaults, item, lineage=True)
    of_object = {each.object: each for each in vaults.medical.written}
    rows = {name: each.row["lineage__sys"] for name, each in of_object.items()}
    assert rows == {
        PERSON: [0, f"m-{item}", of],
        SOURCE_DATA: [0, f"m-{item}", of],
        CASE: [0, f"m-{item}", item],
        REQUEST: [0, f"m-{item}", item],
    }
    common = of_object[CASE].lineage
    assert common is not None
    assert common["origins"] == [
        {"object": INQUIRY, "rule": "medical_inquiries__v", "own": ["case_contact__v"]}
    ]
    (back,) = [each for each in vaults.crm.written if each.object == INQUIRY]
    assert back.row["lineage__sys"] == [0, f"m-{item}", None]
    assert json.dumps(back.lineage).count('"rule": null') == 1


# Repetition.


async def test_an_inquiry_at_success_is_done_and_written_no_more(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    await inquiries(vaults, item)
    before = len(vaults.medical.written)
    assert (await inquiries(vaults, item)).done == {item}
    assert len(vaults.medical.written) == before


async def test_a_repeated_transfer_makes_nothing_twice(vaults: Pair) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    await inquiries(vaults, item)
    vaults.crm.change(INQUIRY, item, transfer_status__v="failed__v")
    assert (await inquiries(vaults, item)).done == {item}
    numbers = [len(vaults.medical.rows(name)) for name in (PERSON, CASE, REQUEST)]
    assert numbers == [1, 1, 1]
    assert status(vaults.crm, item) == "success__v"


# Which contact it is.


@pytest.mark.parametrize(
    ("known", "of"),
    [
        ({"veeva_id__v": "V-1"}, {"veevaid__v": "V-1"}),
        ({"external_id__v": "E-1"}, {"external_id__v": "E-1"}),
        (
            {"veeva_id__v": "V-1", "external_id__v": "E-1"},
            {"veevaid__v": "V-1", "external_id__v": "E-1"},
        ),
    ],
)
async def test_a_known_contact_is_found_by_its_identifiers(
    vaults: Pair, known: dict[str, object], of: dict[str, object]
) -> None:
    person = contact(vaults.medical, link__sys="own", **known)
    item = inquiry(vaults.crm, account(vaults.crm, email_cda__v="eva@a.example", **of))
    await inquiries(vaults, item)
    fields = ("id", "email__sys", "link__sys")
    # A contact that is found by an identifier keeps its own Link.
    assert vaults.medical.rows(PERSON, *fields) == [
        {"id": person, "email__sys": "eva@a.example", "link__sys": "own"}
    ]


async def test_a_known_contact_is_found_by_the_link_of_its_source_data(
    vaults: Pair,
) -> None:
    of = account(vaults.crm)
    person = contact(vaults.medical)
    link = f"{CRM_ID}_{of}"
    vaults.medical.add(SOURCE_DATA, name__v="Ann", link__sys=link, person__v=person)
    await inquiries(vaults, inquiry(vaults.crm, of))
    assert vaults.medical.rows(CASE, "case_contact__v") == [{"case_contact__v": person}]


async def test_identifiers_of_two_contacts_fail_the_inquiry(vaults: Pair) -> None:
    contact(vaults.medical, veeva_id__v="V-1")
    contact(vaults.medical, external_id__v="E-1")
    of = account(vaults.crm, veevaid__v="V-1", external_id__v="E-1")
    item = inquiry(vaults.crm, of)
    outcome = await inquiries(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.MATCH
    assert "merge the two" in reason(outcome, item)
    assert (vaults.medical.rows(CASE), status(vaults.crm, item)) == ([], "failed__v")


async def test_a_contact_that_another_connector_makes_meanwhile_is_found(
    vaults: Pair,
) -> None:
    made: list[str] = []

    async def another() -> None:
        made.append(contact(vaults.medical, veeva_id__v="V-1"))

    vaults.medical.before("upsert person__sys", another)
    item = inquiry(vaults.crm, account(vaults.crm, veevaid__v="V-1"))
    assert (await inquiries(vaults, item)).done == {item}
    assert [row["id"] for row in vaults.medical.rows(PERSON, "id")] == made


# Agreements: what is read of an account.


def _read_of(vaults: Pair, object_name: str) -> list[str]:
    return [each for each in vaults.crm.asked if f"FROM {object_name} " in each]


async def test_where_no_account_may_be_pulled_the_inquiry_itself_is_the_contact(
    vaults: Pair,
) -> None:
    of = account(vaults.crm, "CH")
    item = inquiry(vaults.crm, of, "CH", email__v="ann@hcp.example")
    assert (await inquiries(vaults, item)).done == {item}
    assert _read_of(vaults, ACCOUNT) == []
    assert vaults.medical.rows(SOURCE_DATA, "link__sys") == [
        {"link__sys": f"{CRM_ID}_{item}"}
    ]


@pytest.mark.parametrize("code", ["CH", "JP", None])
async def test_without_a_rule_that_allows_it_no_account_is_read(
    vaults: Pair, code: str | None
) -> None:
    item = inquiry(vaults.crm, account(vaults.crm, code), code)
    await inquiries(vaults, item)
    whole = [each for each in _read_of(vaults, ACCOUNT) if "first_name" in each]
    assert whole == []


async def test_without_a_country_of_its_own_the_accounts_country_decides(
    vaults: Pair,
) -> None:
    of = account(vaults.crm, "DE")
    item = inquiry(vaults.crm, of, None)
    assert (await inquiries(vaults, item)).done == {item}
    assert vaults.medical.rows(SOURCE_DATA, "link__sys") == [
        {"link__sys": f"{CRM_ID}_{of}"}
    ]


async def test_an_inquiry_without_an_account_is_its_own_contact(vaults: Pair) -> None:
    item = inquiry(vaults.crm, None)
    assert (await inquiries(vaults, item)).done == {item}
    assert vaults.medical.rows(SOURCE_DATA, "link__sys") == [
        {"link__sys": f"{CRM_ID}_{item}"}
    ]


async def test_countries_of_different_rules_go_in_one_unit(vaults: Pair) -> None:
    items = [
        inquiry(vaults.crm, account(vaults.crm, code), code)
        for code in ("US", "DE", "CH", "JP")
    ]
    assert (await inquiries(vaults, *items)).done == set(items)
    assert len(vaults.medical.rows(PERSON)) == 4


async def test_a_rule_that_a_country_asks_for_has_to_be_there() -> None:
    without = "ALTER Integrationrule account__v (active(false));"
    vaults = pair(without)
    item = inquiry(vaults.crm, account(vaults.crm))
    with pytest.raises(ConfigurationFault, match="account__v"):
        await inquiries(vaults, item)


async def test_accounts_and_references_are_read_side_by_side(vaults: Pair) -> None:
    """The account's answer comes only when the other Vault has been asked for the product."""
    made = vaults.crm.add("product__v", external_id__v="P-7", name__v="P-7")
    known = vaults.medical.add("product__v", external_id__v="P-7", name__v="P-7")
    item = inquiry(vaults.crm, account(vaults.crm), product__v=made)
    asked = asyncio.Event()

    async def ask() -> None:
        asked.set()

    async def wait() -> None:
        async with asyncio.timeout(10):
            await asked.wait()

    vaults.medical.before("query product__v", ask)
    vaults.crm.before("query account__v", wait)
    outcome = await inquiries(vaults, item)
    assert outcome.done == {item}
    assert vaults.medical.rows(REQUEST, "product__v") == [{"product__v": known}]
    assert vaults.medical.queries_of("product__v") == 1
