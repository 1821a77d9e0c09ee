"""Describes an integration point as one object, for transfers, runs and checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from services.connector.points.transfer import Outcome, Transfer, UnitLineage
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.point_share import PointShare
from services.connector.rules.rows import modified_field
from services.connector.vaults.record_access import RecordAccess, RecordReads

FIRST, SECOND, LAST = 0, 1, 100
"""Places of integration points in a run."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The records that a run lists for an integration point: the changed records of an object that meet a condition.

    With ``through`` (a to-many relationship) or ``path`` (to-one relationships of the object, or of the records behind
    ``through``) it lists unchanged records of which a related record has changed; with ``deleted``, records that were
    deleted in the source.
    """

    integration_point: str
    object: str
    condition: str | None = None
    through: str | None = None
    path: str = ""
    deleted: bool = False

    @property
    def modified(self) -> str:
        """Return the date field that decides whether a record is in the window of a run."""
        return modified_field(self.object)

    @property
    def related(self) -> bool:
        """Return whether records are listed for changes of related records instead of their own."""
        return bool(self.through or self.path)


TransferUnit = Callable[[Transfer], Awaitable[Outcome]]
"""Transfers a unit.

It raises OutdatedRead when it is to be called again; ClientError, ConfigurationFault or RuleError when none of the unit
can be judged.
"""

Narrow = Callable[[RecordReads, Reading], Awaitable[Reading | None]]
"""Narrows what a run reads of an object for the Vault that the records are for; returns None when it reads nothing."""

MarkFailed = Callable[
    [RecordAccess, Mapping[str, str], UnitLineage | None],
    Awaitable[Mapping[str, ItemFailure]],
]
"""Marks records in the source Vault that were not transferred, and returns the failures of those it refused to mark.

It takes reasons by id, empty where the source keeps none. It may raise ClientError. It is called when their exceptions
are recorded.
"""


async def whole_reading(
    _target: RecordReads,
    reading: Reading,
) -> Reading | None:
    """Return a reading as it is."""
    return reading


@dataclass(frozen=True, slots=True)
class Point:
    """One integration point, identified by its API name or, on the copy of a connection, by that of the original.

    * ``order`` is its place in a run: all batches of a place are transferred before those of the next are read.
    * ``narrow`` decides which of the changed records a run reads.
    * ``narrow_all`` decides which of all records are to be in the target, for comparisons; ``narrow`` where it is None.
    * ``object`` is the only source object whose records it transfers; None when its rules say which.
    * ``linked`` are the target objects whose Link is the Global ID of a record that the point transfers, besides those
      of its rules.
    * ``traced_by`` is the field of target records that has the Global ID, or in ``crm_id__v`` the id, of their source.
    * ``flags_deletions``: a run also reads which records the source no longer has.
    * ``fills_documents``: its rules may fill fields of documents.
    * ``on_demand``: its records are read when a user searches for them, and by no run.
    * ``share`` describes what its own code adds to its rules, or leaves out of them.
    * ``opening`` is a query to the target Vault for each unit, independent of the configuration. It is sent first: its
      answer has the Vault's revision as well, which would otherwise need a call of its own.
    * ``mark_failed`` has, by source object, the function that marks the records that were not transferred.
    """

    name: str
    transfer: TransferUnit
    order: int = LAST
    narrow: Narrow = whole_reading
    narrow_all: Narrow | None = None
    object: str | None = None
    linked: frozenset[str] = frozenset()
    traced_by: str = "link__sys"
    flags_deletions: bool = False
    fills_documents: bool = False
    on_demand: bool = False
    opening: str | None = None
    share: PointShare = field(default_factory=PointShare)
    mark_failed: Mapping[str, MarkFailed] = field(default_factory=dict)
