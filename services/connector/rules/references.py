"""Finds the records that evaluated rows refer to by key, and replaces the references by the ids of the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import assert_never

from services.connector.rules.compiled import (
    CompiledRule,
    Evaluated,
    PendingReference,
    Targets,
)
from services.connector.rules.conversion import Unfit
from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.rows import Row, statements
from shared.protocol.edge_spaces import edge_space_note

Unique = tuple[str, str]
"""(object, field by whose value its records are known)."""


class Unusable(Enum):
    """The reasons why an existing key identifies no record: several records have it, or its record is inactive."""

    AMBIGUOUS = auto()
    INACTIVE = auto()


Found = Mapping[Unique, Mapping[str, str | Unusable]]
"""Record id by key, or why the records with the key cannot be referred to."""

_STATUS = "status__v"
# A picklist comes as a list.
_INACTIVE = (["inactive__v"], "inactive__v")
MAX_SHOWN_KEY = 100
"""Characters of a key that an error text shows."""


def pending_keys(
    compiled: CompiledRule,
    rows: Iterable[Targets],
) -> dict[Unique, dict[str, None]]:
    """Return the distinct keys that the rows refer to, by object and field, in order of first mention by a field."""
    keys: dict[Unique, dict[str, None]] = {}
    made = list(rows)
    for part in compiled.references:
        values = [row[part.target_object].get(part.sent_as) for row in made]
        pending = [each for each in values if isinstance(each, PendingReference)]
        for name, field, key in dict.fromkeys(pending):
            keys.setdefault((name, field), {})[key] = None
    return keys


def key_statements(
    unique: Unique,
    keys: Iterable[str],
) -> Iterator[str]:
    """Yield the VQL that finds the records of these keys in the target Vault."""
    name, field = unique
    # The status of a document is the state of its lifecycle, and decides nothing here.
    columns = ("id", field) if name == DOCUMENTS else ("id", field, _STATUS)
    names = ", ".join(dict.fromkeys(columns))
    head = f"SELECT {names} FROM {name}"  # noqa: S608  VQL, literals quoted
    return statements(head, field, keys)


def index(
    field: str,
    rows: Iterable[Row],
) -> dict[str, str | Unusable]:
    """Return key → record id, or why no record can be referred to, from rows of ``key_statements``."""
    found: dict[str, str | Unusable] = {}
    for row in rows:
        key = str(row.get(field))
        known = found.get(key, Unusable.INACTIVE)
        record = str(row["id"])
        # An inactive record does not stand in the way of an active one with its key.
        if row.get(_STATUS) in _INACTIVE:
            found[key] = known
        # The same record may be among the rows twice.
        elif known in (Unusable.INACTIVE, record):
            found[key] = record
        else:
            found[key] = Unusable.AMBIGUOUS
    return found


def settle(
    compiled: CompiledRule,
    rows: Mapping[str, Evaluated],
    found: Found,
) -> set[str]:
    """Replace the pending references of rows by record ids; return the rows with keys that lead to no active record.

    Each such key is noted with its row.
    """
    noted: set[str] = set()
    for part in compiled.references:
        name, field = part.target_object, part.sent_as
        for item, evaluated in rows.items():
            values = evaluated.targets[name]
            value = values.get(field)
            if not isinstance(value, PendingReference):
                continue
            record = found.get((value.object, value.field), {}).get(value.key)
            if isinstance(record, str):
                values[field] = record
                continue
            # What the field refers to now stays, as with any value that cannot be translated.
            del values[field]
            problem = _unusable(value, record)
            error = compiled.error(part, problem, ItemErrorType.REFERENCE)
            evaluated.note(part, error)
            noted.add(item)
    return noted


def _unusable(reference: PendingReference, reason: Unusable | None) -> Unfit:
    """Return why a reference leads to no record; ``reason`` is None when no record has the key."""
    name, field, key = reference
    record = f"{name} with {field} {_shown(key)}"
    match reason:
        case None:
            note = edge_space_note(key)
            return Unfit(
                f"no {record} exists in the target Vault; add it or correct the source record{note}"
            )
        case Unusable.AMBIGUOUS:
            return Unfit(
                f"several {name} records have {field} {_shown(key)}; leave only one of them"
            )
        case Unusable.INACTIVE:
            return Unfit(
                f"the {record} is inactive in the target Vault; activate it or correct the source record"
            )
        case _:
            assert_never(reason)


def _shown(key: str) -> str:
    # An address or a sentence in a key field may be personal; codes and external ids are not.
    code = key.strip()
    is_code = len(key) <= MAX_SHOWN_KEY and "@" not in code and " " not in code
    return code if is_code else "as in the source record"
