"""Takes pictures of the pages in Chromium, on a system of its own that has played the story: ``make screenshots``.

Those that the docs show are written into docs/images. With a folder as its argument it writes every page there, wide
and narrow, light and dark.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page

from local.chromium import chromium
from local.failure import SystemFailed
from local.narration import Narration
from local.service import PROJECT
from local.story import play
from local.system import System

IMAGES = PROJECT / "docs" / "images"
WIDE, NARROW = 1280, 390
HEIGHT = 800


@dataclass(frozen=True, slots=True)
class Picture:
    """A page, by the links that lead to it from the home page of somebody at a Vault; ``documented`` for the docs.

    ``also`` is another Vault at which they are signed in, ``find`` what they search for over all records, ``ticked`` a
    box that they tick.
    """

    name: str
    vault: str
    who: str
    path: str
    links: tuple[str, ...] = ()
    documented: bool = False
    also: str = ""
    find: str = ""
    ticked: str = ""


PICTURES = (
    Picture("rep", "crm_vault", "business", "/ui/", documented=True),
    Picture(
        "inquiry",
        "crm_vault",
        "admin",
        "/ui/objects/medical_inquiry__v?sort=name__v",
        ("INQ-000001",),
        documented=True,
    ),
    Picture(
        "new-inquiry", "crm_vault", "business", "/ui/objects/medical_inquiry__v/new"
    ),
    Picture("accounts", "crm_vault", "business", "/ui/objects/account__v"),
    Picture("search", "crm_vault", "admin", "/ui/", find="m"),
    Picture("patterns", "crm_vault", "business", "/ui/patterns"),
    Picture(
        "origins",
        "medical_vault",
        "admin",
        "/ui/objects/case_request__v?sort=name__v",
        ("CR-000001",),
        ticked="Show where each value is from, and who changed it",
    ),
    Picture("home", "medical_vault", "admin", "/ui/", documented=True),
    Picture("agent", "medical_vault", "business", "/ui/", documented=True),
    Picture(
        "request",
        "medical_vault",
        "business",
        "/ui/objects/case_request__v?sort=name__v",
        ("CR-000002",),
    ),
    Picture("connections", "medical_vault", "admin", "/ui/connections"),
    Picture(
        "connection",
        "medical_vault",
        "admin",
        "/ui/connections",
        ("Medical-CRM Connection",),
        documented=True,
    ),
    Picture("lookups", "medical_vault", "admin", "/ui/lookups"),
    Picture("rules", "medical_vault", "admin", "/ui/rules"),
    Picture(
        "rule",
        "medical_vault",
        "admin",
        "/ui/rules/medical_inquiry_details__v",
        documented=True,
    ),
    Picture(
        "readiness",
        "medical_vault",
        "admin",
        "/ui/connections",
        ("Medical-CRM Connection", "Look for what is missing"),
    ),
    Picture(
        "integration",
        "medical_vault",
        "admin",
        "/ui/connections",
        ("Medical-CRM Connection", "Medical Inquiry Details"),
    ),
    Picture(
        "rule-preview",
        "medical_vault",
        "admin",
        "/ui/rules/medical_inquiries__v/preview",
        ("INQ-",),
        also="crm_vault",
    ),
    Picture(
        "rule-edit",
        "medical_vault",
        "admin",
        "/ui/rules/medical_inquiries__v/Fieldrule",
        also="crm_vault",
    ),
    Picture(
        "missing-lookups",
        "medical_vault",
        "admin",
        "/ui/lookups/missing",
        also="crm_vault",
    ),
    Picture("queues", "medical_vault", "admin", "/ui/queues"),
    Picture("live", "medical_vault", "admin", "/ui/live"),
    Picture(
        "message",
        "crm_vault",
        "admin",
        "/ui/objects/medical_inquiry__v?sort=name__v",
        ("INQ-000001", "Its Messages", "-"),
        also="medical_vault",
    ),
    Picture("exceptions", "medical_vault", "admin", "/ui/exceptions"),
    Picture("queue-log", "medical_vault", "admin", "/ui/queue-log"),
    Picture("components", "medical_vault", "admin", "/ui/components"),
    Picture("mdl", "medical_vault", "admin", "/ui/components/mdl"),
    Picture("jobs", "medical_vault", "admin", "/ui/jobs"),
    Picture("rehearsal", "medical_vault", "admin", "/ui/rehearsal"),
)


async def take(system: System, everything: Path | None) -> None:
    """Take the pictures of a system that runs."""
    async with chromium() as browser:
        for picture in PICTURES:
            if picture.documented:
                file = IMAGES / f"{picture.name}.png"
                await _take(browser, system, picture, file, WIDE, "light")
        for picture in PICTURES if everything else ():
            for width in (WIDE, NARROW):
                for colours in ("light", "dark"):
                    name = f"{picture.name}-{width}-{colours}.png"
                    file = (everything or IMAGES) / name
                    await _take(browser, system, picture, file, width, colours)


async def _take(
    browser: Browser,
    system: System,
    picture: Picture,
    file: Path,
    width: int,
    colours: str,
) -> None:
    """Take one picture in a window of its own."""
    context = await browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if colours == "dark" else "light",
        locale="en-GB",
    )
    page: Page = await context.new_page()
    for vault in filter(None, (picture.also, picture.vault)):
        known = system.sign_ins()[vault][picture.who]
        path = picture.path if vault == picture.vault else "/ui/"
        await page.goto(f"{system.endpoints()[vault]['url']}{path}")
        await page.get_by_label("User name").fill(known["username"])
        await page.get_by_label("Password").fill(known["password"])
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Sign out").wait_for()
    for label in picture.links:
        await page.get_by_role("link", name=label).first.click()
    if picture.find:
        await page.keyboard.press("/")
        await page.keyboard.type(picture.find)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/ui/search?**")
    if picture.ticked:
        await page.get_by_label(picture.ticked).check()
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=file, full_page=True)
    await context.close()
    print(file)


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
