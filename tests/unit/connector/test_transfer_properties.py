"""Properties of all transfers: repetition, order and batches change nothing, and no record is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.connector.points.transfer import Result
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRY,
    PERSON,
    REQUEST,
    SOURCE_DATA,
    account,
    accounts,
    inquiries,
    inquiry,
    status,
)
from tests.unit.connector.standard_vaults import CRM_ID, Pair, pair
from tests.unit.connector.test_point_country import active, transferred

FEW = settings(max_examples=25, deadline=None)
CODES = st.sampled_from(["US", "DE", "CH", "JP", None])
ACCOUNTS = st.lists(CODES, min_size=1, max_size=3)


def crm_with(codes: Sequence[str | None], named: Sequence[int]) -> tuple[Pair, list[str]]:  # fmt: skip
    """Vaults with an account for each country, and an inquiry of each account in ``named``."""
    vaults = pair()
    of = [
        account(vaults.crm, code, veevaid__v=f"V-{number}")
        for number, code in enumerate(codes)
    ]
    items = [
        inquiry(vaults.crm, of[number % len(of)], codes[number % len(of)])
        for number in named
    ]
    return vaults, items


def made(vaults: Pair) -> dict[str, list[str]]:
    """The Links of the records in the Medical Vault, in no order."""
    return {
        name: sorted(str(row["link__sys"]) for row in vaults.medical.all_of(name))
        for name in (PERSON, SOURCE_DATA, CASE, REQUEST)
    }


@given(ACCOUNTS, st.lists(st.integers(0, 2), min_size=1, max_size=5), st.data())
@FEW
async def test_batches_and_repetition_change_nothing(
    codes: list[str | None], named: list[int], data: st.DataObject
) -> None:
    at_once, ids = crm_with(codes, named)
    await inquiries(at_once, *ids)
    bit_by_bit, items = crm_with(codes, named)
    order = data.draw(st.permutations(items))
    again = data.draw(st.lists(st.sampled_from(items), max_size=3))
    for item in (*order, *again):
        await inquiries(bit_by_bit, item)
    assert made(bit_by_bit) == made(at_once)


@given(
    ACCOUNTS,
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
    st.sets(st.tuples(st.sampled_from([CASE, REQUEST]), st.integers(0, 4))),
)
@FEW
async def test_each_record_has_one_result_and_its_status_says_which(
    codes: list[str | None], named: list[int], refused: set[tuple[str, int]]
) -> None:
    vaults, ids = crm_with(codes, named)
    wrong = {ids[number % len(ids)] for _, number in refused}
    for name, number in refused:
        link = f"{CRM_ID}_{ids[number % len(ids)]}"
        vaults.medical.refuse_rows(name, link__sys=link)
    outcome = await inquiries(vaults, *ids)
    assert (outcome.done, set(outcome.failures)) == (set(ids) - wrong, wrong)
    assert outcome.count(Result.SKIPPED) == outcome.count(Result.WARNED) == 0
    for item in ids:
        expected = "failed__v" if item in wrong else "success__v"
        assert status(vaults.crm, item) == expected


@given(st.sampled_from([PERSON, SOURCE_DATA, CASE, REQUEST]), st.integers(0, 3))
@FEW
async def test_a_race_that_is_won_in_the_end_leaves_no_trace(
    name: str, lost: int
) -> None:
    vaults, ids = crm_with(["US"], [0])
    vaults.medical.refuse_rows(name, "RACE_CONDITION", times=lost)
    assert (await inquiries(vaults, *ids)).done == set(ids)
    assert [len(each) for each in made(vaults).values()] == [1, 1, 1, 1]


@given(
    st.integers(1, 4), st.sampled_from([f"update {PERSON}", f"upsert {SOURCE_DATA}"])
)
@FEW
async def test_a_connector_that_is_overtaken_undoes_nothing(
    times: int, call: str
) -> None:
    vaults = pair()
    of = account(vaults.crm)
    await accounts(vaults, of)

    async def overtaken(number: int) -> None:
        # What this one has read is old by the time at which it writes: another one reads and writes meanwhile.
        vaults.crm.change(ACCOUNT, of, last_name_cda__v=f"Lee {number}")
        if number:
            vaults.medical.before(call, lambda: overtaken(number - 1))
        await accounts(vaults, of)

    await overtaken(times)
    last = {"last_name__v": "Lee 0"}
    assert vaults.medical.rows(SOURCE_DATA, "last_name__v") == [last]
    assert vaults.medical.rows(PERSON, "last_name__sys") == [
        {"last_name__sys": "Lee 0"}
    ]


@given(st.lists(st.sets(st.sampled_from(["US", "DE", "CH"])), min_size=1, max_size=4))
@FEW
async def test_the_active_countries_are_those_that_are_named_last(
    sequence: list[set[str]],
) -> None:
    vaults = pair()
    item = vaults.crm.add(
        "connection_settings__v",
        name__v="CLM",
        object_type__v="clm_integration_settings__v",
    )
    for codes in sequence:
        named = [f"{code.lower()}__v" for code in sorted(codes)]
        vaults.crm.change("connection_settings__v", item, country_filter__v=named)
        await transferred(vaults, item)
    found = {code for code, state in active(vaults).items() if state == "active__v"}
    assert found == sequence[-1]


MOMENTS = [
    "query account__v",
    f"upsert {CASE}",
    f"upsert {REQUEST}",
    f"update {INQUIRY}",
]


@pytest.mark.parametrize("read_at", ["failed__v", None, "pending__v"])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("calls_before", [0, 1, 2])
async def test_what_is_edited_while_an_inquiry_is_transferred_arrives(
    read_at: str | None, moment: str, calls_before: int
) -> None:
    vaults = pair()
    item = inquiry(vaults.crm, account(vaults.crm), transfer_status__v=read_at)
    vault = vaults.medical if moment.startswith("upsert") else vaults.crm

    async def edit() -> None:
        # Vault CRM locks an inquiry at Pending or Success.
        if status(vaults.crm, item) not in ("pending__v", "success__v"):
            vaults.crm.change(INQUIRY, item, inquiry_text__v="How often a day?")

    async def after(calls: int) -> None:
        if calls == 0:
            await edit()
        else:
            vault.before(moment, lambda: after(calls - 1))

    vault.before(moment, lambda: after(calls_before))
    await inquiries(vaults, item)
    # The retry that the edit may have been too late for.
    await inquiries(vaults, item)
    assert status(vaults.crm, item) == "success__v"
    stored = vaults.crm.get(INQUIRY, item)["inquiry_text__v"]
    assert vaults.medical.rows(REQUEST, "question__v") == [{"question__v": stored}]
