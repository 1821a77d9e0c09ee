"""Medical inquiries of Vault CRM: Transfer to Medical, and the lock on transferred ones."""

from __future__ import annotations

import pytest

from tests.service.vault import inquiring
from tests.service.vault.browsing import Page, browser
from tests.service.vault.inquiring import INQUIRIES, LOCKED, OBJECT, QUEUE, WHOLE, Crm
from tests.service.vault.jobbing import finished
from tests.service.vault.objects import key, outcomes, record
from tests.service.vault.served import Api

crm = inquiring.crm
RUNS = (
    "SELECT last_successful_run_time__sys, modified_date__v FROM integration__sys "
    "WHERE integration_api_name__sys = 'medical_inquiry_details__v'"
)


async def test_nothing_flows_while_the_integration_is_inactive(crm: Crm) -> None:
    await crm.activate("inactive__v")
    ids = await crm.submitted(2)
    assert await crm.transfer(ids) == [LOCKED] * 2
    assert await crm.statuses(ids) == [None, None]


async def test_activation_sets_the_last_successful_run_time(crm: Crm) -> None:
    await crm.activate("inactive__v")
    before = (await crm.admin.query(RUNS)).data[0]
    await crm.activate("active__v")
    after = (await crm.admin.query(RUNS)).data[0]
    assert (
        after["last_successful_run_time__sys"]
        != before["last_successful_run_time__sys"]
    )
    assert after["last_successful_run_time__sys"] >= before["modified_date__v"]
    await crm.activate("active__v")
    assert (await crm.admin.query(RUNS)).data[0] == after


async def test_one_call_transfers_what_may_be_transferred(crm: Crm) -> None:
    await crm.activate("active__v")
    await crm.admin.put(f"{QUEUE}/actions/disable_delivery")
    # Other tests have left messages there.
    await crm.admin.put(f"{QUEUE}/actions/reset")
    ids = await crm.submitted(3)
    await crm.succeed(ids[1])
    (saved,) = (await crm.rep.post(INQUIRIES, json=[WHOLE])).ids
    assert await crm.transfer([*ids, saved]) == ["SUCCESS", LOCKED, "SUCCESS", LOCKED]
    assert await crm.statuses(ids) == [["pending__v"], ["success__v"], ["pending__v"]]
    assert (await crm.admin.get(QUEUE)).data[0]["messages_in_queue"] == 1
    await crm.admin.put(f"{QUEUE}/actions/reset")
    await crm.admin.put(f"{QUEUE}/actions/enable_delivery")


async def test_a_transferred_inquiry_changes_through_the_connection_only(
    crm: Crm,
) -> None:
    await crm.activate("active__v")
    (record_id,) = await crm.submitted(1)
    await crm.succeed(record_id)
    for caller in (crm.rep, crm.admin):
        assert outcomes(
            await caller.put(
                INQUIRIES, json=[{"id": record_id, "email__v": "a@example.org"}]
            )
        ) == [LOCKED]
    assert outcomes(await crm.admin.delete(INQUIRIES, json=[{"id": record_id}])) == [
        LOCKED
    ]
    row = {"id": record_id, "inquiry_status__v": None, "response__v": "answered"}
    assert outcomes(await crm.integration.put(INQUIRIES, json=[row])) == ["SUCCESS"]
    assert (await record(crm.rep, OBJECT, record_id))["response__v"] == "answered"


async def test_an_inquiry_under_way_stays_as_it_is_read(crm: Crm) -> None:
    await crm.activate("active__v")
    (record_id,) = await crm.submitted(1)
    row = {"id": record_id, "inquiry_text__v": "Is the dose of A right?"}
    assert outcomes(await crm.rep.put(INQUIRIES, json=[row])) == ["SUCCESS"]
    assert await crm.transfer([record_id]) == ["SUCCESS"]
    later = {"id": record_id, "inquiry_text__v": "Is the dose of B right?"}
    for caller in (crm.rep, crm.admin):
        refused = await caller.put(INQUIRIES, json=[later])
        assert outcomes(refused) == [LOCKED]
        assert "is being transferred" in refused.text
    deletion = await crm.admin.delete(INQUIRIES, json=[{"id": record_id}])
    assert outcomes(deletion) == [LOCKED]
    async with browser(crm.rep.url, "user") as visitor:
        page = await visitor.open(f"/ui/objects/{OBJECT}/{record_id}")
        assert "Edit" not in page.links
    # What is said of it, and the transfer once more, are no edits.
    assert await crm.transfer([record_id]) == ["SUCCESS"]
    failed = {"id": record_id, "transfer_status__v": "failed__v"}
    assert outcomes(await crm.integration.put(INQUIRIES, json=[failed])) == ["SUCCESS"]
    assert outcomes(await crm.rep.put(INQUIRIES, json=[later])) == ["SUCCESS"]


PAST_FAILURE = [
    pytest.param([], "set Pending first", id="failed"),
    pytest.param(["edit"], "set Pending first", id="edited"),
    pytest.param(["edit", "transfer"], "modified_date__v", id="edited and sent anew"),
    pytest.param(["transfer"], "modified_date__v", id="sent anew"),
]


@pytest.mark.parametrize(("steps", "reason"), PAST_FAILURE)
async def test_an_older_message_locks_no_inquiry_that_has_failed_since(
    crm: Crm, steps: list[str], reason: str
) -> None:
    await crm.activate("active__v")
    (record_id,) = await crm.submitted(1)
    assert await crm.transfer([record_id]) == ["SUCCESS"]
    read = await record(crm.integration, OBJECT, record_id)
    failed = {"id": record_id, "transfer_status__v": "failed__v"}
    assert outcomes(await crm.integration.put(INQUIRIES, json=[failed])) == ["SUCCESS"]
    if "edit" in steps:
        edited = {"id": record_id, "inquiry_text__v": "Which dose is right?"}
        assert outcomes(await crm.rep.put(INQUIRIES, json=[edited])) == ["SUCCESS"]
    if "transfer" in steps:
        assert await crm.transfer([record_id]) == ["SUCCESS"]
    before = await crm.statuses([record_id])
    row = {"id": record_id, "transfer_status__v": "success__v"}
    row["modified_date__v"] = read["modified_date__v"]
    compared = {"X-VaultAPI-UnchangedFieldBehavior": "AlwaysIgnore"}
    refused = await crm.integration.put(INQUIRIES, json=[row], headers=compared)
    assert outcomes(refused) != ["SUCCESS"]
    assert await crm.statuses([record_id]) == before
    if "transfer" not in steps:
        del row["modified_date__v"]
        refused = await crm.integration.put(INQUIRIES, json=[row])
        assert outcomes(refused) == [LOCKED]
    assert reason in refused.text
    # The message of the inquiry as it is now succeeds.
    assert await crm.transfer([record_id]) == ["SUCCESS"]
    now = await record(crm.integration, OBJECT, record_id)
    row["modified_date__v"] = now["modified_date__v"]
    taken = await crm.integration.put(INQUIRIES, json=[row], headers=compared)
    assert outcomes(taken) == ["SUCCESS"], taken.text
    assert await crm.statuses([record_id]) == [["success__v"]]


async def test_an_administrator_gives_back_an_inquiry_whose_message_is_gone(
    crm: Crm,
) -> None:
    await crm.activate("active__v")
    await crm.admin.put(f"{QUEUE}/actions/disable_delivery")
    (record_id,) = await crm.submitted(1)
    assert await crm.transfer([record_id]) == ["SUCCESS"]
    await crm.admin.put(f"{QUEUE}/actions/reset")
    await crm.admin.put(f"{QUEUE}/actions/enable_delivery")
    await crm.activate("inactive__v")
    edited = [{"id": record_id, "inquiry_text__v": "Which dose?"}]
    assert outcomes(await crm.rep.put(INQUIRIES, json=edited)) == [LOCKED]
    assert await crm.transfer([record_id]) == [LOCKED]
    given_back = [
        {
            "id": record_id,
            "transfer_status__v": "failed__v",
            "transfer_error__v": "The transfer was stopped. Transfer it again.",
        }
    ]
    migration = {"X-VaultAPI-MigrationMode": "true"}
    refused = await crm.rep.put(INQUIRIES, json=given_back, headers=migration)
    assert refused.error == "INSUFFICIENT_ACCESS"
    answer = await crm.admin.put(INQUIRIES, json=given_back, headers=migration)
    assert outcomes(answer) == ["SUCCESS"], answer.text
    assert outcomes(await crm.rep.put(INQUIRIES, json=edited)) == ["SUCCESS"]
    stored = await record(crm.rep, OBJECT, record_id)
    assert stored["transfer_status__v"] == ["failed__v"]
    assert stored["transfer_error__v"] == given_back[0]["transfer_error__v"]
    await crm.activate("active__v")


ACCOUNTS, PRODUCTS, COUNTRIES = (
    "/vobjects/account__v",
    "/vobjects/product__v",
    "/vobjects/country__v",
)
MERGED = [
    pytest.param(ACCOUNTS, "account__v", {"last_name_cda__v": "Lee"}, id="accounts"),
    pytest.param(PRODUCTS, "product__v", {}, id="products"),
    pytest.param(COUNTRIES, "country__v", {}, id="countries"),
]


@pytest.mark.parametrize(("path", "field", "values"), MERGED)
async def test_a_merge_moves_the_references_of_transferred_inquiries(
    crm: Crm, path: str, field: str, values: dict[str, str]
) -> None:
    rows = [{"name__v": key(), **_identifiers(path), **values} for _ in range(2)]
    duplicate, main = (await crm.admin.post(path, json=rows)).ids
    inquiries = await crm.submitted(2)
    references = [{"id": each, field: duplicate} for each in inquiries]
    assert outcomes(await crm.rep.put(INQUIRIES, json=references)) == ["SUCCESS"] * 2
    await crm.succeed(inquiries[0])
    pairs = [{"duplicate_record_id": duplicate, "main_record_id": main}]
    answer = await crm.admin.post(f"{path}/actions/merge", json=pairs)
    await finished(crm.admin, answer.data["job_id"])
    results = f"/vobjects/merges/{answer.data['job_id']}/results"
    (merged,) = (await crm.admin.get(results)).data["merge_sets"]
    assert merged["status"] == "SUCCESS", merged
    for each in inquiries:
        assert (await record(crm.admin, OBJECT, each))[field] == main
    # The lock on what people write is as it was.
    row = {"id": inquiries[0], field: main, "email__v": "a@example.org"}
    assert outcomes(await crm.admin.put(INQUIRIES, json=[row])) == [LOCKED]


@pytest.mark.parametrize("status", ["active__v", "inactive__v"])
async def test_a_merge_of_accounts_is_recorded_and_sent(crm: Crm, status: str) -> None:
    await crm.activate(status)
    await crm.admin.put(f"{QUEUE}/actions/disable_delivery")
    # Other tests have left messages there.
    await crm.admin.put(f"{QUEUE}/actions/reset")
    rows = [{"name__v": key()} for _ in range(3)]
    first, second, last = (await crm.admin.post(ACCOUNTS, json=rows)).ids
    for pair in ((first, second), (second, last)):
        row = dict(zip(("duplicate_record_id", "main_record_id"), pair, strict=True))
        answer = await crm.admin.post(f"{ACCOUNTS}/actions/merge", json=[row])
        await finished(crm.admin, answer.data["job_id"])
    # The account that is left is that of both merges.
    fields = "id, duplicate_id__v, duplicate_global_id__v, account__v"
    found = await crm.admin.query(
        f"SELECT {fields} FROM account_merge__v WHERE account__v = '{last}' ORDER BY id"
    )
    told = [
        (row["duplicate_id__v"], row["duplicate_global_id__v"]) for row in found.data
    ]
    assert told == [(each, f"20202_{each}") for each in (first, second)]
    waiting = 2 if status == "active__v" else 0
    assert (await crm.admin.get(QUEUE)).data[0]["messages_in_queue"] == waiting
    await crm.admin.put(f"{QUEUE}/actions/reset")
    await crm.admin.put(f"{QUEUE}/actions/enable_delivery")
    # Nobody but an administrator invents a merge, or undoes one.
    row = {"duplicate_id__v": key(), "duplicate_global_id__v": key()}
    merges, merge = "/vobjects/account_merge__v", found.data[0]["id"]
    for caller in (crm.rep, crm.integration):
        assert outcomes(await caller.post(merges, json=[row])) == [LOCKED]
        changed = [{"id": merge, "account__v": None}]
        assert outcomes(await caller.put(merges, json=changed)) == [LOCKED]


def _identifiers(path: str) -> dict[str, str]:
    return {"country_code__v": key()} if path == COUNTRIES else {}


async def test_a_session_is_of_one_vault_only(crm: Crm, api: Api) -> None:
    answer = await api.get(
        "/objects/users/me", headers={"Authorization": crm.admin.session_id}
    )
    assert (answer.http_status, answer.error) == (200, "INVALID_SESSION_ID")


async def test_what_a_business_user_may_not_see_by_any_path(crm: Crm) -> None:
    for text in (
        "SELECT id FROM exception_message__sys",
        "SELECT id, connection__sysr.api_name__sys FROM integration__sys",
        "SELECT id, (SELECT id FROM exception_items__sysr) FROM exception_message__sys",
        "SELECT id FROM user__sys",
        "SELECT id FROM medical_inquiry__v WHERE id IN (SELECT id FROM exception_items__sysr)",
    ):
        assert (await crm.rep.query(text)).error in (
            "INSUFFICIENT_ACCESS",
            "INVALID_DATA",
        )


PAGE = f"/ui/objects/{OBJECT}"
SEND, TRANSFER = "Submit and transfer", "Transfer to Medical"
BUTTONS = {"Submit", SEND, TRANSFER}
# What was done with an inquiry, the buttons of its page, and what the page says.
OFFERED = [
    pytest.param("draft", {}, {"Submit", SEND}, "", id="a whole draft"),
    pytest.param(
        "draft",
        {"country__v": "", "email__v": ""},
        set(),
        "Submit is not possible yet. These fields need a value: Country, Email.",
        id="a draft that lacks something",
    ),
    pytest.param("submitted", {}, {TRANSFER}, "", id="submitted"),
    pytest.param(
        "submitted",
        {"email__v": "nobody"},
        set(),
        f"{TRANSFER} is not possible yet. Email must be exactly one e-mail address.",
        id="spoilt after it was submitted",
    ),
    pytest.param("pending", {}, set(), "is being transferred", id="on its way"),
    pytest.param("failed", {}, {TRANSFER}, "", id="failed"),
    pytest.param("success", {}, set(), "is locked", id="arrived"),
]


@pytest.mark.parametrize(("step", "changes", "buttons", "text"), OFFERED)
async def test_a_page_offers_what_can_be_done(
    crm: Crm, step: str, changes: dict[str, str], buttons: set[str], text: str
) -> None:
    await crm.activate("active__v")
    record_id = await _inquiry(crm, step)
    if changes:
        answer = await crm.rep.put(INQUIRIES, json=[{"id": record_id, **changes}])
        assert outcomes(answer) == ["SUCCESS"], answer.text
    async with browser(crm.rep.url, "user") as visitor:
        page = await visitor.open(f"{PAGE}/{record_id}")
        assert text in page.text
        assert _buttons(page) & BUTTONS == buttons, page.text


async def _inquiry(crm: Crm, step: str) -> str:
    """An inquiry with which so much was done."""
    if step == "draft":
        (saved,) = (await crm.rep.post(INQUIRIES, json=[WHOLE])).ids
        return saved
    (submitted,) = await crm.submitted(1)
    if step == "success":
        await crm.succeed(submitted)
    elif step != "submitted":
        row = {"id": submitted, "transfer_status__v": f"{step}__v"}
        assert outcomes(await crm.integration.put(INQUIRIES, json=[row])) == ["SUCCESS"]
    return submitted


def _buttons(page: Page) -> set[str]:
    return {label for form in page.forms for label in form.labels}


ENTERED = """ALTER Objectlifecycle medical_inquiry_lifecycle__v (
  MODIFY Objectlifecyclestate submitted_state__v (
    {} Objectlifecyclestateentryaction transfer__c{} ) );"""
ON_ENTRY = " ( action('transfer_to_medical'), order(9) )"


async def test_a_page_offers_once_what_its_actions_do_alike(crm: Crm) -> None:
    await crm.activate("active__v")
    drafts = [await _inquiry(crm, "draft"), await _inquiry(crm, "draft")]
    lacking = {"id": drafts[1], "email__v": ""}
    assert outcomes(await crm.rep.put(INQUIRIES, json=[lacking])) == ["SUCCESS"]
    added = ENTERED.format("ADD", ON_ENTRY)
    answer = await crm.admin.post("/api/mdl/execute", data=added)
    assert answer.status == "SUCCESS", answer.text
    try:
        async with browser(crm.rep.url, "user") as visitor:
            page = await visitor.open(f"{PAGE}/{drafts[1]}")
            assert not _buttons(page) & BUTTONS and "Complete and send" in page.links
            assert "Submit is not possible yet" not in page.text
            page = await visitor.open(f"{PAGE}/{drafts[0]}")
            assert _buttons(page) & BUTTONS == {SEND}
            await visitor.press(page, SEND)
        assert await crm.statuses(drafts[:1]) == [["pending__v"]]
    finally:
        dropped = ENTERED.format("DROP", "")
        undone = await crm.admin.post("/api/mdl/execute", data=dropped)
        assert undone.status == "SUCCESS", undone.text


async def test_without_the_integration_no_page_offers_a_transfer(crm: Crm) -> None:
    await crm.activate("inactive__v")
    for step in ("draft", "submitted"):
        record_id = await _inquiry(crm, step)
        async with browser(crm.rep.url, "user") as visitor:
            page = await visitor.open(f"{PAGE}/{record_id}")
            assert _buttons(page) & BUTTONS <= {"Submit"}, page.text
            assert step == "draft" or "an administrator can activate it" in page.text
            form = await visitor.open(f"{PAGE}/{record_id}/edit")
            assert "is not possible now. The integration or its" in form.text
            assert _buttons(form) & {SEND, "Save and transfer"} == set()


@pytest.mark.parametrize(
    ("step", "button"), [("draft", SEND), ("failed", "Save and transfer")]
)
async def test_the_form_of_an_inquiry_sends_it_in_one_step(
    crm: Crm, step: str, button: str
) -> None:
    """With the same needs at their fields as for a new one; sent twice, it is sent once."""
    await crm.activate("active__v")
    record_id = await _inquiry(crm, step)
    async with browser(crm.rep.url, "user") as visitor:
        form = await visitor.open(f"{PAGE}/{record_id}/edit")
        lacking = await visitor.press(form, button, email__v="", inquiry_text__v="Why?")
        assert lacking.text.count("It needs a value before this can be sent.") == 1
        assert await crm.statuses([record_id]) in ([None], [["failed__v"]])
        values = {"email__v": "a@example.org"}
        page = await visitor.press(lacking, button, **values)
        assert "The transfer to Medical has begun." in page.text, page.text
        again = await visitor.press(lacking, button, **values)
        assert again.path == page.path and "sent before" in again.text
    stored = await record(crm.rep, OBJECT, record_id)
    assert stored["transfer_status__v"] == ["pending__v"]
    assert stored["state__v"] == ["submitted_state__v"]
    assert (stored["inquiry_text__v"], stored["email__v"]) == ("Why?", "a@example.org")


async def test_a_whole_draft_is_sent_from_its_page(crm: Crm) -> None:
    await crm.activate("active__v")
    record_id = await _inquiry(crm, "draft")
    async with browser(crm.rep.url, "user") as visitor:
        page = await visitor.open(f"{PAGE}/{record_id}")
        assert (
            "The transfer to Medical has begun."
            in (await visitor.press(page, SEND)).text
        )
    assert await crm.statuses([record_id]) == [["pending__v"]]


@pytest.mark.parametrize("status", ["pending", "success"])
async def test_an_old_form_of_an_inquiry_that_was_sent_says_why_it_is_refused(
    crm: Crm, status: str
) -> None:
    await crm.activate("active__v")
    record_id = await _inquiry(crm, "failed")
    why = {"pending": "is being transferred", "success": "is locked"}[status]
    path = f"{PAGE}/{record_id}"
    async with browser(crm.rep.url, "user") as visitor:
        form = await visitor.open(f"{path}/edit")
        # Only what is under way becomes transferred.
        for each in dict.fromkeys(["pending", status]):
            row = {"id": record_id, "transfer_status__v": f"{each}__v"}
            written = await crm.integration.put(INQUIRIES, json=[row])
            assert outcomes(written) == ["SUCCESS"]
        late = await visitor.press(form, "Save", inquiry_text__v="Late?")
        assert why in late.text and "save again" not in late.text, late.text
        assert late.form("Save").fields["inquiry_text__v"] == "Late?"
        unchanged = await visitor.press(form, "Save and transfer")
        assert unchanged.path == path and why in unchanged.text, unchanged.text
        page = await visitor.open(f"{path}/edit")
        assert page.path == path and why in page.text


async def test_why_it_failed_is_read_without_api_names(crm: Crm) -> None:
    record_id = await _inquiry(crm, "failed")
    details = (
        "Details: no product__v with external_id__v P-9 exists in the target Vault"
    )
    row = {"id": record_id, "transfer_error__v": f"It is missing there. {details}"}
    assert outcomes(await crm.integration.put(INQUIRIES, json=[row])) == ["SUCCESS"]
    async with browser(crm.rep.url, "user") as visitor:
        in_list = f"{PAGE}?list=failed&column=transfer_error__v"
        for path in (f"{PAGE}/{record_id}", in_list, "/ui/"):
            page = await visitor.open(path)
            assert "no Product with External ID P-9 exists" in page.text, page.text
