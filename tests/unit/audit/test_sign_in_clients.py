"""Browsers and platforms are read from the names by which programs introduce themselves."""

from __future__ import annotations

import pytest

from shared.vault.audit.sign_in_entries import MAX_NAME, UNKNOWN, SignInClient

MOZILLA = "Mozilla/5.0"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "browser", "platform"),
    [
        (
            f"{MOZILLA} (Macintosh; Intel Mac OS X 10_12_6) {WEBKIT} Chrome/60.0.3112.113 Safari/537.36",
            "Chrome 60.0.3112.113",
            "Intel Mac OS X 10.12.6",
        ),
        (
            f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
            "Edge 126.0.0.0",
            "Windows NT 10.0",
        ),
        (
            f"{MOZILLA} (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Firefox 128.0",
            "Linux x86_64",
        ),
        (
            f"{MOZILLA} (iPhone; CPU iPhone OS 17_5 like Mac OS X) {WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari 17.5",
            "CPU iPhone OS 17.5",
        ),
        (
            f"{MOZILLA} (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36",
            "Chrome 126.0.0.0",
            "Android 14",
        ),
        ("python-httpx/0.27.0", UNKNOWN, UNKNOWN),
        ("Java/17 (Linux)", UNKNOWN, "Linux"),
        ("", UNKNOWN, UNKNOWN),
        ("(" * 1000, UNKNOWN, UNKNOWN),
        ("Chrome/" + "1" * 1000, f"Chrome {'1' * 1000}"[:MAX_NAME], UNKNOWN),
    ],
)
def test_browser_and_platform(user_agent: str, browser: str, platform: str) -> None:
    client = SignInClient("192.0.2.1", user_agent)
    assert (client.browser, client.platform) == (browser, platform)


def test_nothing_else_of_the_program_is_stored() -> None:
    client = SignInClient(
        "", f"{MOZILLA} (a secret; Linux x86_64) Chrome/1.0 another/2"
    )
    assert client.details == (
        '{"source_ip":null,"browser":"Chrome 1.0","platform":"Linux x86_64"}'
    )
