"""Reads whole numbers that clients write as text."""

from __future__ import annotations

BIGINT = 2**63 - 1
"""The largest number that the database and the API's clients have."""


def whole_number(text: str, most: int = BIGINT) -> int | None:
    """Return the number of a text that is all digits, up to ``most``; None for any other text."""
    # Other scripts have digits too, which Python would read and others would not.
    if not text.isascii() or not text.isdigit():
        return None
    significant = text.lstrip("0") or "0"
    # Python refuses to read a text of thousands of digits.
    if len(significant) > len(str(most)):
        return None
    number = int(significant)
    return number if number <= most else None
