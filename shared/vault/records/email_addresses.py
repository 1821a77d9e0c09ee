"""Checks that a text is the address of one mailbox, and that no e-mail to it could reach another."""

from __future__ import annotations

import re
from functools import lru_cache

import email_validator
from email_validator import EmailNotValidError, validate_email

# Vaults stand in networks of their own, with mail servers in domains such as `.local`.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

PLAIN = re.compile(r"[A-Za-z0-9]++(?:[._+-][A-Za-z0-9]++)*+")
"""Names of mailboxes of which only the length matters to the check."""
MAX_LENGTH = 254  # characters


def is_one_address(text: str) -> bool:
    """Return whether a text is exactly one address, without a list, display name or line break."""
    name, _, domain = text.partition("@")
    # Nearly all of the time goes to the domain, which the addresses of a call often share.
    if len(text) <= MAX_LENGTH and PLAIN.fullmatch(name):
        return _is_valid("a" * len(name) + "@" + domain)
    return _is_valid.__wrapped__(text)


@lru_cache(maxsize=1024)
def _is_valid(text: str) -> bool:
    try:
        validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return False
    return True
