"""Keeps what a Vault's answers and messages tell of the revision of its configuration, and since when it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

REVISION_HEADER = "X-VaultAPI-ConfigurationRevision"
# A revision is compared and kept, never shown; what is longer is none of a Vault's.
MAX_LENGTH = 100
ANY_MOMENT = datetime.min.replace(tzinfo=UTC)


class Revision(NamedTuple):
    """What a Vault's configuration and its reference lookups are known by; equal texts mean that nothing changed."""

    configuration: str
    lookups: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """A revision that is not older than the configuration was at the moment ``since``."""

    revision: Revision
    since: datetime


class SeenRevision:
    """The revision of one Vault's configuration, as the call or message that began last has told it.

    ``count`` is the number of answers and messages that have told one. ``silent`` says that an answer to the question
    told none: the Vault is one that counts no changes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.silent = False
        self._seen: _Seen | None = None

    def note(self, told: str | None, began: datetime) -> None:
        """Note what an answer has told whose call began at ``began``, or a message that was queued then."""
        revision = read_revision(told)
        if revision is None:
            return
        self.count += 1
        self.silent = False
        # The clock of a queue may be ahead: of a moment that has not come, nothing is known.
        if began > datetime.now(UTC):
            return
        seen = self._seen
        if seen is None or began >= seen.since:
            self._seen = _Seen(revision, began)
        elif revision != seen.revision:
            # Which of the two is the newer one cannot be told by clocks that differ: the Vault is asked.
            self._seen = None

    def at(self, moment: datetime) -> Revision | None:
        """Return the revision at ``moment`` or later; None when nothing is known of it."""
        seen = self._seen
        known = seen is not None and seen.since >= moment
        return seen.revision if seen is not None and known else None


def read_revision(told: str | None) -> Revision | None:
    """Return the revision in a header; None without one."""
    if told is None or len(told) > MAX_LENGTH:
        return None
    # The count of the lookups comes last.
    configuration, _, lookups = told.rpartition(".")
    return Revision(configuration, lookups) if configuration else None
