"""Translates source keys to target keys by reference lookups, and counts the keys that a lookup set lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from services.connector.rules.conversion import Convert, Unfit

Json = Mapping[str, object]

MAX_CACHED_KEYS = 10_000
"""Keys of one set that are kept between units, where sets are read key by key."""
MAX_NAMED_KEY = 100
"""Characters of a source key that an error text shows."""


class LookupType(StrEnum):
    """The types of lookup sets, by the kind of their source keys; without the ending ``__sys``."""

    PICKLIST = "picklist"
    OBJECT = "object"
    OBJECT_STATE = "objectlifecyclestate"
    DOCUMENT_STATE = "documentlifecyclestate"
    DOCUMENT_TYPE = "documenttype"
    GENERIC = "generic"
    UNTYPED = ""
    """That of a field rule that names a lookup and no type: no set is of this type."""

    @property
    def shows_keys(self) -> bool:
        """Return whether error texts may show source keys of a set of this type."""
        match self:
            case (
                LookupType.PICKLIST
                | LookupType.OBJECT
                | LookupType.OBJECT_STATE
                | LookupType.DOCUMENT_STATE
                | LookupType.DOCUMENT_TYPE
                | LookupType.UNTYPED
            ):
                return True  # keys of picklists, types, states and objects are codes
            case LookupType.GENERIC:
                return False  # a generic lookup may read any text
            case _:
                assert_never(self)

    @property
    def leads_to_records(self) -> bool:
        """Return whether the target keys of such a set are keys of records."""
        match self:
            case LookupType.OBJECT:
                return True
            case (
                LookupType.PICKLIST
                | LookupType.OBJECT_STATE
                | LookupType.DOCUMENT_STATE
                | LookupType.DOCUMENT_TYPE
                | LookupType.GENERIC
                | LookupType.UNTYPED
            ):
                return False
            case _:
                assert_never(self)


LOOKUP_TYPES = tuple(kind for kind in LookupType if kind is not LookupType.UNTYPED)
_DEPRECATED = {"lifecyclestate": LookupType.OBJECT_STATE}
"""Types that older configuration names, and what is read in their place."""


class MissingLookup(StrEnum):
    """The ways in which a field rule treats a source key without an active row in its lookup set."""

    ERROR = "error"
    DEFAULT = "default"
    WARNING = "warning"


class UnknownKey(Unfit):
    """Raised for a source key without a row in the lookup set."""


class UseDefault(Exception):
    """Raised for a source key without a row when the field rule's default replaces it."""


@dataclass(frozen=True, slots=True)
class LookupSet:
    """One named set: target keys by source key.

    In a set of type object, a target key is the id of a record, or the value of its ``target_key_field``. With
    ``KeyedEntries``, only the rows of some keys were read so far; ``connection`` (a record id) is the set's connection.
    """

    name: str
    type: LookupType
    entries: Mapping[str, str]
    target_object: str | None = None
    target_key_field: str | None = None
    connection: str = ""

    def unread(self, keys: Collection[str]) -> set[str]:
        """Return those of the keys whose lookup rows are not read yet; none of a set that was read as a whole."""
        if isinstance(self.entries, KeyedEntries):
            return set(keys) - self.entries.looked_for
        return set()


class KeyedEntries(dict[str, str]):
    """The entries of a set that is read key by key: of the keys in ``looked_for``, those that have a row."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_for: set[str] = set()

    def add(
        self,
        keys: Collection[str],
        found: Mapping[str, str],
        wanted: Collection[str],
    ) -> None:
        """Add keys with the entries found for them.

        The keys in ``wanted``, those of the whole unit, are never evicted.
        """
        if len(self.looked_for) + len(keys) > MAX_CACHED_KEYS:
            self.looked_for.intersection_update(wanted)
            kept = {key: self[key] for key in self.looked_for if key in self}
            self.clear()
            self.update(kept)
        self.looked_for.update(keys)
        self.update(found)


LookupName = tuple[str, str]
"""(type, name): sets of different types may have one name."""

Lookups = Mapping[LookupName, LookupSet]


def read_lookup_type(name: str) -> LookupType | None:
    """Return the lookup type that a field rule names; None when there is no such type."""
    short = name.removesuffix("__sys")
    kind = _DEPRECATED.get(short, short)
    if kind in LOOKUP_TYPES:
        return LookupType(kind)
    return None


def translation(
    lookup: LookupSet,
    fit: Convert,
    missing: MissingLookup,
) -> Convert:
    """Return the function from a source value to the converted target key; a list is translated element by element.

    The function raises ``UnknownKey`` or ``UseDefault`` for a key without a row, depending on ``missing``.
    """
    # Fitting a target key again for every row would cost more than the lookup, so it is done once a key.
    fitted: dict[str, object] = {}

    def convert(value: object) -> object:
        # A picklist comes as a list, also with a single value.
        elements = value if isinstance(value, list) else [value]
        keys = [source_key(element) for element in elements]
        if len(keys) == 1 and keys[0] in fitted:
            return fitted[keys[0]]
        unknown = [key for key in keys if key not in lookup.entries]
        if unknown:
            raise _missing(
                lookup,
                unknown,
                missing,
                coded=isinstance(value, list),
            )
        targets = [lookup.entries[key] for key in keys]
        if len(keys) > 1:
            return fit(targets)
        if len(fitted) >= MAX_CACHED_KEYS:
            fitted.clear()
        found = fitted[keys[0]] = fit(targets[0])
        return found

    return convert


def source_key(value: object) -> str:
    """Return one source value as the key in the rows of a lookup set, without surrounding white space."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _missing(
    lookup: LookupSet,
    keys: list[str],
    missing: MissingLookup,
    *,
    coded: bool,
) -> UnknownKey | UseDefault:
    match missing:
        case MissingLookup.DEFAULT:
            return UseDefault()
        case MissingLookup.ERROR | MissingLookup.WARNING:
            pass
        case _:
            assert_never(missing)
    shown = "this record holds"
    # The elements of a list are codes, whatever the lookup reads.
    if coded or lookup.type.shows_keys:
        shown = ", ".join(key[:MAX_NAMED_KEY] for key in keys)
    return UnknownKey(
        f"reference lookup {lookup.name} ({lookup.type}) has no active row for the source key {shown}; "
        "add one to the connection's Reference Lookups"
    )


def read_lookups(rows: Iterable[Json]) -> Lookups:
    """Gather the rows of ``reference_lookup__sys`` of one connection into sets; inactive rows are left out."""
    entries: dict[LookupName, dict[str, str]] = {}
    targets: dict[LookupName, tuple[str | None, str | None]] = {}
    types: dict[LookupName, LookupType] = {}
    for row in rows:
        name = _text(row, "reference_lookup_name__sys")
        kind = _row_type(row)
        source = _key(row, "source_key__sys")
        target = _key(row, "target_key__sys")
        # An incomplete row translates nothing.
        if not (name and kind and source and target) or _is_inactive(row):
            continue
        key = (kind, name)
        types[key] = kind
        entries.setdefault(key, {})[source] = target
        # The rows of a set may name their target object only once.
        if targets.get(key, (None, None)) == (None, None):
            targets[key] = (
                _text(row, "target_object__sys"),
                _text(row, "target_key_field__sys"),
            )
    return {
        key: LookupSet(key[1], types[key], found, *targets[key])
        for key, found in entries.items()
    }


def _row_type(row: Json) -> LookupType | None:
    name = (_text(row, "reference_lookup_type__sys") or "").removesuffix("__sys")
    return LookupType(name) if name in LOOKUP_TYPES else None


def _is_inactive(row: Json) -> bool:
    return _text(row, "status__v") == "inactive__v"


def _text(
    row: Json,
    name: str,
) -> str | None:
    value = row.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) and value else None


def _key(row: Json, name: str) -> str | None:
    """Return a key as ``source_key`` returns one; None where there is none."""
    value = _text(row, name)
    if value:
        return value.strip() or None
    return None


class MissingKeys:
    """The source keys without a row in the lookup sets of a connection, with the number of times each was read."""

    def __init__(self) -> None:
        self._sets: dict[LookupName, LookupSet] = {}
        self._counts: dict[LookupName, Counter[str]] = {}

    def count(self, missing: Iterable[tuple[LookupSet, str]]) -> None:
        """Count keys of rows that are missing in their lookup sets."""
        for lookup, key in missing:
            place = (lookup.type, lookup.name)
            self._sets[place] = lookup
            counts = self._counts.setdefault(place, Counter())
            counts[key] += 1

    def listed(self) -> list[tuple[LookupSet, str, int]]:
        """Return tuples of set, key and count, grouped by set, the most frequent keys first."""
        found: list[tuple[LookupSet, str, int]] = []
        for place in sorted(self._counts):
            counts = self._counts[place]
            # Keys of one count are in order of their names, so that the same list is returned every time.
            keys = sorted(counts, key=lambda key: (-counts[key], key))
            found += [(self._sets[place], key, counts[key]) for key in keys]
        return found
