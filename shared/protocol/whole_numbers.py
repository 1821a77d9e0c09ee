"""Reads whole numbers from text of any length in one pass."""

from __future__ import annotations

LARGEST = 2**63 - 1
"""The largest number that PostgreSQL's bigint holds."""


def whole_number(text: str, largest: int = LARGEST) -> int | None:
    """Return the number from 0 to ``largest`` that is written in ASCII digits; None for any other text."""
    # int() takes digits of every script, and raises an error for more than 4300 of them.
    if not (text.isascii() and text.isdigit()):
        return None
    significant = text.lstrip("0") or "0"
    if len(significant) > len(str(largest)):
        return None
    number = int(significant)
    if number <= largest:
        return number
    return None
