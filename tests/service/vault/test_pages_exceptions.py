"""User Exception Messages, jobs and queue logs in the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.connector.processing.exception_records import ExceptionRecords
from shared.client import VaultClient
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import Browser, Page, browser
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
    """What a connector writes exceptions with."""
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


async def test_those_that_are_ticked_are_ignored_and_a_refusal_is_told(
    visitor: Browser, connector: ExceptionRecords, admin: Api
) -> None:
    messages = [key() for _ in range(3)]
    await connector.record(
        [failure(message_id, {f"i{message_id}": REASON}) for message_id in messages]
    )
    ids = [await record_id(admin, message_id) for message_id in messages]
    page = await visitor.open("/ui/exceptions")
    nothing = await visitor.press(page, "Ignore")
    assert "PARAMETER_REQUIRED: Select messages" in nothing.text
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
    await connector.resolve([messages[2]], "", [f"i{messages[2]}"])
    form, values = visitor.filled(page, "Ignore", {})
    values[f"id.{ids[2]}"] = "on"
    page = await visitor.request("POST", form.action, data=values)
    refusal = "1 of 1 were refused, the first one: OPERATION_NOT_ALLOWED: The exception is resolved already"
    assert refusal in page.text or (await shown(admin, messages[2]))[0] == "ignored"


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
        "ERRORS_ENCOUNTERED" in page.text
        and "refused: 1" in page.text
        and "messages: 0" in page.text
    )
    assert page.path.rpartition("/")[2] in (await visitor.click(page, "Jobs")).links


async def test_a_log_of_a_job_is_a_file(visitor: Browser, admin: Api) -> None:
    (parent,) = (await admin.post("/vobjects/owner__c", json=[{"name__v": key()}])).ids
    job_id = (
        await admin.post(f"/vobjects/owner__c/{parent}/actions/cascadedelete")
    ).body["job_id"]
    await finished(admin, job_id)
    page = await visitor.open(f"/ui/jobs/{job_id}")
    assert "SUCCESS" in page.text and "http-equiv" not in page.html
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
    page = await visitor.click(await visitor.open("/ui/jobs"), str(job_id))
    assert "Some day SCHEDULED" in page.text and 'http-equiv="refresh"' in page.html
    page = await visitor.press(page, "Cancel job")
    assert "Some day CANCELLED" in page.text
    async with browser(api.url, "user") as other:
        assert str(job_id) not in (await other.open("/ui/jobs")).links
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
