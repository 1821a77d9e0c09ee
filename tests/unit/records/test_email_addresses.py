"""Texts that are exactly one e-mail address, and texts that are not."""

from __future__ import annotations

import pytest

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
