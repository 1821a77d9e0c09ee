"""Reads rows as a Vault does: references by key, and errors of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from shared.client.results import LINEAGE, SOURCE_MODIFIED, ApiError
from shared.protocol.error_types import ErrorType
from shared.vault.components.registry import is_written_by_connections
from shared.vault.model.component_model import Field, FieldType, VaultObject
from tests.unit.connector.memory_queries import Record, Stored, object_of

Row = Mapping[str, object]

TYPE = "object_type__v"
_CHOSEN = ("type__v", "subtype__v", "classification__v", "lifecycle__v")
"""Fields of documents that are chosen when one is created."""


class RowRefused(Exception):
    """Raised for a row that is refused."""

    def __init__(self, message: str, type: str = ErrorType.INVALID_DATA) -> None:
        super().__init__(message)
        self.error = ApiError(type, message)


def by_key(
    stored: Stored, owner: VaultObject, key: str, value: object
) -> Record | None:
    """The record that has a value; None when none has it."""
    wanted = str(value)
    for record in stored.all_of(owner.name):
        if str(record.get(key)) == wanted:
            return record
    return None


def without_stored(owner: VaultObject, row: Row, record: Record) -> Row:
    """Return a row without the fields that the Vault sets.

    :raises RowRefused: one of them has another value than the record.
    """
    by_vault = {
        name
        for name in row
        if name != "id" and name in owner.fields and owner.fields[name].system
    }
    for name in by_vault:
        if row[name] != record.get(name):
            raise RowRefused(f"Field [{name}] is set by the Vault")
    return {name: value for name, value in row.items() if name not in by_vault}


def row_values(
    stored: Stored, owner: VaultObject, row: Row, record: Record | None
) -> Iterator[tuple[str, object]]:
    """Yield field and value of a row for a record, or for a new one.

    :raises RowRefused: a real Vault would not take a value.
    """
    for name, value in row.items():
        if name in (LINEAGE, "id"):
            continue
        if name == f"{TYPE}.api_name__v":
            yield TYPE, value
        elif "." in name:
            yield _referred(stored, owner, name, value)
        else:
            _check(stored, owner, name, value, record)
            yield name, _as_sent(value)


def require_all(owner: VaultObject, values: Row) -> None:
    """Raise RowRefused when a new record would lack a required field."""
    by_default = ("name__v", "status__v")
    for name, known in owner.fields.items():
        required = known.required and not known.system and name not in by_default
        if required and not values.get(name):
            text = f"Missing required parameter [{name}]"
            raise RowRefused(text, ErrorType.PARAMETER_REQUIRED)


def _referred(
    stored: Stored, owner: VaultObject, name: str, key: object
) -> tuple[str, object]:
    relationship, _, unique = name.partition(".")
    reference = owner.outbound[relationship]
    referred = object_of(stored.registry, reference.object or "")
    found = by_key(stored, referred, unique, key)
    if found is None:
        raise RowRefused(f"No {referred.name} has this [{unique}]")
    return reference.name, found["id"]


def _check(
    stored: Stored, owner: VaultObject, name: str, value: object, record: Record | None
) -> None:
    known = owner.fields.get(name)
    if known is None:
        text = f"[{owner.name}] has no field [{name}]"
        raise RowRefused(text, ErrorType.ATTRIBUTE_NOT_SUPPORTED)
    # The connector is a connection's user.
    for_it = known.editable or is_written_by_connections(owner.name, known)
    by_vault = known.system or not for_it
    if by_vault and name not in (SOURCE_MODIFIED, TYPE, *_CHOSEN):
        raise RowRefused(f"Field [{name}] is set by the Vault")
    if value in (None, ""):
        return
    values = [str(each) for each in (value if isinstance(value, list) else [value])]
    _check_values(stored, known, values)
    if known.unique:
        holder = by_key(stored, owner, name, value)
        if holder is not None and holder is not record:
            text = f"Another resource already exists with [{name}={value}]"
            raise RowRefused(text)


def _check_values(stored: Stored, known: Field, values: list[str]) -> None:
    picklist = stored.registry.picklists.get(known.picklist or "")
    # Those of the platform itself, such as state types, are no components.
    if picklist is not None and not picklist.entries.keys() >= set(values):
        raise RowRefused(f"[{known.name}] has no such value")
    if known.type is FieldType.OBJECT:
        found = [stored.one_of(known.object or "", each) for each in values]
        if None in found:
            raise RowRefused(f"[{known.name}] refers to no record")
    longest = max(map(len, values))
    if known.max_length is not None and longest > known.max_length:
        raise RowRefused(f"[{known.name}] is too long")


def _as_sent(value: object) -> object:
    if value == "":
        return None
    return str(value) if isinstance(value, StrEnum) else value
