"""Moments as the API writes them: UTC, milliseconds, ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(value: datetime | None) -> str | None:
    """``2012-04-25T21:49:27.719Z``, or None."""
    if value is None:
        return None
    return (
        value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        + "Z"
    )
