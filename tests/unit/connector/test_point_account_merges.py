"""Merged accounts: which merges are transferred under which agreement, and the contact of a later account."""

from __future__ import annotations

import pytest

from services.connector.points import account as account_point
from services.connector.points.point import Reading
from services.connector.rules.item_failures import ItemErrorType
from services.connector.vaults.configuration import ConfigurationFault
from tests.unit.connector.example_records import (
    ACCOUNT,
    ACCOUNTS,
    CASE,
    PERSON,
    SOURCE_DATA,
    account,
    accounts,
    contact,
    inquiries,
    inquiry,
)
from tests.unit.connector.standard_vaults import CRM_ID, Pair, pair

MERGE = "account_merge__v"
FIELDS = ("link__sys", "main_link__v")
IDENTITY = (
    "name__v",
    "first_name__sys",
    "last_name__sys",
    "veeva_id__v",
    "external_id__v",
)


@pytest.fixture
def vaults() -> Pair:
    return pair()


def link(of: str) -> str:
    return f"{CRM_ID}_{of}"


def merged(vaults: Pair, duplicate: str, main: str) -> str:
    """The record of a merge in Vault CRM, where the duplicate no longer exists."""
    return vaults.crm.add(
        MERGE,
        duplicate_id__v=duplicate,
        duplicate_global_id__v=link(duplicate),
        account__v=main,
    )


def remembered(vaults: Pair, duplicate: str, main: str) -> None:
    """A merge that was transferred to the Medical Vault."""
    vaults.medical.add(MERGE, link__sys=link(duplicate), main_link__v=link(main))


async def told(vaults: Pair, *ids: str, **options: bool) -> object:
    return await vaults.transfer(vaults.medical, ACCOUNTS, MERGE, *ids, **options)


@pytest.mark.parametrize(
    ("code", "known"),
    [("US", True), ("DE", True), ("CH", False), ("JP", False), (None, False)],
)
async def test_the_agreement_of_the_account_that_is_left_decides(
    vaults: Pair, code: str | None, known: bool
) -> None:
    main = account(vaults.crm, code, name__v="Kept Back")
    item = merged(vaults, "V4A0D", main)
    outcome = await vaults.transfer(vaults.medical, ACCOUNTS, MERGE, item)
    assert (outcome.done, outcome.skipped) == (
        ({item}, set()) if known else (set(), {item})
    )
    rows = [{"link__sys": link("V4A0D"), "main_link__v": link(main)}] if known else []
    assert vaults.medical.rows(MERGE, *FIELDS) == rows
    asked = [each for each in vaults.crm.asked if "global_id" in each]
    assert known or not any(MERGE in each for each in asked)


async def test_a_merge_that_comes_again_is_one(vaults: Pair) -> None:
    item = merged(vaults, "V4A0D", account(vaults.crm))
    for _ in range(2):
        await told(vaults, item)
    assert len(vaults.medical.rows(MERGE)) == 1


async def test_merges_that_are_gone_or_without_an_account(vaults: Pair) -> None:
    orphan = vaults.crm.add(
        MERGE, duplicate_id__v="V4A0D", duplicate_global_id__v=link("V4A0D")
    )
    outcome = await vaults.transfer(vaults.medical, ACCOUNTS, MERGE, orphan, "V4Z9")
    assert (outcome.skipped, set(outcome.failures)) == ({orphan}, {"V4Z9"})


async def test_a_merge_that_is_refused_fails_alone(vaults: Pair) -> None:
    of = account(vaults.crm)
    good, bad = (merged(vaults, each, of) for each in ("V4A0C", "V4A0D"))
    vaults.medical.refuse_rows(MERGE, link__sys=link("V4A0D"))
    outcome = await vaults.transfer(vaults.medical, ACCOUNTS, MERGE, good, bad)
    assert (outcome.done, set(outcome.failures)) == ({good}, {bad})
    assert outcome.failures[bad].error_type is ItemErrorType.SAVE


async def test_without_its_rule_a_merge_is_an_exception() -> None:
    vaults = pair("ALTER Integrationrule account_merges__v (active(false));")
    item = merged(vaults, "V4A0D", account(vaults.crm))
    with pytest.raises(ConfigurationFault, match="exactly one active integration rule"):
        await told(vaults, item)


async def test_a_run_lists_merges_where_accounts_may_be_pulled(vaults: Pair) -> None:
    narrow = account_point.POINT.narrow
    reading = Reading(ACCOUNTS, MERGE)
    assert await narrow(vaults.medical, reading) == reading
    for row in vaults.medical.rows("country__v", "id"):
        vaults.medical.remove("country__v", str(row["id"]))
    assert await narrow(vaults.medical, reading) is None


@pytest.mark.parametrize("first", ["duplicate", "main"])
@pytest.mark.parametrize("by", ["inquiry", "account"])
async def test_what_comes_of_either_account_after_the_merge_is_one_contact(
    vaults: Pair, first: str, by: str
) -> None:
    duplicate = account(vaults.crm, veevaid__v="V-D", last_name_cda__v="Late")
    main = account(vaults.crm, veevaid__v="V-M", last_name_cda__v="Lee")
    remembered(vaults, duplicate, main)
    order = (duplicate, main) if first == "duplicate" else (main, duplicate)
    for of in order:
        if by == "account":
            await accounts(vaults, of)
        else:
            await inquiries(vaults, inquiry(vaults.crm, of))
    await accounts(vaults, main)
    (person,) = vaults.medical.rows(PERSON, "id", "link__sys", *IDENTITY)
    assert (person["link__sys"], person["last_name__sys"]) == (link(main), "Lee")
    assert person["veeva_id__v"] == "V-M"
    ties = vaults.medical.rows(SOURCE_DATA, "link__sys", "person__v")
    assert {row["link__sys"]: row["person__v"] for row in ties} == {
        link(duplicate): person["id"],
        link(main): person["id"],
    }
    for case in vaults.medical.rows(CASE, "case_contact__v"):
        assert case["case_contact__v"] == person["id"]


@pytest.mark.parametrize("circle", [False, True])
async def test_a_chain_of_merges_leads_to_its_end(vaults: Pair, circle: bool) -> None:
    first, second, last = (account(vaults.crm) for _ in range(3))
    remembered(vaults, first, second)
    remembered(vaults, second, last)
    if circle:
        remembered(vaults, last, first)
    for of in (first, second, last):
        await accounts(vaults, of)
    people = vaults.medical.rows(PERSON, "link__sys")
    # A circle is nobody's merge but a mistake.
    left = (first, second, last) if circle else (last,)
    assert [row["link__sys"] for row in people] == [link(each) for each in left]


async def test_equal_ids_of_another_vault_are_no_merge(vaults: Pair) -> None:
    of = account(vaults.crm)
    vaults.medical.add(MERGE, link__sys=f"30303_{of}", main_link__v="30303_V4A0M")
    await accounts(vaults, of)
    assert vaults.medical.rows(PERSON, "link__sys") == [{"link__sys": link(of)}]


async def test_two_accounts_of_a_contact_do_not_overwrite_who_it_is_by_turns(
    vaults: Pair,
) -> None:
    """Users of the Medical Vault have merged the contacts of two accounts, whose Source Data leads to one since."""
    owner = account(vaults.crm, veevaid__v="V-1", external_id__v="E-1")
    other = account(
        vaults.crm,
        veevaid__v="V-2",
        external_id__v="E-2",
        name__v="A. Lee",
        first_name_cda__v="A.",
        last_name_cda__v="Leigh",
        email_cda__v="lee@other.example",
    )
    person = contact(vaults.medical, link__sys=link(owner))
    for of in (owner, other):
        vaults.medical.add(SOURCE_DATA, name__v="Ann", link__sys=link(of), person__v=person)  # fmt: skip
    assert not (await accounts(vaults, owner)).warnings
    settled = vaults.medical.rows(PERSON, *IDENTITY)
    for turn in range(2):
        vaults.crm.change(ACCOUNT, other, last_name_cda__v=f"Leigh {turn}")
        outcome = await accounts(vaults, other)
        assert vaults.medical.rows(PERSON, *IDENTITY) == settled
        warning = outcome.warnings[other]
        assert warning.error_type is ItemErrorType.MATCH
        assert "V-1" not in warning.message
        assert "V-2" not in warning.message
        item = inquiry(vaults.crm, other)
        outcome = await inquiries(vaults, item)
        assert (outcome.done, set(outcome.warnings)) == ({item}, {item})
        assert vaults.medical.rows(PERSON, *IDENTITY) == settled
        await accounts(vaults, owner)
        assert vaults.medical.rows(PERSON, *IDENTITY) == settled
    # What each account says of itself is in its own Source Data.
    names = vaults.medical.rows(SOURCE_DATA, "last_name__v")
    assert [row["last_name__v"] for row in names] == ["Lee", "Leigh 1"]
    assert vaults.medical.get(PERSON, person)["email__sys"] is None


async def test_another_account_changes_what_it_says_of_a_contact_of_one_veeva_id(
    vaults: Pair,
) -> None:
    owner = account(vaults.crm, veevaid__v="V-1")
    await accounts(vaults, owner)
    other = account(vaults.crm, veevaid__v="V-1", external_id__v="E-2", email_cda__v="lee@other.example")  # fmt: skip
    outcome = await accounts(vaults, other)
    assert (outcome.done, outcome.warnings) == ({other}, {})
    (person,) = vaults.medical.rows(PERSON, "email__sys", "external_id__v", "link__sys")
    assert person == {
        "email__sys": "lee@other.example",
        "external_id__v": None,
        "link__sys": link(owner),
    }
