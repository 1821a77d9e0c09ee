"""User Exception Messages, jobs and queue logs in the browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.connector.processing.exception_records import ExceptionRecords
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from shared.client import VaultClient
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import Browser, Form, Page, browser
from tests.service.vault.jobbing import finished
from tests.service.vault.objects import key
from tests.service.vault.served import PASSWORD, USERNAMES, Api
from tests.service.vault.test_deliveries import lost, new_queue, report, row
from tests.service.vault.test_exceptions import REASON, failure, items, point, shown


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "admin") as made:
        yield made


@pytest.fixture
async def connector(api: Api) -> AsyncIterator[ExceptionRecords]:
    """A connector's writer of exceptions."""
    async with VaultClient(api.url, USERNAMES["integration"], PASSWORD) as client:
        yield ExceptionRecords(client)


async def record_id(admin: Api, message_id: str) -> str:
    query = (
        f"SELECT id FROM exception_message__sys WHERE message_id__sys = '{message_id}'"
    )
    return str((await admin.query(query)).data[0]["id"])


async def name_of(visitor: Browser, admin: Api, message_id: str) -> tuple[Page, str]:
    """A message's page and its name."""
    page = await visitor.open(f"/ui/exceptions/{await record_id(admin, message_id)}")
    return page, next(word for word in page.text.split() if word.startswith("UEM-"))


async def test_a_message_is_read_item_by_item_and_retried(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    message_id, at = key(), await point(admin)
    ids = {
        "integration": at["integration"],
        "integration_point": at["integration_point"],
    }
    await connector.record(
        [failure(message_id, {"V4T1": REASON, "V4T2": REASON}, **ids)]
    )
    page = await visitor.click(await visitor.open("/ui/"), "User Exception Messages")
    _, name = await name_of(visitor, admin, message_id)
    page = await visitor.click(page, name)
    assert f"{name} Open" in page.text and at["name"] in page.links
    for told in (
        "V4T1",
        "V4T2",
        "too long",
        "a_rule__c",
        "a_field_rule__c",
        "Field Value Error",
    ):
        assert told.lower() in page.text.lower(), told
    page = await visitor.press(page, "Retry Transfer")
    assert (
        "The action Retry Transfer was run." in page.text
        and f"{name} Retrying" in page.text
    )
    assert await shown(admin, message_id) == ("retrying", 2)


async def test_one_item_is_ignored_from_the_page_of_its_message(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    message_id = key()
    await connector.record([failure(message_id, {"a": REASON})])
    page, name = await name_of(visitor, admin, message_id)
    item = (await items(admin, message_id))["a"][0]
    form = next(
        form for form in page.forms if f"exception_item__sys/{item}" in form.action
    )
    page = await visitor.request("POST", form.action, data=form.fields)
    assert page.path == f"/ui/exceptions/{await record_id(admin, message_id)}"
    assert "The action Ignore was run." in page.text and f"{name} Ignored" in page.text
    assert await shown(admin, message_id) == ("ignored", 0)


async def test_those_that_are_ticked_are_ignored_and_a_refusal_is_shown(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    messages = [key() for _ in range(3)]
    await connector.record(
        [failure(each, {f"i{each}": REASON}) for each in messages[:2]]
        + [failure(messages[2], {})]
    )
    ids = [await record_id(admin, message_id) for message_id in messages]
    page = await visitor.open("/ui/exceptions")
    nothing = await visitor.press(page, "Ignore")
    assert "Select messages" in nothing.text
    page = await visitor.press(
        page, "Ignore", **{f"id.{each}": "on" for each in ids[:2]}
    )
    assert "The action was run on 2 messages." in page.text
    assert [(await shown(admin, each))[0] for each in messages] == [
        "ignored",
        "ignored",
        "open",
    ]
    page = await visitor.click(page, "Ignored")
    assert {f"id.{each}" for each in ids[:2]} <= {
        given.get("name") for tag, given in page.tags if tag == "input"
    }
    await connector.resolve([messages[2]], None, ())
    form, values = visitor.filled(page, "Ignore", {})
    values[f"id.{ids[2]}"] = "on"
    page = await visitor.request("POST", form.action, data=values)
    refusal = "1 of 1 was refused, the first one: The exception is resolved already (OPERATION_NOT_ALLOWED)"
    assert refusal in page.text


async def test_all_that_is_open_of_an_integration_is_retried_and_the_job_followed(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    at, message_id = await point(admin), key()
    ids = {
        "integration": at["integration"],
        "integration_point": at["integration_point"],
    }
    await connector.record(
        [failure(message_id, {"c": REASON}, queue="closed__c", **ids)]
    )  # refuses what is new
    page = await visitor.press(
        await visitor.open("/ui/exceptions"), "Retry all", integration=at["name"]
    )
    assert "The job was started." in page.text and "Retry user exceptions" in page.text
    await finished(admin, int(page.path.rpartition("/")[2]))
    page = await visitor.open(page.path)
    assert (
        "Errors encountered" in page.text
        and "1 refused" in page.text
        and "0 messages" in page.text
    )
    # Results are read by people: who has begun it by name, and no JSON.
    assert "Created By admin@" in page.text and "{" not in page.text, page.text
    shown = await visitor.click(page, "Jobs")
    assert page.path in shown.links.values()


async def test_a_log_of_a_job_is_a_file(visitor: Browser, admin: Api) -> None:
    (parent,) = (await admin.post("/vobjects/owner__c", json=[{"name__v": key()}])).ids
    job_id = (
        await admin.post(f"/vobjects/owner__c/{parent}/actions/cascadedelete")
    ).body["job_id"]
    await finished(admin, job_id)
    page = await visitor.open(f"/ui/jobs/{job_id}")
    assert "Success" in page.text and "http-equiv" not in page.html
    async with visitor._http.get(visitor.url + page.links["success"]) as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert parent in await answer.text()
    assert (
        "INVALID_DATA" in (await visitor.open(f"/ui/jobs/{job_id}/logs/1/nothing")).text
    )


async def test_a_job_that_waits_is_started_or_cancelled_and_those_of_others_are_not_shown(
    visitor: Browser, vault: Vault, api: Api
) -> None:
    later = datetime(2099, 1, 1, tzinfo=UTC)
    job_id = await vault.jobs.submit(
        SYSTEM, "retry_exceptions", "Some day", {"connection": "no__c"}, run_at=later
    )
    page = await visitor.click(await visitor.open("/ui/jobs"), "Some day")
    assert "Some day Scheduled" in page.text and 'http-equiv="refresh"' in page.html
    page = await visitor.press(page, "Cancel job")
    assert "Some day Cancelled" in page.text
    async with browser(api.url, "user") as other:
        assert "Some day" not in (await other.open("/ui/jobs")).links
        page = await other.open(f"/ui/jobs/{job_id}")
        assert page.status == 403 and "INSUFFICIENT_ACCESS" in page.text


async def test_the_queue_log_tells_what_was_removed(
    visitor: Browser, integration: Api, admin: Api
) -> None:
    queue, gone = await new_queue(admin, "a__c"), key()
    await report(integration, queue, row(key(), "a__c"), lost(gone, "a__c", seconds=5))
    page = await visitor.click(await visitor.open("/ui/"), "Queue Logs")
    page = await visitor.press(
        await visitor.click(page, f"{datetime.now(UTC):%Y-%m-%d}"), "Show", queue=queue
    )
    assert (
        f"REMOVAL {queue} a__c {gone}" in page.text
        and "connection a__c is inactive" in page.text
    )
    assert gone not in (await visitor.press(page, "Show", queue="out__c")).text
    page = await visitor.open(f"/ui/queues/{queue}")
    assert f"a__c Error {gone} 2026-01-02 12:00:05 UTC" in page.text
    assert (await visitor.open("/ui/queue-log/nothing")).status == 400


async def test_message_processors_are_listed_with_their_users(visitor: Browser) -> None:
    page = await visitor.click(await visitor.open("/ui/"), "Spark Message Processors")
    assert "Medical-CRM Message Processor Integration rules" in page.text
    assert (
        await visitor.click(page, "Medical-CRM")
    ).path == "/ui/queues/medical_crm_inbound_queue__v"


LOOKUP_MISSES = ItemFailure(
    ItemErrorType.LOOKUP,
    "Integration rule medical_inquiries__v, field rule case_priority__v, target field case__v.priority__v: "
    "reference lookup delivery_method_to_priority__v (picklist) has no active row for the source key pigeon__v; "
    "add one to the connection's Reference Lookups",
    "medical_inquiries__v",
    "case_priority__v",
    "priority__v",
)
PRODUCT_MISSES = ItemFailure(
    ItemErrorType.REFERENCE,
    "Integration rule medical_inquiries__v, field rule request_product__v, target field case_request__v.product__v: "
    "no product__v with external_id__v P-77 exists in the target Vault; add it or correct the source record",
    "medical_inquiries__v",
    "request_product__v",
    "product__v",
)
PERSON_MISSES = ItemFailure(
    ItemErrorType.LOOKUP,
    "Integration rule account__v, field rule person_specialty__v, target field person__sys.specialty__v: "
    "reference lookup crm_specialty__v (object) has no active row for the source key S-1; add one",
    "account__v",
    "person_specialty__v",
    "specialty__v",
)


async def failed(
    connector: ExceptionRecords, admin: Api, *items: dict[str, ItemFailure]
) -> tuple[dict[str, str], list[str]]:
    """A point of an integration of medical_crm__v, and the record ids of messages that failed there."""
    at, names = await point(admin), [key() for _ in items]
    ids = {name: at[name] for name in ("integration", "integration_point")}
    for name, of_message in zip(names, items, strict=True):
        await connector.record([failure(name, of_message, **ids)])
    return at, [await record_id(admin, name) for name in names]


def groups(page: Page) -> list[Form]:
    """The forms of the causes on a page, in their order."""
    return [form for form in page.forms if form.action == "/ui/exceptions/causes"]


async def run_group(visitor: Browser, page: Page, number: int, label: str) -> Page:
    form = groups(page)[number]
    values = {**form.fields, **form.labels[label]}
    return await visitor.request("POST", form.action, data=values)


async def test_causes_are_counted_and_lead_to_their_messages(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    first, second, third = key(), key(), key()
    at, ids = await failed(
        connector,
        admin,
        {first: REASON, second: LOOKUP_MISSES},
        {third: LOOKUP_MISSES},
        {},
    )
    path = f"/ui/exceptions?integration={at['name']}"
    page = await visitor.open(path)
    assert [form.fields.get("type") for form in groups(page)] == [
        "reference_lookup_error__sys",
        "field_value_error__sys",
        "configuration_error__sys",
    ]
    assert "lookup delivery_method_to_priority__v 2 2" in page.text
    assert "a_rule__c a_field_rule__c → a_field__c 1 1" in page.text
    for link, expected in (
        ("A value of the source record has no row in its reference lookup.", ids[:2]),
        ("The configuration does not say what to do with the message.", ids[2:]),
        (
            "A value of the source record does not fit the field that it goes to.",
            ids[:1],
        ),
    ):
        narrowed = await visitor.click(page, link)
        ticked = {given.get("name") for tag, given in narrowed.tags if tag == "input"}
        assert {f"id.{each}" in ticked for each in expected} == {True}, link
        assert not {f"id.{each}" for each in ids if each not in expected} & ticked, link
        assert len(groups(narrowed)) == 1
        assert (await visitor.click(narrowed, "All causes")).path == "/ui/exceptions"


async def test_a_cause_says_what_is_missing_and_leads_to_where_it_is_added(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    at, (message,) = await failed(connector, admin, {key(): PRODUCT_MISSES})
    add = "/ui/objects/product__v/new?external_id__v=P-77"
    listed = await visitor.open(f"/ui/exceptions?integration={at['name']}")
    alone = await visitor.open(f"/ui/exceptions/{message}")
    for page in (listed, alone):
        # Objects and fields are named as the pages name them, and rules stand beside.
        missing = "No Product with External ID P-77 exists in the target Vault"
        assert missing in page.text, page.text
        assert "items failed at integration point" not in page.text
        assert page.links["Add Product P-77"] == add


async def test_filters_choose_by_connection_type_state_and_age(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    at, (record,) = await failed(connector, admin, {key(): PRODUCT_MISSES})
    page = await visitor.open("/ui/exceptions")
    narrow = {"integration": at["name"], "connection": "medical_crm__v"}
    choices = {**narrow, "type": "Reference Error", "age": "Today"}
    assert f"id.{record}" in (await visitor.press(page, "Show", **choices)).html
    week = {**choices, "age": "Last 7 days"}
    page = await visitor.press(page, "Show", **week)
    assert f"id.{record}" in page.html
    assert f"id.{record}" not in (await visitor.click(page, "Resolved")).html
    assert f"id.{record}" in (await visitor.click(page, "All")).html
    other = await visitor.press(page, "Show", **{**choices, "type": "Match Error"})
    assert f"id.{record}" not in other.html and not groups(other)
    path = f"/ui/exceptions?integration={at['name']}&connection="
    assert f"id.{record}" not in (await visitor.open(f"{path}none__c")).html
    assert (await visitor.open("/ui/exceptions?age=old")).status == 400
    for odd in ("%00", "%27)", "x" * 100):
        for name in ("status", "connection", "type", "rule", "queue", "integration"):
            page = await visitor.open(f"/ui/exceptions?{name}={odd}")
            assert page.status == 200, (name, odd, page.text)


async def test_a_group_is_ignored_without_the_other_causes_of_its_messages(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    first, second = key(), key()
    at, (record,) = await failed(
        connector, admin, {first: LOOKUP_MISSES, second: REASON}
    )
    path = f"/ui/exceptions?integration={at['name']}"
    page = await visitor.open(path)
    chosen = [form.fields["type"] for form in groups(page)].index(
        "field_value_error__sys"
    )
    page = await run_group(visitor, page, chosen, "Ignore group")
    assert "The action was run on 1 item." in page.text
    assert str(page.url).endswith(f"integration={at['name']}")
    assert [form.fields["type"] for form in groups(page)] == [
        "reference_lookup_error__sys"
    ]
    message = await visitor.open(f"/ui/exceptions/{record}")
    assert "1 resolved or ignored" in message.text and "Ignored" in message.text
    form = groups(page)[0]
    page = await run_group(visitor, page, 0, "Retry group")
    assert "The action was run on 1 message." in page.text and not groups(page)
    own = f"WHERE exception_message__sys = '{record}'"
    query = f"SELECT item__sys, error_status__sys FROM exception_item__sys {own}"
    now = {
        row["item__sys"]: row["error_status__sys"]
        for row in (await admin.query(query)).data
    }
    assert now == {first: ["retrying__sys"], second: ["ignored__sys"]}
    for change, error in (
        ({"rule": "none__c"}, "No exception has this cause any more"),
        ({"rule": "none__c", "age": "odd"}, "INVALID_DATA"),
        ({"action": "delete"}, "PARAMETER_REQUIRED"),
    ):
        values = {**form.fields, "action": "ignore__sys", **change}
        page = await visitor.request("POST", form.action, data=values)
        assert error in page.text, change


async def test_a_message_leads_to_where_it_is_mended(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    one, two, three = key(), key(), key()
    _, (record,) = await failed(
        connector,
        admin,
        {one: LOOKUP_MISSES, two: PRODUCT_MISSES, three: PERSON_MISSES},
    )
    page = await visitor.open(f"/ui/exceptions/{record}")
    lookup = "delivery_method_to_priority__v"
    rows = await visitor.click(page, f"Rows of reference lookup {lookup}")
    assert f"Only reference lookup {lookup}." in rows.text
    assert rows.status == 200 and "crm_country__v" not in rows.text
    form = (await visitor.click(page, "Add a row for pigeon__v")).form("Save")
    assert form.fields["reference_lookup_name__sys"] == lookup
    assert form.fields["reference_lookup_type__sys"] == "picklist__sys"
    assert form.fields["source_key__sys"] == "pigeon__v"
    assert form.fields["connection__sys"]
    product = (await visitor.click(page, "Add Product P-77")).form("Save")
    assert product.fields["external_id__v"] == "P-77"
    # What is read from an account may be about a person: its key is typed by hand.
    add = page.links["Add a row"]
    assert "crm_specialty__v" in add and "target_object__sys=specialty__v" in add
    assert not [path for path in page.links.values() if "S-1" in path]
    for name in ("case_priority__v", "request_product__v", "medical_inquiries__v"):
        assert (await visitor.click(page, name)).status == 200, name
    assert "/ui/objects/product__v" in page.links.values()
    assert "Reference lookup delivery_method_to_priority__v (picklist) has" in page.text
    assert "Integration rule medical_inquiries__v, field rule" not in page.text
    # In words first, and its code last.
    what = "A value of the source record has no row in its reference lookup."
    assert page.text.index(what) < page.text.index("message_processing_error__sys")


async def test_items_that_are_open_come_first_and_the_body_is_closed(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    done, left = f"a{key()}", f"b{key()}"
    at, (record,) = await failed(connector, admin, {done: REASON, left: REASON})
    await connector.resolve([], at["integration_point"], [done])
    page = await visitor.open(f"/ui/exceptions/{record}")
    before, _, after = page.text.partition("1 resolved or ignored")
    settled, _, body = after.partition("Details Message ID")
    assert left in before and done not in before
    assert done in settled and left not in settled and "Resolved" in settled
    assert done in body and left in body
    opened = [given for tag, given in page.tags if tag == "details" and "open" in given]
    assert not opened and "&#34;integration_point&#34;: &#34;p__c&#34;" in page.html
    assert "First failed" in page.text and "Last change" in page.text


async def test_a_message_of_a_run_leads_to_the_run_and_to_its_queue(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    at, name = await point(admin), key()
    ids = {each: at[each] for each in ("integration", "integration_point")}
    found = failure(name, {key(): REASON}, "medical_crm_inbound_queue__v", **ids)
    body = json.loads(found.body)
    batch = {"event": "run_batch", "integration": at["name"], "run": 4711, "batch": 2}
    body["message"]["attributes"] |= batch
    await connector.record([replace(found, body=json.dumps(body))])
    page = await visitor.open(f"/ui/exceptions/{await record_id(admin, name)}")
    assert page.links["4711"] == f"/ui/integrations/{at['integration']}/runs/4711"
    queue = await visitor.click(page, "medical_crm_inbound_queue__v")
    assert queue.status == 200 and queue.path.startswith("/ui/queues/")


async def test_who_may_not_read_rules_gets_no_links_to_them(
    api: Api, connector: ExceptionRecords, admin: Api
) -> None:
    _, (record,) = await failed(connector, admin, {key(): LOOKUP_MISSES})
    async with browser(api.url, "integration") as other:
        page = await other.open(f"/ui/exceptions/{record}")
        assert page.status == 200
        assert not [path for path in page.links.values() if "/new" in path]
    async with browser(api.url, "user") as other:
        page = await other.open(f"/ui/exceptions/{record}")
        assert page.status in (200, 403)
        assert not [path for path in page.links.values() if "/ui/rules" in path]


async def test_what_went_wrong_with_a_settled_message_is_said_in_labels(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    item, named = key(), "product__v with external_id__v P-9"
    missing = ItemFailure(
        ItemErrorType.REFERENCE,
        f"Integration rule a_rule__c, target field x__c: no {named} exists",
    )
    at, (record,) = await failed(connector, admin, {item: missing})
    whole = key()
    text = f"Nothing takes {named}"
    await connector.record([replace(failure(whole, {}), text=text)])
    for settle in (True, False):
        page = await visitor.open(f"/ui/exceptions/{record}")
        _, _, after = page.text.partition("What went wrong")
        wrong = after.partition("User Exception Items")[0]
        assert "No Product with External ID P-9 exists" in wrong
        assert "external_id__v" not in wrong
        assert ("then retry" in wrong) is settle
        if settle:
            await connector.resolve([], at["integration_point"], [item])
    message = await record_id(admin, whole)
    for path in (f"/ui/exceptions/{message}", "/ui/exceptions"):
        page = await visitor.open(path)
        assert "Nothing takes Product with External ID P-9" in page.text
