"""Pending references of many rows: which keys to ask the target Vault for, and the rows with ids in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from services.connector.rules.compile import CompiledRule, PendingReference, Targets
from services.connector.rules.errors import FieldError, ItemErrorType
from services.connector.rules.statements import statements

Unique = tuple[str, str]
"""(object, field by whose value its records are known)."""

Found = Mapping[Unique, Mapping[str, str]]
"""Record id by key; a key that several records have maps to AMBIGUOUS."""

AMBIGUOUS = ""


def pending_keys(compiled: CompiledRule, rows: Iterable[Targets]) -> dict[Unique, dict[str, None]]:
    """The distinct keys that the rows refer to, by object and field, in order of first mention."""
    keys: dict[Unique, dict[str, None]] = {}
    fields = [(reference.target_object, reference.target_field) for reference in compiled.references]
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
        found[key] = AMBIGUOUS if key in found and found[key] != row["id"] else str(row["id"])
    return found


def settle(compiled: CompiledRule, targets: Targets, found: Found) -> list[FieldError]:
    """Put record ids in place of a row's pending references; the errors name those that lead nowhere."""
    errors: list[FieldError] = []
    for reference in compiled.references:
        values = targets[reference.target_object]
        value = values.get(reference.target_field)
        if not isinstance(value, PendingReference):
            continue
        record = found.get((value.object, value.field), {}).get(value.key)
        if record:
            values[reference.target_field] = record
            continue
        problem = (
            f"no {value.object} with {value.field} {_named(value.key)} exists in the target Vault; "
            "add it or correct the source record"
            if record is None
            else f"several {value.object} records have {value.field} {_named(value.key)}; leave only one of them"
        )
        where = (
            f"Integration rule {compiled.name}, field rule {reference.field_rule}, "
            f"target field {reference.target_object}.{reference.target_field}"
        )
        errors.append(
            FieldError(
                compiled.name,
                reference.field_rule,
                reference.target_field,
                ItemErrorType.REFERENCE,
                f"{where}: {problem}",
            )
        )
    return errors


def _named(key: str) -> str:
    # An address or a sentence in a key field may be personal; codes and external ids are not.
    return key if len(key) <= 100 and "@" not in key and " " not in key else "as in the source record"
