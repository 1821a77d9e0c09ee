"""A Case for a group of inquiries: which inquiries share one, and what later ones do not change."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.connector.points.inquiry_cases import group_link
from tests.unit.connector.example_records import (
    CASE,
    REQUEST,
    account,
    contact,
    inquiries,
    inquiry,
)
from tests.unit.connector.standard_vaults import CRM_ID, Pair, country, pair

BY_GROUP = """ALTER Integrationrule medical_inquiries__v (
    MODIFY Fieldrule case_link__v (query_field('group_identifier__v')));"""


@pytest.fixture
def vaults() -> Pair:
    return pair(BY_GROUP)


def grouped(vaults: Pair, of: str, code: str | None = "US", **fields: object) -> str:
    values = {"group_identifier__v": "G", **fields}
    return inquiry(vaults.crm, of, code, **values)


def cases(vaults: Pair) -> dict[str, str]:
    """The Cases of requests, by the id of the inquiry."""
    rows = vaults.medical.rows(REQUEST, "link__sys", "case__v")
    return {
        str(row["link__sys"]).removeprefix(f"{CRM_ID}_"): str(row["case__v"])
        for row in rows
    }


@pytest.mark.parametrize(
    ("case", "link"),
    [
        ({"link__sys": "G", "country__v": "C1"}, "20202:N1:C1:G"),
        ({"link__sys": "G"}, "20202:N1::G"),
        ({"link__sys": "N1:G"}, "20202:N1::N1:G"),
        ({"link__sys": "20202_I2"}, "20202:N1::20202_I2"),
        ({"link__sys": "20202_I1"}, None),
        ({"link__sys": ""}, None),
        ({"link__sys": None}, None),
        ({}, None),
    ],
)
def test_the_link_of_a_group(case: Mapping[str, object], link: str | None) -> None:
    assert group_link(CRM_ID, case, "N1", "20202_I1") == link


def test_no_other_contact_country_or_vault_has_the_link_of_a_group() -> None:
    group = {"link__sys": "G"}
    links = [
        group_link(vault, {**group, **place}, contact, None)
        for vault in (CRM_ID, 30303)
        for contact in ("N1", "N2")
        for place in ({"country__v": "C1"}, {"country__v": "C2"}, {})
    ]
    assert len(set(links)) == len(links) == 12


@pytest.mark.parametrize("group", ["G", " G", "G\t", "\u00a0G "])
def test_white_space_around_a_group_makes_no_other_one(group: str) -> None:
    case = {"link__sys": group}
    assert group_link(CRM_ID, case, "N1", None) == f"{CRM_ID}:N1::G"
    assert group_link(CRM_ID, case, "N1", "G") is None


@pytest.mark.parametrize("together", [True, False])
async def test_inquiries_of_a_group_share_a_case(vaults: Pair, together: bool) -> None:
    of = account(vaults.crm)
    items = [grouped(vaults, of) for _ in range(3)]
    for unit in [items] if together else [[item] for item in items]:
        assert (await inquiries(vaults, *unit)).done == set(unit)
    assert len(vaults.medical.rows(CASE)) == 1
    assert len(set(cases(vaults).values())) == 1
    assert cases(vaults).keys() == set(items)


async def test_an_inquiry_without_a_group_has_a_case_of_its_own(vaults: Pair) -> None:
    of = account(vaults.crm)
    items = [grouped(vaults, of, group_identifier__v=None) for _ in range(2)]
    await inquiries(vaults, *items)
    links = {row["link__sys"] for row in vaults.medical.rows(CASE, "link__sys")}
    assert links == {f"{CRM_ID}_{item}" for item in items}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("code", "same_account", "shared"),
    [("US", True, True), ("US", False, False), ("DE", True, False), (None, True, True)],
    ids=["alike", "another account", "another country", "no country: the account's"],
)
async def test_nobody_elses_case_is_changed(
    vaults: Pair, together: bool, code: str | None, same_account: bool, shared: bool
) -> None:
    of = account(vaults.crm)
    first = grouped(vaults, of, None if code is None else "US")
    later = grouped(vaults, of if same_account else account(vaults.crm), code)
    fields = ("id", "case_contact__v", "country__v", "link__sys")
    if together:
        await inquiries(vaults, first, later)
    else:
        await inquiries(vaults, first)
        before = vaults.medical.rows(CASE, *fields)
        await inquiries(vaults, later)
        assert vaults.medical.rows(CASE, *fields)[:1] == before
    of_item = cases(vaults)
    assert (of_item[first] == of_item[later]) is shared
    wanted = None if code is None else country(vaults.medical, code)
    assert vaults.medical.get(CASE, of_item[later])["country__v"] == wanted


async def test_what_an_agent_has_changed_stays(vaults: Pair) -> None:
    of = account(vaults.crm)
    first = grouped(vaults, of, delivery_method__v="email__v")
    await inquiries(vaults, first)
    (case,) = vaults.medical.rows(CASE, "id")
    changed = {"priority__v": "high__v", "origination_channel__v": "phone__v"}
    vaults.medical.change(CASE, str(case["id"]), **changed)
    later = grouped(vaults, of, delivery_method__v="email__v")
    # A later date than that of the agent's change: the newest inquiry overwrites nothing either.
    vaults.crm.change("medical_inquiry__v", later, inquiry_text__v="And how long?")
    for _ in range(2):
        await inquiries(vaults, later)
    assert vaults.medical.rows(CASE, *changed) == [changed]
    assert set(cases(vaults).values()) == {case["id"]}


async def test_a_case_with_another_contact_by_an_agent_is_not_changed(
    vaults: Pair,
) -> None:
    of = account(vaults.crm)
    await inquiries(vaults, grouped(vaults, of))
    (case,) = vaults.medical.rows(CASE, "id")
    other = contact(vaults.medical)
    vaults.medical.change(CASE, str(case["id"]), case_contact__v=other)
    later = [grouped(vaults, of) for _ in range(2)]
    assert (await inquiries(vaults, *later)).done == set(later)
    assert vaults.medical.get(CASE, str(case["id"]))["case_contact__v"] == other
    apart = [cases(vaults)[item] for item in later]
    assert case["id"] not in apart
    (person,) = {vaults.medical.get(CASE, each)["case_contact__v"] for each in apart}
    assert person != other


async def test_where_no_account_is_pulled_each_inquiry_is_its_own_contact(
    vaults: Pair,
) -> None:
    of = account(vaults.crm, "CH")
    items = [grouped(vaults, of, "CH") for _ in range(2)]
    await inquiries(vaults, *items)
    assert len(set(cases(vaults).values())) == 2
