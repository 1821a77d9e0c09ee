"""Reference lookups: a key of the source Vault stands for a key of the target Vault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Json = Mapping[str, object]

PICKLIST = "picklist"
OBJECT = "object"
GENERIC = "generic"
TYPES = (PICKLIST, OBJECT, GENERIC)


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


def read_lookups(rows: Iterable[Json]) -> Lookups:
    """Gather the rows of ``reference_lookup__sys`` of one connection into sets; inactive rows are left out."""
    entries: dict[tuple[str, str], dict[str, str]] = {}
    targets: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for row in rows:
        name, kind = _text(row, "reference_lookup_name__sys"), _text(row, "reference_lookup_type__sys")
        source, target = _text(row, "source_key__sys"), _text(row, "target_key__sys")
        if not (name and kind and source and target) or _text(row, "status__v") == "inactive__v":
            continue
        key = (kind.removesuffix("__sys"), name)
        entries.setdefault(key, {})[source] = target
        if key not in targets or targets[key] == (None, None):
            targets[key] = (_text(row, "target_object__sys"), _text(row, "target_key_field__sys"))
    return {
        key: LookupSet(key[1], key[0], found, target_object=targets[key][0], target_key_field=targets[key][1])
        for key, found in entries.items()
    }


def _text(row: Json, name: str) -> str | None:
    value = row.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) and value else None
