"""Writes a datetime as text the way the REST API does: UTC, milliseconds, ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def date_time_text(value: datetime | None) -> str | None:
    """Return an aware datetime as text like ``2012-04-25T21:49:27.719Z``, or None for None."""
    if value is None:
        return None
    text = value.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
