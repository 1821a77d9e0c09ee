"""Values as an audit trail keeps them: text of bounded length."""

from __future__ import annotations

from datetime import date, datetime

from shared.vault.access.moments import moment

MAX_VALUE = 2_000
MAX_DEFINITION = 100_000  # of a component as MDL, or of a deleted record whole
CUT = "…"


def text_of(value: object) -> str | None:
    """A column's value as text, None for an empty one; long text is cut, and ends in an ellipsis then."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    return cut(str(value))


def cut(text: str, length: int = MAX_VALUE) -> str:
    """The text, at most ``length`` characters of it."""
    return text if len(text) <= length else text[: length - 1] + CUT
