"""Pending references of many rows: which keys to ask the target Vault for, and the rows with ids in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from services.connector.rules.compiled import CompiledRule, Targets
from services.connector.rules.conversion import Unfit
from services.connector.rules.field_errors import FieldError, ItemErrorType
from services.connector.rules.vql_text import statements

Unique = tuple[str, str]
"""(object, field by whose value its records are known)."""

Found = Mapping[Unique, Mapping[str, str]]
"""Record id by key; a key that several records have maps to AMBIGUOUS."""

AMBIGUOUS = ""


class PendingReference(NamedTuple):
    """A reference known by a unique key of the record meant; its id is looked up later, for all rows at once."""

    object: str
    field: str
    key: str


def pending_keys(
    compiled: CompiledRule, rows: Iterable[Targets]
) -> dict[Unique, dict[str, None]]:
    """The distinct keys that the rows refer to, by object and field, in order of first mention."""
    keys: dict[Unique, dict[str, None]] = {}
    fields = [(part.target_object, part.sent_as) for part in compiled.references]
    for targets in rows:
        for target_object, target_field in fields:
            value = targets[target_object].get(target_field)
            if isinstance(value, PendingReference):
                keys.setdefault((value.object, value.field), {})[value.key] = None
    return keys


def key_statements(unique: Unique, keys: Iterable[str]) -> Iterator[str]:
    """The VQL that finds the records of these keys in the target Vault."""
    name, field = unique
    return statements(f"SELECT id, {field} FROM {name}", field, keys)  # noqa: S608  VQL, literals quoted


def index(field: str, rows: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Record ids by key, of the rows that ``key_statements`` brought back."""
    found: dict[str, str] = {}
    for row in rows:
        key = str(row.get(field))
        found[key] = (
            AMBIGUOUS if key in found and found[key] != row["id"] else str(row["id"])
        )
    return found


def settle(compiled: CompiledRule, targets: Targets, found: Found) -> list[FieldError]:
    """Put record ids in place of a row's pending references; the errors name those that lead nowhere."""
    errors: list[FieldError] = []
    for part in compiled.references:
        values = targets[part.target_object]
        value = values.get(part.sent_as)
        if not isinstance(value, PendingReference):
            continue
        record = found.get((value.object, value.field), {}).get(value.key)
        if record:
            values[part.sent_as] = record
            continue
        problem = (
            f"no {value.object} with {value.field} {_named(value.key)} exists in the target Vault; "
            "add it or correct the source record"
            if record is None
            else f"several {value.object} records have {value.field} {_named(value.key)}; leave only one of them"
        )
        errors.append(compiled.error(part, Unfit(problem), ItemErrorType.REFERENCE))
    return errors


def _named(key: str) -> str:
    # An address or a sentence in a key field may be personal; codes and external ids are not.
    return (
        key
        if len(key) <= 100 and "@" not in key and " " not in key
        else "as in the source record"
    )
