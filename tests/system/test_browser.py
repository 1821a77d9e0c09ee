"""Users' work with the pages in a real browser: a rep's question and its answer, also without scripts, and a search."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from local.system import System
from tests.system.browser_forms import (
    DRAFT,
    SEND,
    answer_it,
    approved_document,
    write_down,
)
from tests.system.conditions import Connected, eventually
from tests.system.visited_pages import (
    INQUIRIES,
)
from tests.system.visitors import (
    PATIENCE,
    KeyboardVisitor,
    Visitor,
    visitor,
)

LIFECYCLE = "/ui/lifecycles/medical_inquiry_lifecycle__v"


async def test_a_rep_asks_and_watches_the_answer_arrive(
    running: System, browser: Browser
) -> None:
    question = f"Is it stable at room temperature? {uuid4().hex}"
    answer = f"Up to 25 degrees for a month. {uuid4().hex}"
    async with (
        visitor(browser, running, "crm_vault") as rep,
        visitor(browser, running, "medical_vault") as agent,
    ):
        await write_down(rep, question)
        await rep.press(SEND)
        # From here on the rep only looks.
        await rep.sees("Success")
        assert not await rep.page.get_by_role("button", name="Transfer").count()
        assert not await rep.page.get_by_role("link", name="Edit").count()
        assert "locked" in await rep.text()

        await agent.open("/ui/objects/case_request__v")
        await agent.page.get_by_role("searchbox").fill(question.rsplit(maxsplit=1)[-1])
        await agent.press("Search")
        await agent.sees("1 to 1 of 1")
        await agent.page.get_by_role("link", name="CR-").first.click()
        assert question in await agent.text()
        assert "Asked by" in await agent.text()
        await agent.press("Start Work")
        await agent.page.locator("summary", has_text="Close").click()
        await agent.page.get_by_label("Response Notes").fill(answer)
        await agent.press("Close")

        await rep.sees(answer)
        await rep.sees("Closed")
        begun = rep.page.get_by_text("The transfer to Medical has begun.")
        await expect(begun).to_have_count(0, timeout=PATIENCE)


async def test_back_leads_from_a_hit_to_the_hits(
    running: System, browser: Browser
) -> None:
    question = uuid4().hex
    async with visitor(browser, running, "crm_vault") as rep:
        await write_down(rep, question)
        await rep.press(DRAFT)
        await rep.sees("was created")
        await rep.open(INQUIRIES)
        await rep.page.get_by_role("searchbox").fill(question)
        await rep.press("Search")
        await rep.sees("1 to 1 of 1")
        assert question not in rep.page.url
        await rep.page.get_by_role("link", name="INQ-").first.click()
        await rep.page.get_by_role("heading", name="INQ-").first.wait_for()
        await rep.page.go_back()
        await rep.sees("1 to 1 of 1")
        assert await rep.page.get_by_role("searchbox").input_value() == question
        await rep.page.reload()
        await rep.sees("1 to 1 of 1")


async def test_one_of_many_accounts_is_found_by_words_of_its_name(
    running: System, browser: Browser, connected: Connected
) -> None:
    family = f"Q{uuid4().hex[:10]}"
    rows = [
        {"name__v": f"Number{n} {family}", "external_id__v": f"{family}{n}"}
        for n in range(40)
    ]
    await connected.crm.create("account__v", rows)
    async with visitor(browser, running, "crm_vault") as rep:
        await rep.open(f"{INQUIRIES}/new")
        account = rep.page.get_by_role("combobox", name="Account")
        await account.press_sequentially(f"{family} number7")
        # By the keyboard alone.
        offered = rep.page.locator("li[role=option]")
        # What was offered for a part of the words is gone.
        await expect(offered).to_have_count(1, timeout=PATIENCE)
        await expect(offered).to_contain_text(f"{family}7", timeout=PATIENCE)
        await account.press("Enter")
        assert await account.input_value() == f"Number7 {family}"
        await rep.press(DRAFT)
        await rep.sees("was created")
        await rep.follow(f"Number7 {family}")
        await rep.sees(f"{family}7")
        # What nobody offers is told, at the form, with what was typed.
        await rep.open(f"{INQUIRIES}/new")
        await account.fill("Nobody of this name")
        await rep.press(DRAFT)
        await rep.sees("INVALID_DATA")
        assert await account.input_value() == "Nobody of this name"
        rep.expect_one_refusal()


async def test_the_key_slash_leads_to_a_search_over_all_records(
    running: System, browser: Browser
) -> None:
    async with visitor(browser, running, "crm_vault") as rep:
        await rep.open(f"{INQUIRIES}/new")
        # Where somebody types it is a character.
        text = rep.page.get_by_label("Inquiry Text")
        await text.press_sequentially("1/2")
        assert await text.input_value() == "1/2"
        await rep.open("/ui/jobs")
        await rep.page.keyboard.press("/")
        await rep.page.keyboard.type("maribel quent")
        await rep.page.keyboard.press("Enter")
        await rep.page.wait_for_url("**/ui/search?search=*")
        assert "maribel" not in rep.page.url.lower()
        await rep.follow("Maribel Quentaro")
        await rep.page.get_by_role("heading", name="Maribel Quentaro").wait_for()


async def test_a_view_is_saved_and_the_list_begins_with_it(
    running: System, browser: Browser
) -> None:
    name = f"Mine {uuid4().hex[:8]}"
    products = "/ui/objects/product__v"
    async with visitor(browser, running, "crm_vault") as rep:
        await rep.open(products)
        await rep.page.locator("summary", has_text="Columns").click()
        await rep.page.get_by_label("Created Date", exact=True).check()
        await rep.page.get_by_label("Status", exact=True).last.uncheck()
        await rep.press("Show")
        head = rep.page.get_by_role("columnheader")
        await head.get_by_text("Created Date").wait_for()
        await rep.follow("Name")
        await head.get_by_text("Name ▲").wait_for()
        await rep.page.locator("summary", has_text="Save view").click()
        await rep.page.get_by_role("textbox", name="Name", exact=True).fill(name)
        await rep.press("Save as a view")
        await rep.sees("The view was saved.")
        await rep.page.locator("summary", has_text="View").click()
        await rep.press("Begin with this view")
        begins = rep.page.locator("button", has_text="Do not begin with this view")
        await begins.wait_for(state="attached")
        await rep.open(products)
        await rep.page.get_by_role("heading", name=name).wait_for()
        heads = await rep.page.locator("th").all_inner_texts()
        assert heads[0] == "Name ▲"
        assert "Created Date" in heads and "Status" not in heads
        await rep.finds_usable(products)


async def test_what_ends_something_asks_first(
    running: System, browser: Browser, connected: Connected
) -> None:
    (case,) = await connected.medical.create("case__v", [{}])
    (request,) = await connected.medical.create(
        "case_request__v", [{"case__v": case.id}]
    )
    async with visitor(browser, running, "medical_vault") as agent:
        await agent.open(f"/ui/objects/case_request__v/{request.id}")
        await agent.page.locator("summary", has_text="Cancel").click()
        await agent.sees("?")
        assert "Cancelled" not in await agent.text()
        await agent.press("Cancel")
        await agent.sees("Cancelled")


async def test_a_response_and_its_package_can_be_used_by_everybody(
    running: System, browser: Browser, connected: Connected
) -> None:
    (case,) = await connected.medical.create("case__v", [{}])
    row = {"case__v": case.id, "question__v": "May it be halved?"}
    (request,) = await connected.medical.create("case_request__v", [row])
    path = f"/ui/responses/{request.id}"
    name = f"Halving {uuid4().hex[:8]}"
    await approved_document(connected, name)
    async with visitor(browser, running, "medical_vault") as agent:
        page = agent.page
        await agent.open(path)
        await page.get_by_label("Letter", exact=True).fill("It may be halved once.")
        await agent.press("Make the package")
        await agent.sees("The package is made.")
        link = await page.get_by_role("link", name="/ui/answers/").first.inner_text()
        await agent.finds_usable(f"{path}/preview")
        await agent.open(path)
        await page.get_by_label("Approved documents").fill(name)
        await agent.press("Find Documents")
        await agent.press(f"Add {name}")
        await page.get_by_role("button", name=f"Remove: {name}").wait_for()
        await agent.finds_usable(path)
        await agent.finds_usable(urlsplit(link).path)
        assert "It may be halved once." in await agent.text()


async def test_the_pages_work_without_scripts(
    running: System, browser: Browser
) -> None:
    question = uuid4().hex
    async with visitor(browser, running, "crm_vault", scripts=False) as rep:
        await write_down(rep, question, scripts=False)
        await rep.press(DRAFT)
        await rep.press("Submit")
        await rep.press("Transfer to Medical")
        await rep.sees("Transfer to Medical was run")
        await rep.open("/ui/")
        assert "UTC" in await rep.text()
        assert not await rep.page.locator("#theme").is_visible()


@pytest.mark.parametrize(
    ("kind", "scripts"),
    [
        pytest.param(KeyboardVisitor, True, id="by the keyboard"),
        pytest.param(Visitor, False, id="without scripts"),
    ],
)
async def test_a_question_is_asked_and_answered(
    running: System, browser: Browser, kind: type[Visitor], scripts: bool
) -> None:
    question, answer = uuid4().hex, f"It may. {uuid4().hex}"
    async with (
        visitor(browser, running, "crm_vault", kind=kind, scripts=scripts) as rep,
        visitor(browser, running, "medical_vault", kind=kind, scripts=scripts) as agent,
    ):
        await write_down(rep, question, scripts=scripts)
        await rep.press(SEND)
        await rep.sees("Transfer Status")

        async def rep_reads(text: str) -> None:
            async def shown() -> bool:
                # What follows the transfer by itself does so by a script.
                await rep.page.reload()
                return text in await rep.text()

            await eventually(f"{text} on the page of the inquiry", shown)

        await rep_reads("Success")
        await answer_it(agent, question, answer)
        await rep_reads(answer)
        await rep_reads("/ui/answers/")


async def test_transfer_to_medical_is_added_and_removed_by_clicks(
    running: System, browser: Browser
) -> None:
    label = f"Send {uuid4().hex[:8]}"
    async with visitor(browser, running, "crm_vault", "admin") as admin:
        await admin.follow("Lifecycles")
        await admin.follow("Inquiry Lifecycle")
        await admin.follow("Add User Action to Submitted")
        does = admin.page.get_by_label("What it does")
        await does.select_option(label="Transfer to Medical")
        await admin.page.get_by_label("Label").fill(label)
        await admin.press("Review")
        await admin.sees("Nothing has been executed yet")
        await admin.sees(label)
        await admin.press("Execute")
        await admin.sees("Executed: ALTER Objectlifecycle")
        try:
            async with visitor(browser, running, "crm_vault") as rep:
                await write_down(rep, uuid4().hex)
                await rep.press(DRAFT)
                await rep.press("Submit")
                await rep.page.get_by_role("button", name=label).wait_for()
        finally:
            await admin.open(LIFECYCLE)
            await admin.press(f"Remove {label} from Submitted")
            await admin.press("Execute")
            await admin.sees("Executed: ALTER Objectlifecycle")
        assert label not in await admin.text()


async def test_a_script_is_begun_from_what_is_offered(
    running: System, browser: Browser
) -> None:
    async with visitor(browser, running, "crm_vault", "admin") as admin:
        await admin.open("/ui/components/mdl")
        await admin.page.locator("summary", has_text="What can be written").click()
        kind = admin.page.get_by_label("Component type")
        await kind.fill("Objectlifecycle")
        await kind.press("Tab")
        # What the type declares comes without a new page.
        await admin.page.locator("#offers dt", has_text="starting_state").wait_for()
        await admin.page.get_by_label("Component", exact=True).fill("mine__c")
        await admin.press("Add statement")
        script = admin.page.get_by_label("MDL")
        assert "ALTER Objectlifecycle mine__c" in await script.input_value()
        await admin.press("Review")
        await admin.sees("mine__c does not exist")
