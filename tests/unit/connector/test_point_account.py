"""Changed accounts update their Case Contacts, as far as the agreement of their country allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.connector.points import account as account_point
from services.connector.points.hcp import (
    PullRule,
    PullRules,
    account_rule,
    readable,
    visible,
)
from services.connector.points.point import Reading
from services.connector.rules.item_failures import ItemErrorType
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.errors import VaultRefused
from tests.unit.connector.example_records import (
    ACCOUNT,
    ACCOUNTS,
    INQUIRY,
    PERSON,
    SOURCE_DATA,
    account,
    accounts,
    contact,
    inquiries,
    inquiry,
    reason,
)
from tests.unit.connector.standard_vaults import CRM_ID, Pair, id_of, pair


@pytest.fixture
def vaults() -> Pair:
    return pair()


def known(vaults: Pair, of: str) -> str:
    """Source Data of an account, as an inquiry has made it; returns its Case Contact."""
    person = contact(vaults.medical)
    link = f"{CRM_ID}_{of}"
    vaults.medical.add(SOURCE_DATA, name__v="Ann", link__sys=link, person__v=person)
    return person


async def test_an_account_becomes_a_case_contact_with_source_data(vaults: Pair) -> None:
    of = account(vaults.crm, veevaid__v="V-1")
    assert (await accounts(vaults, of)).done == {of}
    (person,) = vaults.medical.rows(PERSON, "id", "veeva_id__v")
    assert person["veeva_id__v"] == "V-1"
    assert vaults.medical.rows(SOURCE_DATA, "link__sys", "person__v") == [
        {"link__sys": f"{CRM_ID}_{of}", "person__v": person["id"]}
    ]


async def test_a_change_of_an_account_changes_its_contact(vaults: Pair) -> None:
    of = account(vaults.crm)
    await accounts(vaults, of)
    vaults.crm.change(ACCOUNT, of, last_name_cda__v="Ray")
    await accounts(vaults, of)
    assert vaults.medical.rows(PERSON, "last_name__sys") == [{"last_name__sys": "Ray"}]


@pytest.mark.parametrize(
    ("code", "has_inquiry", "transferred"),
    [
        ("US", False, True),
        ("DE", False, False),
        ("DE", True, True),
        ("CH", True, False),
        ("JP", True, False),
        (None, True, False),
    ],
)
async def test_the_countrys_rule_decides_whether_an_account_is_pulled(
    vaults: Pair, code: str | None, has_inquiry: bool, transferred: bool
) -> None:
    of = account(vaults.crm, code)
    if has_inquiry:
        known(vaults, of)
    outcome = await accounts(vaults, of)
    assert (outcome.done, outcome.skipped) == (
        ({of}, set()) if transferred else (set(), {of})
    )


async def test_of_an_account_that_may_not_be_pulled_only_the_id_is_read(
    vaults: Pair,
) -> None:
    of = account(vaults.crm, "CH", name__v="Kept Back")
    await accounts(vaults, of)
    last = vaults.crm.asked[-1]
    assert last == f"SELECT id FROM account__v WHERE id CONTAINS ('{of}')"
    reading = [each for each in vaults.crm.asked if "name__v" in each]
    assert [each.partition(" AND ")[2] for each in reading] == [
        "primary_country__vr.country_code__v CONTAINS ('US')"
    ]


async def test_accounts_that_may_be_pulled_in_any_case_are_read_by_one_query(
    vaults: Pair,
) -> None:
    pulled = {account(vaults.crm), account(vaults.crm)}
    assert (await accounts(vaults, *pulled)).done == pulled
    assert vaults.crm.queries_of(ACCOUNT) == 1


async def test_a_unit_may_have_accounts_of_countries_with_different_rules(
    vaults: Pair,
) -> None:
    pulled, waiting, kept = (account(vaults.crm, code) for code in ("US", "DE", "CH"))
    with_inquiry = account(vaults.crm, "DE")
    known(vaults, with_inquiry)
    outcome = await accounts(vaults, pulled, waiting, kept, with_inquiry, "V4A9")
    assert outcome.done == {pulled, with_inquiry}
    assert outcome.skipped == outcome.excluded == {waiting, kept}
    assert outcome.failures.keys() == {"V4A9"}


async def test_a_missing_rule_concerns_only_accounts_that_need_it() -> None:
    vaults = pair("ALTER Integrationrule account__v ( active(false) );")
    waiting = account(vaults.crm, "DE")
    assert (await accounts(vaults, waiting)).skipped == {waiting}
    with pytest.raises(ConfigurationFault, match="no active integration rule account"):
        await accounts(vaults, account(vaults.crm))


async def test_a_rule_whose_query_is_refused_concerns_only_accounts_that_need_it() -> (
    None
):
    broken = """ALTER Integrationrule account__v ( ADD Queryobjectrule broken__v (
        query_object('account__v'), filter_clause('nope__v = ''x''')));"""
    vaults = pair(broken)
    with_inquiry, waiting = (account(vaults.crm, "DE") for _ in range(2))
    known(vaults, with_inquiry)
    outcome = await accounts(vaults, with_inquiry, waiting)
    assert (outcome.done, outcome.skipped) == ({with_inquiry}, {waiting})
    with pytest.raises(VaultRefused, match="nope__v"):
        await accounts(vaults, account(vaults.crm))


async def test_where_inquiries_make_accounts_known_an_inquiry_opens_the_way(
    vaults: Pair,
) -> None:
    of = account(vaults.crm, "DE")
    assert (await accounts(vaults, of)).skipped == {of}
    await inquiries(vaults, inquiry(vaults.crm, of, "DE"))
    assert (await accounts(vaults, of)).done == {of}


async def test_an_account_that_does_not_exist_fails(vaults: Pair) -> None:
    outcome = await accounts(vaults, "V4A9")
    assert outcome.failures["V4A9"].error_type is ItemErrorType.SOURCE


async def test_in_a_run_an_account_that_was_deleted_is_skipped(vaults: Pair) -> None:
    assert (await accounts(vaults, "V4A9", of_run=True)).skipped == {"V4A9"}


async def test_no_country_that_lets_accounts_be_pulled_reads_none(vaults: Pair) -> None:
    for row in vaults.medical.rows("country__v", "id"):
        country = str(row["id"])
        vaults.medical.change("country__v", country, pull_accounts_rule__v=None)
    of = account(vaults.crm)
    assert (await accounts(vaults, of)).skipped == {of}


async def test_an_account_that_a_filter_leaves_out_is_skipped() -> None:
    filtered = """ALTER Integrationrule account__v ( ADD Queryobjectrule doctors__v (
        query_object('account__v'), filter_clause('credentials__v = ''MD''')));"""
    vaults = pair(filtered)
    doctor = account(vaults.crm, credentials__v="MD")
    other = account(vaults.crm)
    outcome = await accounts(vaults, doctor, other)
    assert (outcome.done, outcome.skipped) == ({doctor}, {other})


async def test_what_was_emptied_in_an_account_is_empty_in_its_contact(
    vaults: Pair,
) -> None:
    of = account(vaults.crm, email_cda__v="ann@example.org", veevaid__v="V-1")
    await accounts(vaults, of)
    vaults.crm.change(ACCOUNT, of, email_cda__v=None, veevaid__v=None)
    await accounts(vaults, of)
    assert vaults.medical.rows(PERSON, "email__sys", "veeva_id__v") == [
        {"email__sys": None, "veeva_id__v": None}
    ]
    assert vaults.medical.rows(SOURCE_DATA, "email__v") == [{"email__v": None}]


async def test_a_contact_of_two_accounts_loses_nothing_that_one_of_them_lacks(
    vaults: Pair,
) -> None:
    first = account(vaults.crm, email_cda__v="ann@example.org", veevaid__v="V-1")
    await accounts(vaults, first)
    second = account(vaults.crm, veevaid__v="V-1")
    await accounts(vaults, second)
    assert vaults.medical.rows(PERSON, "email__sys") == [
        {"email__sys": "ann@example.org"}
    ]


async def test_a_field_rule_may_keep_what_the_source_lacks() -> None:
    keeping = """ALTER Integrationrule account__v (
        MODIFY Fieldrule person_email__v (empty_source('keep')));"""
    vaults = pair(keeping)
    of = account(vaults.crm)
    await accounts(vaults, of)
    (person,) = vaults.medical.rows(PERSON, "id")
    vaults.medical.change(PERSON, str(person["id"]), email__sys="ann@example.org")
    await accounts(vaults, of)
    assert vaults.medical.rows(PERSON, "email__sys") == [
        {"email__sys": "ann@example.org"}
    ]


async def test_an_inactive_record_is_not_referred_to(vaults: Pair) -> None:
    right = account(vaults.crm, specialty_1__v="dermatology__v")
    wrong = account(vaults.crm, specialty_1__v="cardiology__v")
    cardiology = id_of(vaults.medical, "specialty__v", specialty_code__v="CARD")
    vaults.medical.change("specialty__v", cardiology, status__v="inactive__v")
    outcome = await accounts(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert outcome.failures[wrong].error_type is ItemErrorType.REFERENCE
    assert "is inactive in the target Vault" in reason(outcome, wrong)


async def test_a_missing_lookup_fails_that_account_only(vaults: Pair) -> None:
    right = account(vaults.crm)
    wrong = account(vaults.crm, specialty_1__v="alchemy__v")
    outcome = await accounts(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert outcome.failures[wrong].error_type is ItemErrorType.LOOKUP


@pytest.mark.parametrize("object_name", [PERSON, SOURCE_DATA])
async def test_a_row_that_is_refused_fails_its_account_only(
    vaults: Pair, object_name: str
) -> None:
    right, wrong = account(vaults.crm), account(vaults.crm)
    vaults.medical.refuse_rows(object_name, link__sys=f"{CRM_ID}_{wrong}")
    outcome = await accounts(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert f"did not save {object_name}" in reason(outcome, wrong)


async def test_a_contact_whose_update_is_refused_fails_its_account(
    vaults: Pair,
) -> None:
    of = account(vaults.crm, veevaid__v="V-1")
    person = contact(vaults.medical, veeva_id__v="V-1")
    vaults.medical.refuse_rows(PERSON, id=person)
    assert "did not save person__sys" in reason(await accounts(vaults, of), of)


async def test_an_older_state_of_an_account_overwrites_no_newer_one(
    vaults: Pair,
) -> None:
    of = account(vaults.crm)
    await accounts(vaults, of)
    (person,) = vaults.medical.rows(PERSON, "id", "source_modified_date__sys")
    modified = vaults.crm.get(ACCOUNT, of)["modified_date__v"]
    assert person["source_modified_date__sys"] == modified


async def test_messages_about_another_object_are_refused(vaults: Pair) -> None:
    with pytest.raises(
        ConfigurationFault, match="takes account__v and account_merge__v records"
    ):
        await vaults.transfer(vaults.medical, ACCOUNTS, INQUIRY, "V4T1")


async def test_a_run_lists_accounts_of_countries_that_let_them_be_pulled(
    vaults: Pair,
) -> None:
    narrow = account_point.POINT.narrow
    narrowed = await narrow(vaults.medical, Reading(ACCOUNTS, ACCOUNT))
    assert narrowed is not None
    assert narrowed.condition == (
        "primary_country__vr.country_code__v CONTAINS ('DE','US')"
    )


async def test_a_run_lists_no_inquiries_for_the_account_point(vaults: Pair) -> None:
    narrow = account_point.POINT.narrow
    assert await narrow(vaults.medical, Reading(ACCOUNTS, INQUIRY)) is None


async def test_a_run_lists_nothing_where_nothing_may_be_pulled(vaults: Pair) -> None:
    for row in vaults.medical.rows("country__v", "id"):
        vaults.medical.remove("country__v", str(row["id"]))
    narrow = account_point.POINT.narrow
    assert await narrow(vaults.medical, Reading(ACCOUNTS, ACCOUNT)) is None


RULES = st.dictionaries(
    st.text("ABC", min_size=2, max_size=2), st.sampled_from(PullRule), max_size=6
)


@given(RULES, st.text("ABC", max_size=2))
def test_an_account_of_a_country_is_pulled_only_if_the_country_is_readable(
    rules: PullRules, code: str
) -> None:
    pulled = account_rule(rules, code, "A1") is not PullRule.DO_NOT_PULL
    assert pulled == (code != "" and f"'{code}'" in (readable(rules) or ""))


@given(RULES)
@settings(max_examples=50)
def test_each_country_is_in_one_condition_of_what_may_be_shown_at_most(
    rules: PullRules,
) -> None:
    conditions = visible(rules)
    for code, rule in rules.items():
        naming = sum(f"'{code}'" in each for each in conditions)
        assert naming == (0 if rule is PullRule.DO_NOT_PULL else 1)
