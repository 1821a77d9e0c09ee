"""Source states: every row says which state of its source it tells of; what may be an older one is read again.

The target Vault takes a row whose source was modified later than the stored state says. Of any other row it cannot
tell whether it is older, of the same moment, or newer in a way that left the date as it was, as when a related record
has changed. So the source is read again: what it says after the refusal is newer than what was stored before it, and
is sent with a moment just after the stored one. Whoever wrote something meanwhile makes this one read once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.client.results import RowResult
from shared.spark.envelope import format_moment

STEP = timedelta(milliseconds=1)  # the API's resolution


class OutdatedRead(Exception):
    """Rows that may be older than what is stored were left out; the unit is to be read and written again."""


@dataclass(slots=True)
class SourceStates:
    """The stored states that a unit's rows have met, by target object and key value."""

    _met: dict[tuple[str, str], str] = field(default_factory=dict)

    def moment(self, object_name: str, key: str, modified: str) -> str:
        """The moment to send for a row that has just been read; moments are as the API writes them."""
        met = self._met.get((object_name, key))
        if met is None or modified > met:
            return modified
        return format_moment(datetime.fromisoformat(met) + STEP)

    def check(self, object_name: str, results: Mapping[str, RowResult]) -> None:
        """Note what rows have met, by key value; raises OutdatedRead when any was left out."""
        met = {
            (object_name, key): result.newer
            for key, result in results.items()
            if result.newer is not None
        }
        if met:
            self._met |= met
            raise OutdatedRead(f"{len(met)} {object_name}")
