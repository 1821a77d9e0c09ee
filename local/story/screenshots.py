"""Takes pictures of the pages in Chromium, on a system of its own that has played the story: ``make screenshots``.

Those that the docs show are written into docs/images. With a folder as its argument it writes every page there, wide
and narrow, light and dark.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page

from local.chromium import chromium
from local.failure import SystemFailed
from local.narration import Narration
from local.service import PROJECT
from local.story import play
from local.story.pictures import ADMIN, PICTURES, Picture
from local.system import System

IMAGES = PROJECT / "docs" / "images"
WIDE, NARROW = 1280, 390
HEIGHT = 800
COLOURS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = tuple((width, colours) for width in (WIDE, NARROW) for colours in COLOURS)


async def take(system: System, everything: Path | None) -> None:
    """Take the pictures for the docs of a running system; with a folder ``everything``, pictures of all pages."""
    async with chromium() as browser:
        for picture in PICTURES:
            if everything is None and not picture.documented:
                continue
            page = await _opened(browser, system, picture)
            for width, colours in SIZES if everything else SIZES[:1]:
                await page.set_viewport_size({"width": width, "height": HEIGHT})
                await page.emulate_media(color_scheme=colours)
                name = (
                    f"{picture.name}-{width}-{colours}" if everything else picture.name
                )
                file = (everything or IMAGES) / f"{name}.png"
                await page.screenshot(path=file, full_page=everything is not None)
                print(file)
            await page.context.close()


async def _opened(browser: Browser, system: System, picture: Picture) -> Page:
    """Open a page in a window of its own, and do the steps of its picture."""
    context = await browser.new_context(
        viewport={"width": WIDE, "height": HEIGHT}, locale="en-GB"
    )
    page = await context.new_page()
    if picture.who:
        if picture.also:
            await _sign_in(page, system, picture.also, ADMIN)
        await _sign_in(page, system, picture.vault, picture.who)
    await page.goto(f"{system.endpoints()[picture.vault]['url']}{picture.path}")
    for label in picture.links:
        main = page.get_by_role("main")
        await main.get_by_role("link", name=label).first.click()
    if picture.find:
        await page.keyboard.press("/")
        await page.keyboard.type(picture.find)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/ui/search?**")
    if picture.ticked:
        await page.get_by_label(picture.ticked).check()
    if picture.pressed:
        await page.get_by_role("button", name=picture.pressed).first.click()
    await page.wait_for_load_state("networkidle")
    return page


async def _sign_in(page: Page, system: System, vault: str, who: str) -> None:
    """Sign in to a Vault, and wait for its home page."""
    known = system.sign_ins()[vault][who]
    await page.goto(f"{system.endpoints()[vault]['url']}/ui/")
    await page.get_by_label("User name").fill(known["username"])
    await page.get_by_label("Password").fill(known["password"])
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Sign out").wait_for()


async def run(everything: Path | None) -> None:
    """Start a system, play the story, take the pictures, and remove the system."""
    with tempfile.TemporaryDirectory(prefix="screenshots") as folder:
        system = System(Path(folder) / "system")
        try:
            await system.start()
            await play(system.endpoints(), Narration(), system.sign_ins())
            await take(system, everything)
        finally:
            await system.reset()


def main() -> int:
    """Take the pictures; return 0 when all were taken."""
    everything = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if everything is not None:
        everything.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(run(everything))
    except SystemFailed as error:
        print(f"no screenshots: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
