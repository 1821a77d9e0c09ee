"""Keeps in a cookie when a person looked at their work last, so that what has come since is marked as new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.admin.cookies import set_cookie

if TYPE_CHECKING:
    from starlette.responses import Response

    from shared.vault.admin.visit import Visit

# Looking again within this time is the same visit: what was new in it stays new.
ONE_VISIT = timedelta(minutes=30)
KEPT = timedelta(days=90)
SEPARATOR = "|"  # a character that cookies may have without quotes


@dataclass(frozen=True, slots=True)
class LastVisit:
    """When a person looked last, and when the visit before that one ended; None when it is not known."""

    ended: datetime | None
    looked: datetime | None

    @classmethod
    def read(cls, user_id: int, value: str) -> LastVisit:
        """Return what the cookie of this user says; nothing where it is another user's or cannot be read."""
        of, _, moments = value.partition(SEPARATOR)
        ended, _, looked = moments.partition(SEPARATOR)
        if of != str(user_id):
            return cls(None, None)
        return cls(_moment(ended), _moment(looked))

    def at(self, now: datetime) -> LastVisit:
        """Return what is kept of a person who looks now."""
        if self.looked is not None and now - self.looked > ONE_VISIT:
            return LastVisit(self.looked, now)
        return LastVisit(self.ended, now)

    def written(self, user_id: int) -> str:
        """Return the value of the cookie."""
        moments = (
            each.isoformat() if each else "-" for each in (self.ended, self.looked)
        )
        return SEPARATOR.join([str(user_id), *moments])


def last_visit(visit: Visit) -> LastVisit:
    """Return when the caller looked last, with this look counted."""
    value = visit.request.cookies.get(_name(visit), "")
    return LastVisit.read(visit.caller.user_id, value).at(datetime.now(UTC))


def keep(visit: Visit, response: Response, last: LastVisit) -> None:
    """Set the cookie."""
    value = last.written(visit.caller.user_id)
    seconds = int(KEPT.total_seconds())
    set_cookie(visit.request, response, _name(visit), value, seconds)


def _name(visit: Visit) -> str:
    return f"vault_{visit.vault.vault_id}_looked"


def _moment(text: str) -> datetime | None:
    """Return a moment of a cookie; None for one that is none, or has no time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
