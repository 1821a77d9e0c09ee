"""Users in a real browser, each with cookies of their own; errors on the console fail the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Locator, Page

from local.system import System

WIDE, HEIGHT = 1280, 900
# A page that is too wide is so when narrow, and colours are light or dark: each is met once.
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (390, "dark"),
    (WIDE, "light"),
)
UNFOLD = "document.querySelectorAll('details').forEach(each => { each.open = true; })"
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"
IS_SELECT = "element => element.tagName === 'SELECT'"
CHOSEN = "select => select.selectedOptions[0].label"
HAS_FOCUS = "element => element === document.activeElement"
MOST_TABS = 200  # around a page
# Everything that a page does by itself, on a machine that is busy with other things.
PATIENCE = 90_000  # milliseconds
# What htmx writes on the console when an answer is not wanted any more, since the next question has been asked.
CANCELLED = ("htmx:afterRequest", "htmx:sendAbort")


@dataclass
class Visitor:
    """One user in a browser window of their own."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")

    async def press(self, label: str) -> None:
        """Press the button with this label, on a page whose scripts are at work."""
        await self.page.wait_for_load_state()
        await self.page.get_by_role("button", name=label, exact=True).click()

    async def follow(self, label: str) -> None:
        """Follow the first link with this label."""
        await self.page.wait_for_load_state()
        link = self.page.get_by_role("link", name=label, exact=True)
        await link.first.click()

    async def fill(self, label: str, text: str) -> None:
        """Fill in the field with this label."""
        await self.field(label).fill(text)

    async def choose(self, label: str, option: str) -> None:
        """Choose a value, or a record by its name where they are too many for a list."""
        field = self.field(label)
        if await field.evaluate(IS_SELECT):
            await field.select_option(label=option)
        else:
            await field.fill(option)

    async def unfold(self, label: str) -> None:
        """Unfold what has this label."""
        await self.page.locator("summary", has_text=label).first.click()

    def field(self, label: str) -> Locator:
        """The first field that is shown with this label."""
        return self.page.get_by_label(label).locator("visible=true").first

    async def sees(self, text: str) -> None:
        """Wait until the text is on the page."""
        await self.page.get_by_text(text).first.wait_for()

    async def text(self) -> str:
        """The text of the page, once it is complete."""
        await self.page.wait_for_load_state()
        return await self.page.inner_text("main")

    def note(self, entry: ConsoleMessage) -> None:
        """Record an error that a page has logged on the console."""
        event, _, _ = entry.text.partition(",")
        if entry.type == "error" and event not in CANCELLED:
            self.faults.append(entry.text)

    def expect_one_refusal(self) -> None:
        """Check that the only error is that of one refused form: a browser logs the status of its page."""
        (logged,) = self.faults
        assert "400" in logged
        self.faults.clear()

    async def finds_usable(self, path: str) -> None:
        """Open a page, unfold all of it, and check its accessibility, narrow and wide, light and dark."""
        answer = await self.page.goto(f"{self.url}{path}")
        assert answer is not None and answer.ok, path
        # What is folded is judged as well: it depends on the state of the system what a page unfolds by itself.
        await self.page.evaluate(UNFOLD)
        for width, colours in LOOKS:
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
            await self.page.emulate_media(color_scheme=colours)
            found = await Axe().run(self.page)
            report = found.generate_report()
            assert not found.violations_count, (path, width, colours, report)
            # Nothing has to be scrolled sideways to.
            overflow = await self.page.evaluate(OVERFLOW)
            assert overflow <= 0, (path, width, colours)

    async def sign_in(self, username: str, password: str) -> None:
        await self.page.get_by_label("User name").fill(username)
        await self.page.get_by_label("Password").fill(password)
        await self.press("Sign in")


class KeyboardVisitor(Visitor):
    """Somebody who uses the keys alone, and comes to everything by the Tab key."""

    async def press(self, label: str) -> None:
        await self.page.wait_for_load_state()
        await self._reach(self.page.get_by_role("button", name=label, exact=True))
        await self.page.keyboard.press("Enter")

    async def follow(self, label: str) -> None:
        await self.page.wait_for_load_state()
        await self._reach(self.page.get_by_role("link", name=label, exact=True).first)
        await self.page.keyboard.press("Enter")

    async def fill(self, label: str, text: str) -> None:
        await self._reach(self.field(label))
        await self.page.keyboard.type(text)

    async def choose(self, label: str, option: str) -> None:
        field = self.field(label)
        await self._reach(field)
        if not await field.evaluate(IS_SELECT):
            await self.page.keyboard.type(option)
            await self.page.locator("li[role=option]").first.wait_for()
            await self.page.keyboard.press("Enter")
            return
        for _ in range(await field.locator("option").count()):
            if await field.evaluate(CHOSEN) == option:
                return
            await self.page.keyboard.press("ArrowDown")
        assert await field.evaluate(CHOSEN) == option

    async def unfold(self, label: str) -> None:
        await self._reach(self.page.locator("summary", has_text=label).first)
        await self.page.keyboard.press("Enter")

    async def _reach(self, wanted: Locator) -> None:
        """Press the Tab key until an element has the focus."""
        await wanted.wait_for()
        for _ in range(MOST_TABS):
            if await wanted.evaluate(HAS_FOCUS):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"the Tab key does not lead to {wanted}")


@asynccontextmanager
async def stranger(
    browser: Browser, system: System, vault: str
) -> AsyncIterator[Visitor]:
    """Somebody without an account; the block fails when a page had an error on the console."""
    context = await browser.new_context(viewport={"width": WIDE, "height": HEIGHT})
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    made = Visitor(page, system.endpoints()[vault]["url"])
    page.on("console", made.note)
    yield made
    await context.close()
    assert not made.faults, made.faults


@asynccontextmanager
async def visitor(
    browser: Browser,
    system: System,
    vault: str,
    who: str = "business",
    *,
    path: str = "/",
    scripts: bool = True,
    kind: type[Visitor] = Visitor,
) -> AsyncIterator[Visitor]:
    """A user who is signed in to a Vault; the block fails when a page logged an error on the console."""
    context = await browser.new_context(
        viewport={"width": WIDE, "height": HEIGHT},
        java_script_enabled=scripts,
    )
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    made = kind(page, system.endpoints()[vault]["url"])
    page.on("console", made.note)
    page.on("pageerror", lambda error: made.faults.append(str(error)))
    known = system.sign_ins()[vault][who]
    await made.open(path)
    await made.sign_in(known["username"], known["password"])
    await page.get_by_role("button", name="Sign out").wait_for()
    yield made
    await context.close()
    assert not made.faults, made.faults
