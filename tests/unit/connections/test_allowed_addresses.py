"""Addresses are compared as the sending client parses them, and refused where parsers may differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from shared.vault.connections.allowed_addresses import AllowedAddresses

ALLOWED = AllowedAddresses.listed(
    ["https://h.example/hooks", "https://top.example", "https://[2001:db8::1]:8443/a/"]
)

WITHIN = (
    "https://h.example/hooks",
    "https://h.example/hooks/",
    "https://h.example/hooks/crm/1",
    "https://h.example/hooks/crm?key=1",
    "https://h.example:443/hooks",
    "https://H.Example/hooks",
    "https://h.example/hooks/a%20b",
    "https://h.example/hooks/a.b/..c",
    "https://top.example",
    "https://top.example/",
    "https://top.example/anything",
    "https://[2001:db8::1]:8443/a/b",
)
OUTSIDE = (
    # Dots, whoever removes them.
    "https://h.example/hooks/../internal",
    "https://h.example/hooks/..",
    "https://h.example/hooks/./../internal",
    "https://h.example/hooks/%2e%2e/internal",
    "https://h.example/hooks/%2E./internal",
    "https://h.example/hooks/%252e%252e/internal",
    "https://h.example/hooks/..;/internal",
    "https://h.example/hooks/..%3bx/internal",
    "https://h.example/hooks/..%2finternal",
    "https://h.example/hooks%2f..%2finternal",
    "https://h.example/hooks/..%5cinternal",
    "https://h.example/hooks/..\\internal",
    "https://h.example/hooks/\t../internal",
    "https://h.example/hooks/%09../%00",
    # Another host, port, scheme or place.
    "https://h.example/hooks2",
    "https://h.example/Hooks",
    "https://h.example/",
    "https://h.example/hooks?key=1",
    "https://h.example:8443/hooks",
    "https://h.example:0/hooks",
    "https://h.example:99999/hooks",
    "http://h.example/hooks",
    "ftp://h.example/hooks",
    "https://h.example.evil/hooks",
    "https://top.example.evil",
    "https://h.example./hooks",
    "https://evil.example/https://h.example/hooks",
    "https://[2001:db8::1]/a/b",
    # Who is the host, and who the user?
    "https://h.example@evil.example/hooks",
    "https://user@h.example/hooks",
    "https://user:secret@h.example/hooks",
    "https://evil.example#@h.example/hooks",
    "https://evil.example\\@h.example/hooks",
    "https://top.example?@evil.example/",
    # Machines of the operator's own network, in many writings.
    "https://127.0.0.1/hooks",
    "https://2130706433/hooks",
    "https://0x7f.1/hooks",
    "https://0177.0.0.1/hooks",
    "https://[::1]/hooks",
    "https://[::ffff:127.0.0.1]/hooks",
    "https://[::ffff:a9fe:a9fe]/hooks",
    "https://169.254.169.254/latest/meta-data",
    "https://h.example.127.0.0.1.nip.example/hooks",
    # Other writings of a host, and no host.
    "https://\uff48.example/hooks",
    "https://h。example/hooks",
    "https://h%2eexample/hooks",
    "https://h.example/hooks#part",
    "https://h.example/hooks/ü",
    "https://h.example/hooks/a b",
    "https://h.example/hooks\n",
    " https://h.example/hooks",
    "https:h.example/hooks",
    "https:///hooks",
    "//h.example/hooks",
    "h.example/hooks",
    "",
)


@pytest.mark.parametrize("url", WITHIN)
def test_addresses_within_the_list(url: str) -> None:
    assert ALLOWED.allow(url)


@pytest.mark.parametrize("url", OUTSIDE)
def test_addresses_outside_of_it(url: str) -> None:
    assert not ALLOWED.allow(url)


@given(st.text(alphabet="./%2eE5cC;\\@:#?ah", max_size=20))
def test_what_is_allowed_is_sent_below_the_allowed_address(rest: str) -> None:
    url = f"https://h.example/hooks/{rest}"
    if ALLOWED.allow(url):
        sent = URL(url)
        assert sent.host == "h.example"
        assert sent.raw_path.startswith("/hooks/")
        assert "/../" not in f"{sent.path}/"


@pytest.mark.parametrize("text", ["h.example", "https://h.example/a/../b", "https://"])
def test_a_list_of_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not an https address"):
        AllowedAddresses.listed([text])
