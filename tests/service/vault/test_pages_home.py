"""The page that a person lands on: what it says to whom, and where it leads."""

from __future__ import annotations

import re

from shared.vault.admin.rendering import TEMPLATES
from tests.service.vault.browsing import browser
from tests.service.vault.objects import key
from tests.service.vault.served import Api

# Parts of other elements, and of forms that somebody sends.
NOT_ALONE = {"counted", "offered", "once", "origin", "record_input", "refusal", "token"}
NOT_ALONE |= {"elsewhere", "value_of", "wrong"}


async def test_an_administrator_sees_how_the_vault_stands(api: Api, admin: Api) -> None:
    error = {
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "open__sys",
    }
    await admin.post(
        "/vobjects/exception_message__sys", json=[{"message_id__sys": key(), **error}]
    )
    async with browser(api.url, "admin") as visitor:
        page = await visitor.open("/ui/")
        assert page.links["New Case Request"] == "/ui/objects/case_request__v/new"
        assert "Connections Name Lifecycle State Status Remote Vault Name" in page.text
        assert "Medical-CRM Connection" in page.links
        assert (
            "Active integrations Name Connection Last Successful Run Time" in page.text
        )
        assert "Spark Queues Queue Type Messages Waiting since" in page.text
        assert "Latest jobs" in page.text and page.links["All jobs"] == "/ui/jobs"
        listed = next(
            label for label in page.links if "open User Exception Message" in label
        )
        assert (await visitor.click(page, listed)).path == "/ui/exceptions"
        assert (
            await visitor.click(page, "Case Requests")
        ).path == "/ui/objects/case_request__v"


async def test_others_see_what_they_may_work_with(api: Api) -> None:
    async with browser(api.url, "user") as visitor:
        page = await visitor.open("/ui/")
        assert "Case Requests" in page.links and "All records" in page.links
        assert (
            "Active integrations" not in page.text
            and "Spark Queues" not in page.text
            and "User Exception Message" not in page.text
        )


async def test_what_waits_in_a_queue_is_seen_with_its_age(api: Api, admin: Api) -> None:
    script = """RECREATE Queue lagging__c ( label('Lagging'), type('outbound'),
      Queueconnection medical_crm__v ( connection_name('medical_crm__v'), connection_type('vault_to_vault__sys'),
        deliver_to_queue('elsewhere__c') ) );
    RECREATE Object lagging__c ( label('Lagging'), prefix('ZLG'), Objectaction send__c ( label('Send'),
      action('send_message'), queue('lagging__c'), integration_point('any__c'), event('sent') ) );"""
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    await admin.put("/services/queues/lagging__c/actions/disable_delivery")
    ids = (await admin.post("/vobjects/lagging__c", json=[{"name__v": key()}])).ids
    async with browser(api.url, "admin") as visitor:
        assert "Lagging Outbound 0" in (await visitor.open("/ui/")).text
        await admin.post(
            f"/vobjects/lagging__c/{ids[0]}/actions/Objectaction.lagging__c.send__c"
        )
        page = await visitor.open("/ui/")
        assert re.search(
            r"Lagging Outbound 1 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", page.text
        ), page.text
    await admin.put("/services/queues/lagging__c/actions/reset")


async def test_the_patterns_are_made_of_every_macro_of_the_pages(api: Api) -> None:
    async with browser(api.url, "user") as visitor:
        page = await visitor.open("/ui/patterns")
    assert page.status == 200
    tags = {tag for tag, _ in page.tags}
    assert tags >= {"fieldset", "select", "textarea", "progress", "svg", "time", "dl"}
    text = (TEMPLATES / "patterns.html").read_text()
    macros = re.findall(r"{% macro (\w+)\(", (TEMPLATES / "macros.html").read_text())
    shown = {name for name in macros if f"m.{name}(" in text}
    assert set(macros) - shown == NOT_ALONE
