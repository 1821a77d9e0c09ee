"""Reference lookups: a key of the source Vault stands for a key of the target Vault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.connector.rules.conversion import Convert, Unfit

Json = Mapping[str, object]

OBJECT = "object"
GENERIC = "generic"
TYPES = (
    "picklist",
    OBJECT,
    "objectlifecyclestate",
    "documentlifecyclestate",
    "documenttype",
    GENERIC,
)
DEPRECATED = {"lifecyclestate": "objectlifecyclestate"}
"""Types that older configuration names, and what is read in their place."""
MAX_NAMED_KEY = 100


class MissingLookup(StrEnum):
    """What a field rule does about a source key that its lookup set has no active row for."""

    ERROR = "error"
    DEFAULT = "default"
    WARNING = "warning"


class UnknownKey(Unfit):
    """A source key that the lookup set has no row for; with ``warning`` the record is transferred all the same."""

    def __init__(self, text: str, *, warning: bool) -> None:
        super().__init__(text)
        self.warning = warning


class UseDefault(Exception):
    """The field rule's default stands in for a source key without a row."""


@dataclass(frozen=True, slots=True)
class LookupSet:
    """One named set: target keys by source key.

    Of type object, a target key is the value of ``target_key_field`` of the record meant, or its id.
    """

    name: str
    type: str
    entries: Mapping[str, str]
    target_object: str | None = None
    target_key_field: str | None = None


Lookups = Mapping[tuple[str, str], LookupSet]
"""Lookup sets by (type, name)."""


def translation(lookup: LookupSet, fit: Convert, missing: MissingLookup) -> Convert:
    """The function from a source value to the fitted value of its target key, element by element for several.

    It raises UnknownKey or UseDefault for a key without a row, as ``missing`` says.
    """
    # Fitting a target key again for every row would cost more than the lookup, so that is done once a key.
    fitted: dict[str, object] = {}

    def convert(value: object) -> object:
        keys = (
            [source_key(element) for element in value]
            if isinstance(value, list)
            else [source_key(value)]
        )
        if len(keys) == 1 and keys[0] in fitted:
            return fitted[keys[0]]
        unknown = [key for key in keys if key not in lookup.entries]
        if unknown:
            raise _missing(lookup, unknown, missing, coded=isinstance(value, list))
        targets = [lookup.entries[key] for key in keys]
        if len(keys) > 1:
            return fit(targets)
        found = fitted[keys[0]] = fit(targets[0])
        return found

    return convert


def source_key(value: object) -> str:
    """One source value as a row of a lookup names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _missing(
    lookup: LookupSet, keys: list[str], missing: MissingLookup, *, coded: bool
) -> UnknownKey | UseDefault:
    if missing is MissingLookup.DEFAULT:
        return UseDefault()
    # Keys of picklists, states and objects are codes; a generic lookup may read any text, so its key is not named.
    named = coded or lookup.type != GENERIC
    keys_named = (
        f" {', '.join(key[:MAX_NAMED_KEY] for key in keys)}"
        if named
        else " this record holds"
    )
    return UnknownKey(
        f"reference lookup {lookup.name} ({lookup.type}) has no active row for the source key{keys_named}; "
        "add one to the connection's Reference Lookups",
        warning=missing is MissingLookup.WARNING,
    )


def read_lookups(rows: Iterable[Json]) -> Lookups:
    """Gather the rows of ``reference_lookup__sys`` of one connection into sets; inactive rows are left out."""
    entries: dict[tuple[str, str], dict[str, str]] = {}
    targets: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for row in rows:
        name, kind = (
            _text(row, "reference_lookup_name__sys"),
            _text(row, "reference_lookup_type__sys"),
        )
        source, target = _text(row, "source_key__sys"), _text(row, "target_key__sys")
        if (
            not (name and kind and source and target)
            or _text(row, "status__v") == "inactive__v"
        ):
            continue
        key = (kind.removesuffix("__sys"), name)
        entries.setdefault(key, {})[source] = target
        if key not in targets or targets[key] == (None, None):
            targets[key] = (
                _text(row, "target_object__sys"),
                _text(row, "target_key_field__sys"),
            )
    return {
        key: LookupSet(
            key[1],
            key[0],
            found,
            target_object=targets[key][0],
            target_key_field=targets[key][1],
        )
        for key, found in entries.items()
    }


def _text(row: Json, name: str) -> str | None:
    value = row.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) and value else None


class MissingKeys:
    """The missing keys of a connection's lookup sets, by set and key; a key is counted once a row and field rule."""

    def __init__(self) -> None:
        self.sets: dict[tuple[str, str], LookupSet] = {}
        self._counts: dict[tuple[str, str], Counter[str]] = {}

    def count(self, missing: Iterable[tuple[LookupSet, str]]) -> None:
        """Add keys that rows have and their lookup sets have not."""
        for lookup, key in missing:
            place = (lookup.type, lookup.name)
            self.sets[place] = lookup
            self._counts.setdefault(place, Counter())[key] += 1

    def listed(self) -> list[tuple[LookupSet, str, int]]:
        """Set, key and count: by set, the most frequent keys first."""
        return [
            (self.sets[place], key, count)
            for place in sorted(self._counts)
            for key, count in sorted(
                self._counts[place].items(), key=lambda entry: (-entry[1], entry[0])
            )
        ]
