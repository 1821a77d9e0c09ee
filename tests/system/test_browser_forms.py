"""Forms in a real browser: sent twice, gone back to, refused, and drawn anew while somebody types."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Route, expect

from local.system import System
from tests.system.browser_forms import DRAFT, SEND, write_down
from tests.system.conditions import Connected, new_run
from tests.system.test_transfer import account, inquiry, transferred
from tests.system.visited_pages import INQUIRIES
from tests.system.visitors import PATIENCE, Visitor, visitor

LIFECYCLE = "/ui/lifecycles/medical_inquiry_lifecycle__v"
DRAW_ANEW = "htmx.ajax('GET', location.pathname, {source: '#page'})"
TOPS = "names => names.map(name => Math.round(document.getElementById(name).getBoundingClientRect().top))"
WATCH_DRAWING = (
    "addEventListener('htmx:afterSettle', () => document.body.classList.add('drawn'))"
)


async def finds(rep: Visitor, question: str, shown: str) -> None:
    """Search for the inquiries with a question, and wait for this count of them."""
    await rep.open(INQUIRIES)
    await rep.page.get_by_role("searchbox").fill(question)
    await rep.press("Search")
    await rep.sees(shown)


@pytest.mark.parametrize(("button", "state"), [(DRAFT, "Saved"), (SEND, "Submitted")])
async def test_a_double_click_makes_one_inquiry(
    running: System, browser: Browser, button: str, state: str
) -> None:
    question = uuid4().hex
    async with visitor(browser, running, "crm_vault") as rep:
        await write_down(rep, question)
        await rep.page.get_by_role("button", name=button).dblclick()
        await rep.sees(state)
        await finds(rep, question, "1 to 1 of 1")


async def test_the_keyboard_goes_on_at_the_errors_of_a_refused_form(
    running: System, browser: Browser
) -> None:
    async with visitor(browser, running, "crm_vault") as rep:
        await rep.open(f"{INQUIRIES}/new")
        await rep.press(SEND)
        alert = rep.page.get_by_role("alert")
        await expect(alert).to_be_focused(timeout=PATIENCE)
        rep.expect_one_refusal()
        names = ["account__v", "product__v", "country__v"]
        tops = await rep.page.evaluate(TOPS, names)
        assert len(set(tops)) == 1


async def test_back_and_a_reload_make_nothing_twice(
    running: System, browser: Browser, connected: Connected
) -> None:
    question = uuid4().hex
    # More than a list of options has: the account is typed, and offered while it is.
    others = [
        {
            "name__v": f"Other {number} {question}",
            "last_name_cda__v": "Other",
            "external_id__v": f"{number}{question}",
        }
        for number in range(25)
    ]
    await connected.crm.create("account__v", others)
    async with visitor(browser, running, "crm_vault") as rep:
        await write_down(rep, question)
        await rep.press(SEND)
        await rep.sees("Transfer Status")
        await rep.page.reload()
        await rep.page.get_by_role("heading", name="INQ-").first.wait_for()
        await rep.page.go_back()
        # The form is as it was left: what it asked for is asked for again.
        text = rep.page.get_by_label("Inquiry Text")
        await expect(text).to_have_value(question, timeout=PATIENCE)
        await rep.page.locator("#email__v").wait_for()
        await rep.press(SEND)
        await rep.sees("The form was sent before")
        # With another question it is another inquiry.
        await rep.page.go_back()
        await expect(text).to_have_value(question, timeout=PATIENCE)
        await text.fill(f"{question} And for children?")
        await rep.press(DRAFT)
        await rep.sees("was created")
        await finds(rep, question, "1 to 2 of 2")


async def test_a_reload_keeps_what_was_typed(running: System, browser: Browser) -> None:
    question = uuid4().hex
    async with visitor(browser, running, "crm_vault") as rep:
        page = rep.page
        await write_down(rep, question)
        await page.locator("#email__v").fill("typed@crm.example")
        account = await page.get_by_role("combobox", name="Account").input_value()
        for _ in range(2):
            await page.reload()
            text = page.get_by_label("Inquiry Text")
            await expect(text).to_have_value(question, timeout=PATIENCE)
            email = page.locator("#email__v")
            await expect(email).to_have_value("typed@crm.example", timeout=PATIENCE)
            typed = page.get_by_role("combobox", name="Account")
            await expect(typed).to_have_value(account, timeout=PATIENCE)
        await rep.press(SEND)
        await rep.sees("Transfer Status")


async def test_back_brings_a_refused_form_with_what_was_typed(
    running: System, browser: Browser
) -> None:
    question = uuid4().hex
    async with visitor(browser, running, "crm_vault") as rep:
        await write_down(rep, question)
        email = rep.page.locator("#email__v")
        await email.fill("nobody")
        await rep.press(SEND)
        await rep.page.locator("#email__v-error").wait_for()
        await rep.follow("Leave without saving")
        await rep.page.get_by_role("link", name="Create").wait_for()
        await rep.page.go_back()
        await expect(rep.page.get_by_label("Inquiry Text")).to_have_value(
            question, timeout=PATIENCE
        )
        await expect(email).to_have_value("nobody", timeout=PATIENCE)
        rep.expect_one_refusal()


async def test_back_asks_again_for_what_an_entry_action_needs(
    running: System, browser: Browser
) -> None:
    path = f"{LIFECYCLE}/submitted_state__v/entry-action"
    async with visitor(browser, running, "crm_vault", "admin") as admin:
        await admin.open(path)
        await admin.choose("What it does", "Set a field")
        value = admin.page.locator("[name=value]")
        await value.fill("submitted by hand")
        await admin.choose("Field", "Inquiry Text")
        await admin.follow("Cancel")
        await admin.page.get_by_role("heading", name="Inquiry Lifecycle").wait_for()
        await admin.page.go_back()
        await expect(value).to_have_value("submitted by hand", timeout=PATIENCE)
        field = admin.page.locator("[name=field]")
        await expect(field).to_have_value("inquiry_text__v", timeout=PATIENCE)


async def test_an_ended_session_loses_no_inquiry_and_makes_none_twice(
    running: System, browser: Browser
) -> None:
    question = uuid4().hex
    known = running.sign_ins()["crm_vault"]["business"]
    async with visitor(browser, running, "crm_vault") as rep:
        await write_down(rep, question)
        # In another tab of the same browser.
        other = await rep.page.context.new_page()
        await other.goto(f"{rep.url}/ui/")
        await other.get_by_role("button", name="Sign out").click()
        await other.get_by_role("button", name="Sign in").wait_for()
        await other.close()
        await rep.press(SEND)
        await rep.sees("Your session has ended")
        await rep.sign_in(known["username"], known["password"])
        await rep.page.get_by_role("button", name="Send it now").dblclick()
        await rep.sees("Submitted")
        await finds(rep, question, "1 to 1 of 1")


async def test_the_form_asks_for_what_the_delivery_needs(
    running: System, browser: Browser
) -> None:
    question = uuid4().hex
    async with visitor(browser, running, "crm_vault") as rep:
        await write_down(rep, question)
        page = rep.page
        fax, email = page.locator("#fax_number__v"), page.locator("#email__v")
        assert not await fax.is_visible()
        # What the Enter key does sends nothing.
        async with page.expect_response(f"**{INQUIRIES}/new"):
            await email.press("Enter")
        await expect(email).to_have_value("reader@practice.example")
        await page.get_by_label("Delivery Method").select_option(label="Fax")
        await fax.wait_for()
        await rep.press(SEND)
        await expect(page.locator("#fax_number__v-error")).to_be_visible(
            timeout=PATIENCE
        )
        await fax.fill("+1 555 0188")
        await rep.press(SEND)
        await rep.sees("Transfer Status")
        rep.expect_one_refusal()


def once(event: asyncio.Event) -> Callable[[Route], Awaitable[None]]:
    """Have calls go on only after an event."""

    async def wait(route: Route) -> None:
        await event.wait()
        await route.continue_()

    return wait


@asynccontextmanager
async def on_its_way(page: Page, path: str) -> AsyncIterator[None]:
    """Have something done between a page's call and the drawing of its answer."""
    done = asyncio.Event()

    await page.evaluate(WATCH_DRAWING)
    await page.route(path, once(done))
    yield
    done.set()
    await page.locator("body.drawn").wait_for()
    await page.unroute(path)


async def test_what_is_typed_while_a_part_of_a_form_is_drawn_stays(
    running: System, browser: Browser
) -> None:
    async with visitor(browser, running, "crm_vault", "admin") as admin:
        page = admin.page
        await admin.open(f"{LIFECYCLE}/submitted_state__v/user-action")
        async with on_its_way(page, "**/user-action?*"):
            does = page.get_by_label("What it does")
            await does.select_option(label="Transfer to Medical")
            await admin.fill("Label", "Send it")
        await expect(page.get_by_label("Label")).to_have_value("Send it")


async def test_what_is_typed_while_a_form_asks_for_more_stays(
    running: System, browser: Browser
) -> None:
    async with visitor(browser, running, "crm_vault") as rep:
        page, typed = rep.page, "reader@practice.example"
        await rep.open(f"{INQUIRIES}/new")
        delivery = page.get_by_label("Delivery Method")
        email = page.locator("#email__v")
        await delivery.select_option(label="Email")
        await email.wait_for()
        async with on_its_way(page, f"**{INQUIRIES}/new"):
            await delivery.select_option(label="Fax")
            await email.fill(typed)
        await page.locator("#fax_number__v").wait_for()
        await expect(email).to_have_value(typed)


async def test_a_choice_made_before_the_scripts_are_at_work_is_answered_by_them(
    running: System, browser: Browser
) -> None:
    chosen = asyncio.Event()
    async with visitor(browser, running, "crm_vault") as rep:
        page = rep.page
        await page.route("**/vendor/*.js", once(chosen))
        await page.goto(f"{rep.url}{INQUIRIES}/new", wait_until="commit")
        delivery = page.get_by_label("Delivery Method")
        await delivery.select_option(label="Email")
        chosen.set()
        await page.locator("#email__v").wait_for()
        await expect(delivery).to_have_value("email__v")


async def test_an_account_typed_before_the_scripts_are_at_work_comes_back(
    running: System, browser: Browser, connected: Connected
) -> None:
    # More than a list of options has.
    family = uuid4().hex
    rows = [
        {"name__v": f"Number{n} {family}", "external_id__v": f"{n}{family}"}
        for n in range(25)
    ]
    await connected.crm.create("account__v", rows)
    typed = asyncio.Event()
    async with visitor(browser, running, "crm_vault") as rep:
        page = rep.page
        await page.route("**/picker.js", once(typed))
        await page.goto(f"{rep.url}{INQUIRIES}/new", wait_until="commit")
        account = page.get_by_role("combobox", name="Account")
        await account.fill(f"Number7 {family}")
        typed.set()
        await page.wait_for_load_state()
        await rep.follow("Leave without saving")
        await page.get_by_role("link", name="Create").wait_for()
        await page.go_back()
        await expect(account).to_have_value(f"Number7 {family}", timeout=PATIENCE)


async def test_what_is_unfolded_on_a_page_that_is_drawn_anew_stays(
    running: System, browser: Browser, connected: Connected
) -> None:
    item = await inquiry(connected, await account(connected, new_run()))
    await transferred(connected, item)
    async with visitor(browser, running, "crm_vault") as rep:
        page = rep.page
        await rep.open(f"{INQUIRIES}/{item}")
        await rep.unfold("System Information")
        await page.evaluate(WATCH_DRAWING)
        # What the page does by itself every ten seconds, at once.
        await page.evaluate(DRAW_ANEW)
        await page.locator("body.drawn").wait_for()
        await expect(page.get_by_text("Created By")).to_be_visible()


async def draw_ended(route: Route) -> None:
    """Answer with the page of an act that has ended, which is not asked for again."""
    answer = await route.fetch()
    text = (await answer.text()).replace(' hx-ext="morph" hx-get=', " data-get=")
    text = re.sub(r' hx-(select|swap|trigger)="[^"]*"', "", text)
    await route.fulfill(response=answer, body=text)


@pytest.mark.parametrize(
    ("sent", "note", "stays"),
    [(1, "The transfer to Medical has begun.", 0), (2, "The form was sent before", 1)],
)
async def test_only_the_note_of_what_has_begun_goes_when_it_has_ended(
    running: System, browser: Browser, sent: int, note: str, stays: int
) -> None:
    async with visitor(browser, running, "crm_vault") as rep:
        page, question = rep.page, uuid4().hex
        await write_down(rep, question)
        for _ in range(sent - 1):
            await rep.press(SEND)
            await rep.sees("Transfer Status")
            await page.go_back()
            await page.locator("#email__v").wait_for()
        seen = asyncio.Event()

        async def end_once_seen(route: Route) -> None:
            if "hx-request" in route.request.headers:
                await seen.wait()
                await draw_ended(route)
            else:
                await route.continue_()

        await page.route("**/objects/medical_inquiry__v/*", end_once_seen)
        await rep.press(SEND)
        await rep.sees(note)
        await page.wait_for_load_state()
        await page.evaluate(WATCH_DRAWING)
        seen.set()
        await page.evaluate(DRAW_ANEW)
        await page.locator("body.drawn").wait_for()
        await expect(page.get_by_text(note)).to_have_count(stays)


ASK_TWICE = """() => {
    for (const _ of [1, 2]) htmx.ajax('GET', location.pathname, {source: '#page'});
}"""


async def test_a_page_whose_act_has_ended_is_drawn_once(
    running: System, browser: Browser, connected: Connected
) -> None:
    """A page may be asked for again before it is answered that there is nothing more to follow."""
    item = await inquiry(connected, await account(connected, new_run()))
    await transferred(connected, item)
    path = f"{INQUIRIES}/{item}"
    async with visitor(browser, running, "crm_vault") as rep:
        page = rep.page
        await rep.open(path)
        await page.wait_for_load_state()
        await page.evaluate(WATCH_DRAWING)
        await page.route(f"**{path}", draw_ended)
        await page.evaluate(ASK_TWICE)
        await page.locator("body.drawn").wait_for()
        await page.wait_for_load_state("networkidle")
        assert await page.locator("main").count() == 1


SELECT_TIME = """() => {
    const moment = [...document.querySelectorAll('#page time')].at(-1);
    getSelection().selectAllChildren(moment);
}"""


async def test_what_is_selected_on_a_page_that_is_drawn_anew_stays(
    running: System, browser: Browser, connected: Connected
) -> None:
    item = await inquiry(connected, await account(connected, new_run()))
    await transferred(connected, item)
    async with visitor(browser, running, "crm_vault") as rep:
        page = rep.page
        # So that the times do not go on meanwhile.
        await page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=2))
        await rep.open(f"{INQUIRIES}/{item}")
        await rep.unfold("System Information")
        await page.evaluate(SELECT_TIME)
        selected = await page.evaluate("getSelection().toString()")
        assert "ago" in selected
        await page.evaluate(WATCH_DRAWING)
        await page.evaluate(DRAW_ANEW)
        await page.locator("body.drawn").wait_for()
        assert await page.evaluate("getSelection().toString()") == selected
