"""Starts Debian's Chromium headless, for pictures and tests of the pages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

# Names another program than Debian's.
PROGRAM_VARIABLE = "TEST_CHROMIUM"
PROGRAM = "/usr/bin/chromium"
# Of a container that runs as root; the others keep Chromium from looking for servers of its maker.
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Yield a browser that is closed at the end of the block."""
    program = os.environ.get(PROGRAM_VARIABLE, PROGRAM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=list(OPTIONS)
        )
        yield browser
        await browser.close()
