"""Keeps in a cookie when a user last opened the home page, so that later records are marked as new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.admin.cookies import set_cookie

if TYPE_CHECKING:
    from starlette.responses import Response

    from shared.vault.admin.visit import Visit

# Opening the page again within this time is the same visit: records that were new stay new.
ONE_VISIT = timedelta(minutes=30)
KEPT = timedelta(days=90)
SEPARATOR = "|"  # a character that cookies may have without quotes


@dataclass(frozen=True, slots=True)
class LastVisit:
    """The times at which a user opened the home page; None when unknown.

    ``ended`` is the last time during the previous visit, ``looked`` the last time of all.
    """

    ended: datetime | None
    looked: datetime | None

    @classmethod
    def read(cls, user_id: int, value: str) -> LastVisit:
        """Return the times in a cookie; unknown times when the cookie is another user's, or invalid."""
        of, _, moments = value.partition(SEPARATOR)
        ended, _, looked = moments.partition(SEPARATOR)
        if of != str(user_id):
            return cls(None, None)
        return cls(_moment(ended), _moment(looked))

    def at(self, now: datetime) -> LastVisit:
        """Return the times after the user has opened the page ``now``."""
        if self.looked is not None and now - self.looked > ONE_VISIT:
            return LastVisit(self.looked, now)
        return LastVisit(self.ended, now)

    def written(self, user_id: int) -> str:
        """Return the times as the value of the user's cookie."""
        moments = (
            each.isoformat() if each else "-" for each in (self.ended, self.looked)
        )
        return SEPARATOR.join([str(user_id), *moments])


def last_visit(visit: Visit) -> LastVisit:
    """Return the times at which the caller opened the home page, including this request."""
    value = visit.request.cookies.get(_name(visit), "")
    return LastVisit.read(visit.caller.user_id, value).at(datetime.now(UTC))


def keep(visit: Visit, response: Response, last: LastVisit) -> None:
    """Store the times in the browser's cookie."""
    value = last.written(visit.caller.user_id)
    seconds = int(KEPT.total_seconds())
    set_cookie(visit.request, response, _name(visit), value, seconds)


def _name(visit: Visit) -> str:
    return f"vault_{visit.vault.vault_id}_looked"


def _moment(text: str) -> datetime | None:
    """Return the time in a text of a cookie; None for an invalid time, or one without a time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
