"""Texts that are exactly one e-mail address, and texts that are not."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from shared.vault.records.email_addresses import is_one_address


@pytest.mark.parametrize(
    "text",
    [
        "person1@vault.example",
        "first.last+tag@mail.vault.example",
        "vault@localhost",
        "agent@clinic.local",
        "müller@bücher.example",
    ],
)
def test_addresses(text: str) -> None:
    assert is_one_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody",
        "a@b.example, c@d.example",
        "a@b.example,c@d.example",
        "a@b.example;c@d.example",
        "a@b.example c@d.example",
        "A Name <a@b.example>",
        "<a@b.example>",
        "a@b.example\nBcc: c@d.example",
        "a@b.example\x00",
        "a@b@c.example",
        "group: a@b.example;",
        "@b.example",
        "a@",
        "a@" + "b" * 300 + ".example",
    ],
)
def test_what_is_not_one_address(text: str) -> None:
    assert not is_one_address(text)


NAMES = st.text("abAB19._+-'\" @<\u00e9", min_size=0, max_size=70)
DOMAINS = st.text("abB9.-@[] \u00e9", min_size=0, max_size=30)


@given(NAMES, st.sampled_from(["", "@"]), DOMAINS)
@example("postmaster", "@", "b.example")
@example("a" * 64, "@", "b.example")
@example("a" * 65, "@", "b.example")
@example("a" * 64, "@", ("b" * 60 + ".") * 3 + "example")
@example("a.b", "@", "xn--bcher-kva.example")
@example("a", "", "")
def test_an_address_is_what_the_library_takes(name: str, at: str, domain: str) -> None:
    text = name + at + domain
    try:
        validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        taken = False
    else:
        taken = True

    assert is_one_address(text) is taken
