"""Merged accounts leave one Case Contact with both Links, whatever the Medical Vault had stored of either account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.service.vault.jobbing import finished
from tests.service.vault.objects import key, outcomes, record
from tests.service.vault.served import Api

MERGES = "/vobjects/account_merge__v"
PERSONS = "/vobjects/person__sys"
SOURCE_DATA = "/vobjects/case_contact_source_data__v"
CASES = "/vobjects/case__v"
AGAIN = "Objectaction.account_merge__v.merge_case_contacts__v"


@dataclass(frozen=True)
class Known:
    """The Medical Vault's records of an account: its Link, its contact and a Case of it, if any."""

    link: str
    contact: str | None = None
    case: str | None = None


async def person(admin: Api, **fields: object) -> str:
    row = {"name__v": key(), "object_type__v.api_name__v": "case_contact__v", **fields}
    (made,) = (await admin.post(PERSONS, json=[row])).ids
    return made


async def tie(admin: Api, link: str, contact: str | None) -> None:
    row = {"name__v": key(), "link__sys": link, "person__v": contact}
    assert outcomes(await admin.post(SOURCE_DATA, json=[row])) == ["SUCCESS"]


async def transferred(admin: Api, vault: int = 20202) -> Known:
    """An account of which an inquiry was transferred."""
    link = f"{vault}_{key()}"
    contact = await person(admin, link__sys=link)
    await tie(admin, link, contact)
    (case,) = (await admin.post(CASES, json=[{"case_contact__v": contact}])).ids
    return Known(link, contact, case)


async def unknown(admin: Api) -> Known:
    del admin
    return Known(f"20202_{key()}")


async def without_source_data(admin: Api) -> Known:
    """An account whose transfer stopped before its Source Data."""
    link = f"20202_{key()}"
    return Known(link, await person(admin, link__sys=link))


async def without_a_contact(admin: Api) -> Known:
    link = f"20202_{key()}"
    await tie(admin, link, None)
    return Known(link)


async def record_merge(caller: Api, duplicate: str, main: str) -> list[str]:
    """Record a merge as the connector does."""
    row = {"link__sys": duplicate, "main_link__v": main}
    answer = await caller.post(f"{MERGES}?idParam=link__sys", json=[row])
    return outcomes(answer)


async def contact_of(admin: Api, *links: str) -> list[object]:
    """The Case Contacts of Links."""
    listed = "','".join(links)
    found = await admin.query(
        "SELECT link__sys, person__v FROM case_contact_source_data__v "
        f"WHERE link__sys CONTAINS ('{listed}')"
    )
    of = {row["link__sys"]: row["person__v"] for row in found.data}
    return [of.get(link) for link in links]


Before = Callable[[Api], Awaitable[Known]]
BEFORE = [transferred, unknown, without_source_data, without_a_contact]


@pytest.mark.parametrize("duplicate_is", BEFORE)
@pytest.mark.parametrize("main_is", BEFORE)
async def test_both_links_lead_to_one_contact(
    admin: Api, integration: Api, duplicate_is: Before, main_is: Before
) -> None:
    duplicate, main = await duplicate_is(admin), await main_is(admin)
    for _ in range(2):
        assert await record_merge(integration, duplicate.link, main.link) == ["SUCCESS"]
    left = main.contact or duplicate.contact
    found = await contact_of(admin, duplicate.link, main.link)
    if left is None:
        assert found == [None, None]
        return
    assert found == [left, left]
    # The main account says from now on who the contact is.
    assert (await record(admin, "person__sys", left))["link__sys"] == main.link
    if duplicate.case:
        case = await record(admin, "case__v", duplicate.case)
        assert case["case_contact__v"] == left
    if duplicate.contact != left and duplicate.contact:
        gone = await admin.get(f"{PERSONS}/{duplicate.contact}")
        assert gone.status == "FAILURE"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_chain_of_merges_ends_at_one_contact(
    admin: Api, integration: Api, order: tuple[int, int]
) -> None:
    first, second, last = [await transferred(admin) for _ in range(3)]
    pairs = [(first.link, second.link), (second.link, last.link)]
    for place in order:
        assert await record_merge(integration, *pairs[place]) == ["SUCCESS"]
    links = (first.link, second.link, last.link)
    assert await contact_of(admin, *links) == [last.contact] * 3


async def test_a_circle_of_merges_merges_nothing(admin: Api, integration: Api) -> None:
    around = [f"20202_{key()}" for _ in range(3)]
    pairs = zip(around, around[1:] + around[:1], strict=True)
    rows = [{"link__sys": link, "main_link__v": main} for link, main in pairs]
    people = [await person(admin, link__sys=link) for link in around]
    answer = await integration.post(f"{MERGES}?idParam=link__sys", json=rows)
    assert outcomes(answer) == ["SUCCESS"] * 3
    for each in people:
        assert (await admin.get(f"{PERSONS}/{each}")).status == "SUCCESS"


async def test_an_account_of_another_crm_keeps_the_contact_that_it_shares(
    admin: Api, integration: Api
) -> None:
    shared, main = await transferred(admin, 30303), await transferred(admin)
    duplicate = f"20202_{key()}"
    await tie(admin, duplicate, shared.contact)
    await record_merge(integration, duplicate, main.link)
    links = (shared.link, duplicate, main.link)
    assert await contact_of(admin, *links) == [main.contact] * 3
    # A CRM whose accounts have the same ids has reported nothing.
    same = f"40404_{main.link.partition('_')[2]}"
    assert await contact_of(admin, same) == [None]


async def test_a_merge_that_came_too_early_is_carried_out_again(
    admin: Api, integration: Api, user: Api
) -> None:
    duplicate, main = f"20202_{key()}", f"20202_{key()}"
    await record_merge(integration, duplicate, main)
    for link in (duplicate, main):
        await tie(admin, link, await person(admin, link__sys=link))
    (merge,) = (
        await admin.query(
            f"SELECT id FROM account_merge__v WHERE link__sys = '{duplicate}'"
        )
    ).data
    answer = await user.post(f"{MERGES}/{merge['id']}/actions/{AGAIN}")
    assert answer.status == "SUCCESS", answer.text
    first, second = await contact_of(admin, duplicate, main)
    assert first == second


async def test_people_do_not_invent_merges(admin: Api, user: Api) -> None:
    duplicate, main = await transferred(admin), await transferred(admin)
    row = {"link__sys": duplicate.link, "main_link__v": main.link}
    refused = await user.post(f"{MERGES}?idParam=link__sys", json=[row])
    assert (refused.status, refused.error) == ("FAILURE", "INVALID_DATA")
    del row["link__sys"]
    refused = await user.post(MERGES, json=[row])
    assert outcomes(refused) == ["OPERATION_NOT_ALLOWED"]
    assert await contact_of(admin, duplicate.link) == [duplicate.contact]


async def merged_by_hand(admin: Api, duplicate: str, main: str) -> None:
    row = {"duplicate_record_id": duplicate, "main_record_id": main}
    answer = await admin.post(f"{PERSONS}/actions/merge", json=[row])
    await finished(admin, answer.data["job_id"])
    job = answer.data["job_id"]
    (result,) = (await admin.get(f"/vobjects/merges/{job}/results")).data["merge_sets"]
    assert result["status"] == "SUCCESS", result


async def test_contacts_that_people_merge_keep_their_links(admin: Api) -> None:
    by_hand = await person(admin)
    first, second = await transferred(admin), await without_source_data(admin)
    await merged_by_hand(admin, str(first.contact), by_hand)
    # One account fills the contact; nobody takes turns yet.
    assert (await record(admin, "person__sys", by_hand))["link__sys"] is None
    await merged_by_hand(admin, str(second.contact), by_hand)
    links = (first.link, second.link)
    assert await contact_of(admin, *links) == [by_hand] * 2
    owner = (await record(admin, "person__sys", by_hand))["link__sys"]
    assert owner == first.link
