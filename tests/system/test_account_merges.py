"""Accounts that are merged in Vault CRM become one Case Contact of the Medical Vault, with both Links."""

from __future__ import annotations

from shared.client.results import rows_of, whole
from shared.client.transport import API, Request
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import envelope, put_on_queue
from tests.system.reconciling import assert_clean
from tests.system.test_crashes import assert_queues_empty, quoted
from tests.system.test_transfer import account, inquiry, one, transferred

ACCOUNTS = "account_inbound__v"
MERGE = "account_merge__v"
ACCOUNT = "account__v"


async def merge(connected: Connected, duplicate: str, main: str) -> str:
    """Merge two accounts in Vault CRM, and return the id of the merge."""
    pair = {"duplicate_record_id": duplicate, "main_record_id": main}
    path = f"{API}/vobjects/{ACCOUNT}/actions/merge"
    answer = await connected.crm.call(Request("merge", "POST", path, json=[pair]))
    job = whole(rows_of([answer["data"]], "data")[0].get("job_id"), "job_id")
    status = f"{API}/vobjects/merges/{job}/status"

    async def over() -> bool:
        told = await connected.crm.call(Request("merge", "GET", status))
        return told["data"] == {"status": "SUCCESS"}

    await eventually("the merge in Vault CRM", over)
    text = f"SELECT id FROM {MERGE} WHERE duplicate_id__v = '{duplicate}'"
    return str((await one(connected.crm, text))["id"])


async def contacts(connected: Connected, *accounts: str) -> list[object]:
    """The Case Contact of the Link of each account."""
    links = [f"{connected.crm.vault_id}_{each}" for each in accounts]
    text = "SELECT link__sys, person__v FROM case_contact_source_data__v"
    found = await connected.medical.query(
        f"{text} WHERE link__sys CONTAINS ({quoted(links)})"
    )
    of = {row["link__sys"]: row["person__v"] for row in found.rows}
    return [of.get(link) for link in links]


async def become(connected: Connected, contact: object, *accounts: str) -> None:
    async def one_contact() -> bool:
        return await contacts(connected, *accounts) == [contact] * len(accounts)

    await eventually("one Case Contact", one_contact)


async def test_merged_accounts_leave_one_case_contact(connected: Connected) -> None:
    run = new_run()
    duplicate = await account(connected, f"{run}d", veevaid__v=f"D{run}")
    main = await account(connected, f"{run}m", veevaid__v=f"M{run}")
    first = await inquiry(connected, duplicate)
    before = await transferred(connected, first)
    kept = await transferred(connected, await inquiry(connected, main))
    waiting = await inquiry(connected, duplicate)
    left = kept["case__vr.case_contact__v"]
    assert left != before["case__vr.case_contact__v"]
    merged = await merge(connected, duplicate, main)
    await become(connected, left, duplicate, main)
    case = await connected.medical.record("case__v", str(before["case__v"]))
    assert case["case_contact__v"] == left
    # An inquiry that the duplicate still had is the main account's, and so is its Case.
    after = await transferred(connected, waiting)
    assert after["case__vr.case_contact__v"] == left
    for _ in range(2):
        message = envelope([merged], point=ACCOUNTS, object_name=MERGE).encode()
        await put_on_queue(connected, message)
    await assert_queues_empty(connected)
    await become(connected, left, duplicate, main)
    person = await connected.medical.record("person__sys", str(left))
    assert person["link__sys"] == f"{connected.crm.vault_id}_{main}"
    assert person["veeva_id__v"] == f"M{run}"
    await assert_clean(connected.medical, {duplicate, main, first, waiting})


async def test_an_account_that_only_the_duplicate_made_known_is_its_contact(
    connected: Connected,
) -> None:
    run = new_run()
    duplicate = await account(connected, f"{run}d")
    main = await account(connected, f"{run}m")
    before = await transferred(connected, await inquiry(connected, duplicate))
    left = before["case__vr.case_contact__v"]
    await merge(connected, duplicate, main)
    await become(connected, left, duplicate, main)
    after = await transferred(connected, await inquiry(connected, main))
    assert after["case__vr.case_contact__v"] == left
    # The main account says who the contact is.
    assert after["case__vr.case_contact__vr.last_name__sys"] == f"Example {run}m"


async def test_contacts_that_are_merged_here_are_not_overwritten_by_turns(
    connected: Connected,
) -> None:
    run = new_run()
    accounts = [
        await account(connected, f"{run}{n}", veevaid__v=f"{n}{run}") for n in "ab"
    ]
    requests = [
        await transferred(connected, await inquiry(connected, each))
        for each in accounts
    ]
    kept, duplicate = (str(row["case__vr.case_contact__v"]) for row in requests)
    pair = {"duplicate_record_id": duplicate, "main_record_id": kept}
    path = f"{API}/vobjects/person__sys/actions/merge"
    await connected.medical.call(Request("merge", "POST", path, json=[pair]))
    await become(connected, kept, *accounts)
    identity = ("name__v", "last_name__sys", "veeva_id__v", "external_id__v")
    settled = await connected.medical.record("person__sys", kept)
    for of in (accounts[1], accounts[0], accounts[1]):
        request = await transferred(connected, await inquiry(connected, of))
        assert request["case__vr.case_contact__v"] == kept
        person = await connected.medical.record("person__sys", kept)
        assert [person[name] for name in identity] == [
            settled[name] for name in identity
        ]
    # That the other account has another Veeva ID is there to be read, once for each inquiry.
    text = (
        "SELECT error_type__sys FROM exception_item__sys WHERE error_message__sys "
        f"LIKE 'Integration rule account__v: Case Contact {kept} %'"
    )

    async def warned() -> bool:
        items = await connected.medical.query(text)
        types = [row["error_type__sys"] for row in items.rows]
        return types == [["match_error__sys"]] * 2

    await eventually("the warnings of two inquiries", warned)
    await assert_clean(connected.medical, accounts)


async def test_where_accounts_may_not_be_pulled_no_merge_is_sent(
    connected: Connected,
) -> None:
    run = new_run()
    duplicate = await account(connected, f"{run}d", "CH")
    main = await account(connected, f"{run}m", "CH")
    merged = await merge(connected, duplicate, main)
    await put_on_queue(
        connected, envelope([merged], point=ACCOUNTS, object_name=MERGE).encode()
    )
    await assert_queues_empty(connected)
    link = f"{connected.crm.vault_id}_{duplicate}"
    text = f"SELECT id FROM {MERGE} WHERE link__sys = '{link}'"
    assert (await connected.medical.query(text)).rows == []
