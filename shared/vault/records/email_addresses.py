"""Checks that a text is the address of one mailbox, and that no e-mail to it could reach another."""

from __future__ import annotations

import email_validator
from email_validator import EmailNotValidError, validate_email

# Vaults stand in networks of their own, with mail servers in domains such as `.local`.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def is_one_address(text: str) -> bool:
    """Return whether a text is exactly one address, without a list, display name or line break."""
    try:
        validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return False
    return True
