"""What a caller tells of the rows of a record call: where their values come from; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

FIELD = "lineage__sys"
"""In a row: its :class:`RowLineage`, as a list. It is no field of the object."""
MAX_ID = 255  # characters of a message id or of a source record's


class RowLineage(NamedTuple):
    """Where one row comes from: which of the call's origins, by which message, and from which source record."""

    origin: int
    message_id: str
    source_record: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What rows of a call may have in common: object and rule; ``own`` fields the integration point sets itself.

    Without a rule it sets all of them.
    """

    object: str | None
    rule: str | None
    own: frozenset[str]

    def split(self, fields: frozenset[str]) -> tuple[list[str], list[str]]:
        """Fields that the rule sets, and those that the point sets itself."""
        own = fields if self.rule is None else fields & self.own
        return sorted(fields - own), sorted(own)


@dataclass(frozen=True, slots=True)
class CallLineage:
    """What a caller tells of a call as a whole; ``run`` is a job, ``time`` is by the caller's clock."""

    source_vault_id: int
    integration: str
    integration_point: str
    run: int | None
    time: datetime
    origins: tuple[Origin, ...]


def read_row(value: object) -> RowLineage | None:
    """The lineage of a row as it was sent, ``[origin, message id, source record id or null]``; None for anything else.

    Whether the call has such an origin is not known here.
    """
    match value:
        case [int(origin), str(message), (str() | None) as record] if not isinstance(
            origin, bool
        ):
            fits = (
                _is_id(message) and (record is None or _is_id(record)) and origin >= 0
            )
            return RowLineage(origin, message, record) if fits else None
    return None


def _is_id(text: str) -> bool:
    return 0 < len(text) <= MAX_ID and "\x00" not in text
