"""Defines a run of an integration, its batches and counts, and how the counts add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import JobStatus

JOB_TYPE = "integration_run"
# A run says so when open transactions of the source hold Last Successful Run Time back for longer.
SHORT_HOLD = timedelta(minutes=5)
UNKNOWN_COMPLETENESS = (
    "The source cannot tell until when its changes are complete. The next run begins earlier than this one has read, by"
    " the connector's overlap; a change is missed if its transaction lasts longer than that"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a run's source records: ``read = skipped + written + failed``.

    ``skipped`` records are left out by a rule or an agreement. ``mapped`` records have their
    target values, and were then written or failed. ``written`` includes the ``unchanged``
    records, for which nothing had to be stored.
    """

    read: int = 0
    mapped: int = 0
    skipped: int = 0
    written: int = 0
    failed: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the sums of two counts."""
        return Counts(
            read=self.read + other.read,
            mapped=self.mapped + other.mapped,
            skipped=self.skipped + other.skipped,
            written=self.written + other.written,
            failed=self.failed + other.failed,
            unchanged=self.unchanged + other.unchanged,
        )

    def check(self) -> None:
        """Check that the counts add up.

        :raises VaultFault: INVALID_DATA when they do not.
        """
        whole = self.read == self.skipped + self.written + self.failed
        negative = min(self.skipped, self.failed) < 0
        ordered = (0, self.unchanged, self.written, self.mapped, self.most_mapped)
        in_order = list(ordered) == sorted(ordered)
        if negative or not whole or not in_order:
            message = (
                "Counts must add up: read = skipped + written + failed;"
                " unchanged <= written <= mapped <= written + failed"
            )
            raise VaultFault(ErrorType.INVALID_DATA, message)

    # A record may fail before or after it is mapped, so this is not an equation.
    @property
    def most_mapped(self) -> int:
        """Return the upper bound of ``mapped``: a record fails before or after it is mapped."""
        return self.written + self.failed

    def to_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Batch:
    """The counts of one batch, numbered from 1 within its run."""

    number: int
    integration_point: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Paging:
    """The progress of reading a stage: the batches of the run so far, and the position of the next batch."""

    stage: int
    batches: int
    position: str
    ended: bool = False
    more_stages: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it is stored; times are None until they are known.

    ``found_time`` is the integration's time when the run began, ``source_time`` the source's clock when the reading
    began, ``complete_until`` the moment from which changes may still have been uncommitted then; None when the source
    cannot tell. The window begins at ``read_since``, at or before ``changed_since``. ``continues`` is True when an
    earlier run has read up to ``changed_since``, ``paged`` when the stage is read, ``stalled`` when no connector has
    reported for too long.
    """

    job_id: int
    status: JobStatus
    created_by: int
    created_date: datetime
    run_start_date: datetime | None
    run_end_date: datetime | None
    found_time: datetime | None
    changed_since: datetime | None
    read_since: datetime | None
    continues: bool
    source_time: datetime | None
    complete_until: datetime | None
    stage: int
    position: str
    batches: int
    reported: int
    paged: bool
    more_stages: bool
    error: str | None
    stalled: bool
    by_point: Mapping[str, Counts]

    @property
    def counts(self) -> Counts:
        """Return the counts of all points together."""
        return sum(self.by_point.values(), Counts())

    @property
    def moves_to(self) -> datetime | None:
        """Return the time to which a run without failures moves Last Successful Run Time; None until it is known."""
        return self.complete_until or self.source_time

    @property
    def notice(self) -> str | None:
        """Return a notice to administrators about an unusual window; None otherwise."""
        if self.source_time is None:
            return None
        if self.complete_until is None:
            return UNKNOWN_COMPLETENESS
        behind = self.source_time - self.complete_until
        if behind <= SHORT_HOLD:
            return None
        minutes = behind // timedelta(minutes=1)
        return (
            f"A transaction that changes data in the source has been open for {minutes} minutes. All that was committed"
            " is read, but Last Successful Run Time moves to the beginning of that transaction only"
        )

    @property
    def stage_done(self) -> bool:
        """Return whether the stage is read, and each of its batches reported."""
        # Batches are reported by several connectors, also before the last one is sent.
        return self.paged and self.reported >= self.batches
