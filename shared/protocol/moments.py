"""Reads moments that clients write as text, and counts on from them within the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

STEP = timedelta(milliseconds=1)
"""The API's resolution."""
LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
"""The last moment of the calendar that the API can write."""


def read_moment(text: str) -> datetime:
    """Return the moment of a text in UTC, which is also the zone of one without a zone.

    :raises ValueError: it is not a moment, or none of the calendar in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        # In the first and the last hours of the calendar, changing the zone may leave it.
        message = "the moment is not in the calendar"
        raise ValueError(message) from error


def next_moment(moment: datetime) -> datetime:
    """Return the next moment that the API can write; the last one of the calendar has none behind it but itself."""
    return moment + STEP if moment < LAST else LAST
