"""Cuts from error texts of the API the values that they repeat, which may be personal."""

from __future__ import annotations

import re

MAX_REASON = 1000
"""Characters of an API error text that are recorded."""
# To the last bracket, as a value may have some; what is not closed goes to the end: rather too little than a value.
_SHOWN_VALUE = re.compile(r"\[(\w++)\s*+=(?s:.*\]|.*+)")


def without_values(message: str) -> str:
    """Return at most 1,000 characters of an API error text, ``[field=value]`` in it cut to ``[field]``."""
    return _SHOWN_VALUE.sub(r"[\1]", message)[:MAX_REASON]
