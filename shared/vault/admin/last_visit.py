"""Keeps in a cookie when a user last opened the home page, so that later records are marked as new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.admin.cookies import set_cookie

if TYPE_CHECKING:
    from starlette.responses import Response

    from shared.vault.admin.page_context import PageContext

# Opening the page again within this time is the same visit: records that were new stay new.
SAME_VISIT = timedelta(minutes=30)
COOKIE_AGE = timedelta(days=90)
SEPARATOR = "|"  # a character that cookies may have without quotes


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """The times at which a user opened the home page; None when unknown.

    ``previous`` is the last time in the visit before this one, ``latest`` the most recent time.
    """

    previous: datetime | None
    latest: datetime | None

    @classmethod
    def from_cookie(cls, user_id: int, value: str) -> VisitTimes:
        """Return the times in a cookie; unknown times when the cookie is another user's, or invalid."""
        of, _, moments = value.partition(SEPARATOR)
        previous, _, latest = moments.partition(SEPARATOR)
        if of != str(user_id):
            return cls(None, None)
        return cls(_moment(previous), _moment(latest))

    def opened_at(self, now: datetime) -> VisitTimes:
        """Return the new times of a user who opens the page at ``now``."""
        if self.latest is not None and now - self.latest > SAME_VISIT:
            return VisitTimes(self.latest, now)
        return VisitTimes(self.previous, now)

    def cookie_value(self, user_id: int) -> str:
        """Return the times as the value of the user's cookie."""
        moments = (
            each.isoformat() if each else "-" for each in (self.previous, self.latest)
        )
        return SEPARATOR.join([str(user_id), *moments])


def visit_times(context: PageContext) -> VisitTimes:
    """Return the times at which the caller opened the home page, including this request."""
    value = context.request.cookies.get(_name(context), "")
    return VisitTimes.from_cookie(context.caller.user_id, value).opened_at(
        datetime.now(UTC)
    )


def store_visit(context: PageContext, response: Response, times: VisitTimes) -> None:
    """Store the times in the browser's cookie."""
    value = times.cookie_value(context.caller.user_id)
    seconds = int(COOKIE_AGE.total_seconds())
    set_cookie(context.request, response, _name(context), value, seconds)


def _name(context: PageContext) -> str:
    return f"vault_{context.vault.vault_id}_looked"


def _moment(text: str) -> datetime | None:
    """Return the time in a text of a cookie; None for an invalid time, or one without a time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
