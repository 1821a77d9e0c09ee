"""Which fields a rep may write in an inquiry, which a submitted one has, and which a copy gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from services.crm_vault.definition import CRM_VAULT
from tests.service.vault import inquiring
from tests.service.vault.browsing import Browser, browser
from tests.service.vault.inquiring import INQUIRIES, LOCKED, OBJECT, WHOLE, Crm
from tests.service.vault.jobbing import finished
from tests.service.vault.objects import key, outcomes, record
from tests.service.vault.people import as_user, new_user
from tests.service.vault.profiles import execute, permission_set, security_profile
from tests.service.vault.served import PASSWORD, USERNAMES, Api
from tests.service.vault.test_loader_api import counts, load, stage, task

crm = inquiring.crm

ACCOUNT, COUNTRY = "Account [account__v]", "Country [country__v]"
QUESTION = "Inquiry Text [inquiry_text__v]"
METHOD, EMAIL = "Delivery Method [delivery_method__v]", "Email [email__v]"
PHONE, FAX = "Phone Number [phone_number__v]", "Fax Number [fax_number__v]"
LINE_1, CITY = "Address Line 1 [address_line_1__v]", "City [city__v]"
SUBMITTED = [
    ({}, []),
    (dict.fromkeys(WHOLE, ""), [ACCOUNT, COUNTRY, QUESTION, METHOD]),
    ({"account__vr.external_id__v": ""}, [ACCOUNT]),
    ({"country__vr.country_code__v": ""}, [COUNTRY]),
    # White space says nothing.
    ({"inquiry_text__v": " \n\t\N{NO-BREAK SPACE}"}, [QUESTION]),
    ({"delivery_method__v": ""}, [METHOD]),
    ({"email__v": ""}, [EMAIL]),
    ({"email__v": " ", "inquiry_text__v": ""}, [QUESTION, EMAIL]),
    # What another method needs is no detail of this one.
    ({"delivery_method__v": "phone__v"}, [PHONE]),
    ({"delivery_method__v": "phone__v", "phone_number__v": "+1 555 0199"}, []),
    ({"delivery_method__v": "fax__v", "phone_number__v": "+1 555 0199"}, [FAX]),
    ({"delivery_method__v": "fax__v", "fax_number__v": "+1 555 0188"}, []),
    ({"delivery_method__v": "mail__v"}, [LINE_1, CITY]),
    ({"delivery_method__v": "urgent_mail__v", "city__v": "Lyon"}, [LINE_1]),
    (
        {
            "delivery_method__v": "mail__v",
            "address_line_1__v": "1 Rue Neuve",
            "city__v": "Lyon",
        },
        [],
    ),
]


async def test_a_submitted_inquiry_has_what_an_answer_takes(crm: Crm) -> None:
    rows = [{**WHOLE, **changes} for changes, _ in SUBMITTED]
    ids = (await crm.rep.post(INQUIRIES, json=rows)).ids
    answer = await crm.submit(ids)
    for (changes, lacking), result in zip(SUBMITTED, answer.data, strict=True):
        if not lacking:
            assert result["responseStatus"] == "SUCCESS", changes
            continue
        (error,) = result["errors"]
        assert error["type"] == LOCKED
        assert error["message"] == f"These fields need a value: {', '.join(lacking)}"
    states = [(await record(crm.rep, OBJECT, i))["state__v"] for i in ids]
    expected = [
        ["saved_state__v"] if lacking else ["submitted_state__v"]
        for _, lacking in SUBMITTED
    ]
    assert states == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"email__v": "a@b.example, c@d.example", "inquiry_text__v": ""},
            f"These fields need a value: {QUESTION}; {EMAIL} must be exactly one e-mail address",
        ),
        (
            {"delivery_method__v": "phone__v", "phone_number__v": "none"},
            f"{PHONE} must be a telephone number",
        ),
        (
            {"delivery_method__v": "fax__v", "fax_number__v": "a@b.example"},
            f"{FAX} must be a telephone number",
        ),
        # What another method needs is looked at by no one.
        (
            {
                "delivery_method__v": "phone__v",
                "phone_number__v": "+1 555 0199",
                "email__v": "-",
            },
            None,
        ),
    ],
)
async def test_where_an_answer_goes_is_well_formed(
    crm: Crm, changes: dict[str, str], message: str | None
) -> None:
    ids = (await crm.rep.post(INQUIRIES, json=[{**WHOLE, **changes}])).ids
    (result,) = (await crm.submit(ids)).data
    if message is None:
        assert result["responseStatus"] == "SUCCESS", result
        return
    assert [each["message"] for each in result["errors"]] == [message]
    # Neither is it changed so, and transferred.
    good = {**WHOLE, "id": ids[0]}
    assert outcomes(await crm.rep.put(INQUIRIES, json=[good])) == ["SUCCESS"]


async def test_what_was_emptied_since_it_was_submitted_is_not_transferred(
    crm: Crm,
) -> None:
    await crm.activate("active__v")
    ids = await crm.submitted(2)
    row = {"id": ids[0], "inquiry_text__v": ""}
    assert outcomes(await crm.rep.put(INQUIRIES, json=[row])) == ["SUCCESS"]
    assert await crm.transfer(ids) == [LOCKED, "SUCCESS"]
    assert await crm.statuses(ids) == [None, ["pending__v"]]


async def test_an_administrator_changes_what_a_submitted_inquiry_needs(
    crm: Crm,
) -> None:
    change = """ALTER Objectlifecycle medical_inquiry_lifecycle__v (
      MODIFY Objectlifecyclestate submitted_state__v ({})); """
    path = "/api/mdl/components/Objectlifecycle.medical_inquiry_lifecycle__v"
    delivered = (await crm.admin.get(path)).text
    product = "Objectlifecyclestateentrycriterion product__c"
    needed = change.format(f"ADD {product} (required_field('product__v'))")
    loosened = change.format("DROP Objectlifecyclestateentrycriterion account__v")
    answer = await crm.admin.post("/api/mdl/execute", data=needed + loosened)
    assert answer.status == "SUCCESS", answer.text
    try:
        row = {**WHOLE, "account__vr.external_id__v": ""}
        answer = await crm.submit((await crm.rep.post(INQUIRIES, json=[row])).ids)
        (error,) = answer.data[0]["errors"]
        assert error["message"] == "These fields need a value: Product [product__v]"
    finally:
        answer = await crm.admin.post("/api/mdl/execute", data=delivered)
        assert answer.status == "SUCCESS", answer.text


COPIED = {
    "inquiry_text__v": "Is there a pediatric dose?",
    "email__v": "a@example.org",
    "group_identifier__v": "G",
}
"""What an inquiry asks."""
NOT_COPIED = {
    "link__sys": "V_1",
    "transfer_status__v": "success__v",
    "transfer_error__v": "missing there",
    "inquiry_status__v": "closed__v",
    "response__v": "answered",
    "response_package_link__v": "https://medical.example/1",
    "closed_date__v": "2026-01-31T12:00:00.000Z",
}
"""What has become of it."""


async def copied(crm: Crm, record_id: str) -> str:
    rows = [{"source_record_id": record_id}]
    return (await crm.rep.post(INQUIRIES, json=rows)).ids[0]


async def deeply_copied(crm: Crm, record_id: str) -> str:
    text = key()
    over = [{"group_identifier__v": text}]
    path = f"{INQUIRIES}/{record_id}/actions/deepcopy"
    answer = await crm.rep.post(path, json=over)
    await finished(crm.rep, answer.body["job_id"])
    found = f"SELECT id FROM {OBJECT} WHERE group_identifier__v = '{text}'"
    (row,) = (await crm.rep.query(found)).data
    await crm.rep.put(INQUIRIES, json=[{"id": row["id"], "group_identifier__v": "G"}])
    return str(row["id"])


@pytest.mark.parametrize("copying", [copied, deeply_copied])
async def test_a_copy_of_a_transferred_inquiry_is_a_new_question(
    crm: Crm, copying: Callable[[Crm, str], Awaitable[str]]
) -> None:
    (record_id,) = await crm.submitted(1)
    rows = [{"id": record_id, **COPIED}]
    assert outcomes(await crm.rep.put(INQUIRIES, json=rows)) == ["SUCCESS"]
    rows = [{"id": record_id, **NOT_COPIED, "link__sys": f"V_{record_id}"}]
    assert outcomes(await crm.integration.put(INQUIRIES, json=rows)) == ["SUCCESS"]
    copy_id = await copying(crm, record_id)
    copy = await record(crm.rep, OBJECT, copy_id)
    assert {name: copy[name] for name in COPIED} == COPIED
    assert {name: copy.get(name) for name in NOT_COPIED} == dict.fromkeys(NOT_COPIED)
    assert copy["state__v"] == ["saved_state__v"]


WRITTEN = [(name, NOT_COPIED[name]) for name in NOT_COPIED if name != "link__sys"]


@pytest.fixture(scope="module")
async def writers(crm: Crm) -> dict[str, Api]:
    """Users who may edit inquiries, none of them a connection's user."""
    await execute(crm.admin, LOADING)
    delegator, name = await new_user(crm.admin, security_profile__v="loading__c")
    delegate, delegate_name = await new_user(crm.admin)
    rep = await as_user(crm.rep, name)
    granted = await rep.post(
        "/services/delegations", data={"delegate_userid": str(delegate)}
    )
    assert granted.status == "SUCCESS", granted.text
    fields = {
        "vault_id": str(CRM_VAULT.vault_id),
        "delegator_userid": str(delegator),
    }
    session = await as_user(crm.rep, delegate_name)
    opened = await session.post("/delegation/login", data=fields)
    acting = replace(session, session_id=opened.body["delegated_sessionid"])
    return {"rep": rep, "delegate": acting, "administrator": crm.admin}


LOADING = permission_set(
    "loading__c",
    {"use_loader", "use_staging"},
    {"business_objects__sys": "rce"},
) + security_profile("loading__c", "loading__c")
CSV = {"Content-Type": "text/csv"}


@pytest.mark.parametrize("who", ["rep", "delegate", "administrator"])
@pytest.mark.parametrize(("field", "value"), WRITTEN)
async def test_statuses_and_answers_are_the_connections_to_write(
    crm: Crm, writers: dict[str, Api], who: str, field: str, value: str
) -> None:
    writer = writers[who]
    link = key()
    (known,) = (await writer.post(INQUIRIES, json=[WHOLE])).ids
    await crm.admin.put(INQUIRIES, json=[{"id": known, "link__sys": link}])
    by_link = f"{INQUIRIES}?idParam=link__sys"
    refused = [
        await writer.post(INQUIRIES, json=[{**WHOLE, field: value}]),
        await writer.post(INQUIRIES, json=[{"source_record_id": known, field: value}]),
        await writer.put(INQUIRIES, json=[{"id": known, field: value}]),
        await writer.put(INQUIRIES, json=[{"id": known, field: ""}]),
        await writer.put(by_link, json=[{"link__sys": link, field: value}]),
        await writer.put(INQUIRIES, data=f"id,{field}\n{known},{value}", headers=CSV),
    ]
    assert [outcomes(answer) for answer in refused] == [["INVALID_DATA"]] * 6
    assert refused[0].data[0]["errors"][0]["message"].startswith(f"Field [{field}] ")
    found = await writer.get(f"/metadata/vobjects/{OBJECT}/fields/{field}")
    assert found.body["field"]["editable"] is False
    text = f"SELECT id, {field} FROM {OBJECT} WHERE id = '{known}'"
    shown = await writer.query(text, headers={"X-VaultAPI-RecordProperties": "all"})
    (properties,) = shown.body["record_properties"]
    assert properties["field_properties"]["edit"] == []
    assert (await record(writer, OBJECT, known)).get(field) is None
    # The connection's user writes it, and is told so.
    found = await crm.integration.get(f"/metadata/vobjects/{OBJECT}/fields/{field}")
    assert found.body["field"]["editable"] is True
    row = {"id": known, field: value}
    assert outcomes(await crm.integration.put(INQUIRIES, json=[row])) == ["SUCCESS"]


async def test_a_load_writes_no_statuses_but_in_migration_mode(
    crm: Crm, writers: dict[str, Api]
) -> None:
    head = ["inquiry_text__v", *(name for name, _ in WRITTEN)]
    row = ["?", *(value for _, value in WRITTEN)]
    text = "\n".join(",".join(cells) for cells in (head, row))
    results = []
    for writer, more in (
        (writers["rep"], {}),
        (writers["delegate"], {}),
        (crm.admin, {}),
        (crm.admin, {"recordmigrationmode": True}),
    ):
        await stage(writer, "statuses.csv", text)
        sent = {**task("create", "statuses.csv", **more), "object": OBJECT}
        job, _ = await load(writer, sent)
        ((_, counted),) = await counts(writer, job)
        results.append((counted["success"], counted["failure"]))
    assert results == [(0, 1), (0, 1), (0, 1), (1, 0)]


async def test_a_page_shows_statuses_and_answers_and_offers_no_edit(
    crm: Crm,
) -> None:
    (record_id,) = await crm.submitted(1)
    row = {"id": record_id, **dict(WRITTEN), "transfer_status__v": "failed__v"}
    assert outcomes(await crm.integration.put(INQUIRIES, json=[row])) == ["SUCCESS"]
    async with browser(crm.rep.url, "user") as visitor:
        shown = await visitor.open(f"/ui/objects/{OBJECT}/{record_id}")
        assert "Transfer Status Failed" in shown.text and "answered" in shown.text
        form = (await visitor.click(shown, "Edit")).form("Save")
        offered = set(form.fields) | set(form.options)
        assert "inquiry_text__v" in offered
        assert not offered & {name for name, _ in WRITTEN}


NEW = f"/ui/objects/{OBJECT}/new"
SEND = "Submit and transfer"
DRAFT = "Save as draft"
ANSWERABLE = {
    "account__v": "Maribel Quentaro",
    "country__v": "United States",
    "delivery_method__v": "Email",
    "email__v": "reader@practice.example",
}


async def asking(crm: Crm, question: str) -> list[dict[str, Any]]:
    """The inquiries with this text."""
    where = f"WHERE inquiry_text__v LIKE '{question}%'"
    text = f"SELECT id, state__v, transfer_status__v FROM {OBJECT} {where}"
    found: list[dict[str, Any]] = (await crm.rep.query(text)).data
    return found


@pytest.fixture
async def rep(crm: Crm) -> AsyncIterator[Browser]:
    """A rep's browser, while inquiries can be transferred."""
    await crm.activate("active__v")
    async with browser(crm.rep.url, "user") as visitor:
        yield visitor


async def test_an_inquiry_is_submitted_and_transferred_by_one_button(
    crm: Crm, rep: Browser
) -> None:
    question = key()
    page = await rep.open(NEW)
    sent = {**ANSWERABLE, "inquiry_text__v": question}
    answers = await asyncio.gather(*[rep.press(page, SEND, **sent) for _ in range(3)])
    (made,) = await asking(crm, question)
    assert made["state__v"] == "submitted_state__v"
    assert made["transfer_status__v"] == ["pending__v"]
    assert {answer.path for answer in answers} == {f"/ui/objects/{OBJECT}/{made['id']}"}
    # By way of Back, and by the other button.
    again = await rep.press(page, DRAFT, **sent)
    assert "The form was sent before" in again.text
    assert len(await asking(crm, question)) == 1


INCOMPLETE = [
    ({"account__v": ""}, "account__v"),
    ({"country__v": ""}, "country__v"),
    ({"delivery_method__v": ""}, "delivery_method__v"),
    ({"email__v": ""}, "email__v"),
    ({"email__v": "nobody"}, "email__v"),
    ({"delivery_method__v": "Fax"}, "fax_number__v"),
    ({"delivery_method__v": "Mail"}, "city__v"),
]


@pytest.mark.parametrize(("changed", "field"), INCOMPLETE)
async def test_what_an_inquiry_lacks_is_told_at_its_field_and_nothing_is_made(
    crm: Crm, rep: Browser, changed: dict[str, str], field: str
) -> None:
    question = key()
    form = await rep.open(NEW)
    values = {**ANSWERABLE, "inquiry_text__v": question, **changed}
    page = await rep.press(form, SEND, **values)
    assert page.status == 400
    ids = {given.get("id") for _, given in page.tags if "aria-invalid" in given}
    assert field in ids
    assert f"{field}-error" in {given.get("id") for _, given in page.tags}
    assert page.form(SEND).fields["inquiry_text__v"] == question
    assert await asking(crm, question) == []
    # As a draft it may lack anything of this.
    saved = await rep.press(page, DRAFT)
    assert "was created" in saved.text
    assert [each["state__v"] for each in await asking(crm, question)] == [
        "saved_state__v"
    ]


async def test_an_empty_inquiry_is_no_draft(rep: Browser) -> None:
    page = await rep.press(await rep.open(NEW), DRAFT, country__v="United States")
    assert page.status == 400
    assert "fill in Account or Inquiry Text at least" in page.text
    assert page.form(DRAFT).fields["country__v"]


async def test_the_form_asks_for_what_is_chosen_and_keeps_what_was_typed(
    rep: Browser,
) -> None:
    form = await rep.open(NEW)
    asked = {"delivery_method__v": "Mail", "inquiry_text__v": "kept"}
    page = await rep.press(form, "Show the fields for it", **asked)
    assert page.status == 200
    assert "For Mail, fill in: Address Line 1, Address Line 2, City" in page.text
    assert page.form(DRAFT).fields["inquiry_text__v"] == "kept"


async def test_an_inquiry_outlives_the_session_of_its_form(
    crm: Crm, rep: Browser
) -> None:
    question = key()
    form = await rep.open(NEW)
    await rep.press(await rep.open("/ui/"), "Sign out")
    sent = {**ANSWERABLE, "inquiry_text__v": question}
    page = await rep.press(form, SEND, **sent)
    page = await rep.press(
        page, "Sign in", username=USERNAMES["user"], password=PASSWORD
    )
    assert await asking(crm, question) == []
    await rep.press(page, "Send it now")
    (made,) = await asking(crm, question)
    assert made["transfer_status__v"] == ["pending__v"]


async def test_what_nobody_would_take_is_not_offered_and_not_half_made(
    crm: Crm, rep: Browser
) -> None:
    question = key()
    form = await rep.open(NEW)
    await crm.activate("inactive__v")
    page = await rep.press(form, SEND, **ANSWERABLE, inquiry_text__v=question)
    assert page.status == 400 and "is not active" in page.text
    assert await asking(crm, question) == []
    assert SEND not in {label for each in page.forms for label in each.labels}
    await rep.press(page, DRAFT)
    assert len(await asking(crm, question)) == 1


async def test_a_part_of_a_form_without_a_session_leaves_the_page_as_it_is(
    crm: Crm,
) -> None:
    async with browser(crm.rep.url) as stranger:
        headers = {"HX-Request": "true", "Origin": crm.rep.url}
        data = {"inquiry_text__v": "?", "then": "update"}
        page = await stranger.request("POST", NEW, data=data, headers=headers)
        assert (page.status, page.text) == (401, "")
