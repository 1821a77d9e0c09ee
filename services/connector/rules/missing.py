"""Source keys that lookup sets have no row for, counted over evaluated rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from services.connector.rules.compiled import CompiledRule
from services.connector.rules.conversion import is_empty
from services.connector.rules.lookups import LookupSet, source_key
from services.connector.rules.rows import Row


class MissingKeys:
    """The missing keys of a connection's lookup sets, by set and key; a key is counted once a row and field rule."""

    def __init__(self) -> None:
        self.sets: dict[tuple[str, str], LookupSet] = {}
        self._counts: dict[tuple[str, str], Counter[str]] = {}

    def count(self, rule: CompiledRule, rows: Iterable[Row]) -> None:
        """Add what a rule meets in rows, whatever its field rules do about a missing key."""
        looking = [
            (part, part.lookup) for part in rule.fields if part.lookup is not None
        ]
        for row in rows:
            for part, lookup in looking:
                value = part.source(row)
                if is_empty(value):
                    continue
                keys = {
                    source_key(element)
                    for element in (value if isinstance(value, list) else [value])
                }
                missing = keys - lookup.entries.keys()
                if missing:
                    place = (lookup.type, lookup.name)
                    self.sets[place] = lookup
                    self._counts.setdefault(place, Counter()).update(missing)

    def listed(self) -> list[tuple[LookupSet, str, int]]:
        """Set, key and count: by set, the most frequent keys first."""
        return [
            (self.sets[place], key, count)
            for place in sorted(self._counts)
            for key, count in sorted(
                self._counts[place].items(), key=lambda entry: (-entry[1], entry[0])
            )
        ]
