"""An administrator's work with a connection in a real browser: readiness, rules, dry runs, messages, traffic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Request, Route

from local.system import System
from tests.system.conditions import Connected, new_run
from tests.system.test_transfer import account, inquiry, transferred
from tests.system.visitors import Visitor, visitor

RULE = "/ui/rules/medical_inquiries__v"
DETAILS = "Medical Inquiry Details Integration"


@asynccontextmanager
async def at_both(
    browser: Browser,
    running: System,
    vault: str = "medical_vault",
    *,
    scripts: bool = True,
) -> AsyncIterator[Visitor]:
    """An administrator of a Vault who is also signed in to the other Vault in the same browser."""
    (other,) = {"medical_vault", "crm_vault"} - {vault}
    async with visitor(browser, running, vault, "admin", scripts=scripts) as admin:
        known = running.sign_ins()[other]["admin"]
        await admin.page.goto(f"{running.endpoints()[other]['url']}/ui/")
        await admin.sign_in(known["username"], known["password"])
        await admin.page.get_by_role("button", name="Sign out").wait_for()
        await admin.open("/ui/")
        yield admin


async def record(connected: Connected) -> str:
    """An inquiry of Vault CRM that has been transferred."""
    item = await inquiry(connected, await account(connected, new_run()))
    await transferred(connected, item)
    return item


async def test_a_connection_shows_what_is_missing_and_what_a_run_would_do(
    running: System, browser: Browser, connected: Connected
) -> None:
    await record(connected)
    async with at_both(browser, running) as admin:
        await admin.follow("Connections")
        await admin.follow("Medical-CRM Connection")
        # Behind the page, by the connector.
        await admin.page.locator("#readiness .steps").wait_for(state="attached")
        await admin.follow("Look for what is missing")
        await admin.sees("Messages can")
        await admin.open("/ui/connections")
        await admin.follow("Medical-CRM Connection")
        await admin.follow(DETAILS)
        await admin.follow("Dry run")
        await admin.press("Start dry run")
        await admin.sees("Would be written")
        shown = await admin.text()
        assert "Case Request" in shown or "Person" in shown


async def test_a_rule_is_checked_and_previewed_while_one_types(
    running: System, browser: Browser, connected: Connected
) -> None:
    item = await record(connected)
    async with at_both(browser, running) as admin:
        await admin.open(f"{RULE}/Fieldrule")
        page = admin.page
        await page.get_by_label("Name *").fill("typed__c")
        await page.get_by_label("Query Object", exact=True).fill("medical_inquiry__v")
        # The fields of an object of the other Vault, once it is named.
        field = page.locator('#query_field-offered option[value="inquiry_text__v"]')
        await field.wait_for(state="attached")
        await page.get_by_label("Query Field", exact=True).fill("inquiry_text__v")
        await page.get_by_label("Target Object", exact=True).fill("case_request__v")
        await page.get_by_label("Target Field", exact=True).fill("nothing__v")
        await admin.sees("It cannot be saved like this")
        await page.get_by_label("Target Field", exact=True).fill("question__v")
        await admin.sees("It can be saved.")
        await page.get_by_label("to preview with").fill(item)
        row = page.locator("tr.edited")
        await row.wait_for()
        assert "Is there a pediatric dose?" in await row.inner_text()
        # Only looked at: the rule has no such part.
        await admin.open(RULE)
        assert "typed__c" not in await admin.text()


async def test_a_check_that_the_next_one_overtakes_is_no_fault(
    running: System, browser: Browser, connected: Connected
) -> None:
    del connected
    async with at_both(browser, running) as admin:
        page, overtaken = admin.page, asyncio.Event()

        async def delayed(route: Route) -> None:
            if route.request.method == "POST":
                await overtaken.wait()
            await route.continue_()

        def checks(request: Request) -> bool:
            return request.method == "POST"

        await admin.open(f"{RULE}/Fieldrule")
        await page.route("**/Fieldrule", delayed)
        async with page.expect_request(checks):
            await page.get_by_label("Name *").fill("typed__c")
        # A visitor is content with a console that has no error.
        async with page.expect_request(checks):
            await page.get_by_label("Name *").fill("typed_further__c")
        overtaken.set()
        await admin.sees("It cannot be saved like this")


async def test_without_scripts_a_rule_is_previewed_too(
    running: System, browser: Browser, connected: Connected
) -> None:
    item = await record(connected)
    async with at_both(browser, running, scripts=False) as admin:
        await admin.open(f"{RULE}/preview")
        await admin.page.get_by_label("to preview with").fill(item)
        await admin.press("Preview")
        await admin.sees("Is there a pediatric dose?")
        assert item not in admin.page.url


async def test_the_way_of_a_message_leads_through_both_vaults(
    running: System, browser: Browser, connected: Connected
) -> None:
    item = await record(connected)
    async with at_both(browser, running, "crm_vault") as admin:
        await admin.open(f"/ui/objects/medical_inquiry__v/{item}")
        await admin.follow("Messages")
        await admin.page.locator("td a").first.click()
        await admin.sees("Delivered to the other Vault")
        text = await admin.text()
        stations = (
            "Entered the queue",
            "Sent to the broker",
            "Read and evaluated",
            "Written",
            "Reported back",
        )
        places = [text.index(station) for station in stations]
        assert places == sorted(places)
        assert (
            "Medical Vault" in text
            and "1 Medical Inquiry" in text
            and "Case Request" in text
        )


async def test_every_page_of_a_connection_can_be_used_by_everybody(
    running: System, browser: Browser, connected: Connected
) -> None:
    item = await record(connected)
    where = "WHERE api_name__sys = 'medical_crm__v'"
    rows = (
        await connected.medical.query(f"SELECT id FROM connection__sys {where}")
    ).rows
    connection = f"/ui/connections/{rows[0]['id']}"
    where = "WHERE integration_api_name__sys = 'medical_inquiry_details__v'"
    rows = (
        await connected.medical.query(f"SELECT id FROM integration__sys {where}")
    ).rows
    integration = f"/ui/integrations/{rows[0]['id']}"
    paths = (
        connection,
        f"{connection}/readiness",
        integration,
        f"{integration}/dry-run?asked=true",
        "/ui/lookups/missing",
        RULE,
        f"{RULE}/preview?record={item}",
        f"{RULE}/Fieldrule",
        "/ui/queues",
        "/ui/live",
        f"/ui/messages?record={item}",
    )
    async with at_both(browser, running) as admin:
        for path in paths:
            await admin.finds_usable(path)
