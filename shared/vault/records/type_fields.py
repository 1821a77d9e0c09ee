"""Refuses values of fields that the object type of a record does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import ObjectType, VaultObject
    from shared.vault.records.rows import Row

TYPE = "object_type__v"
RETYPED = ApiError(
    ErrorType.OPERATION_NOT_ALLOWED,
    "The type of a record cannot be changed by an update",
)


def lacking_fields(target: VaultObject, chosen: ObjectType) -> frozenset[str]:
    """Return the fields of an object that records of a type do not have."""
    # A type that declares no fields has all of them.
    if not chosen.fields:
        return frozenset()
    absent = target.fields.keys() - chosen.fields.keys()
    return frozenset(absent - PLATFORM_FIELD_TYPES.keys())


class TypeFields:
    """Knows which fields the object types of one object lack."""

    def __init__(self, registry: Registry, target: VaultObject) -> None:
        types = registry.types_of(target.name) if target.allow_types else {}
        lacking = {name: lacking_fields(target, each) for name, each in types.items()}
        self._names = {
            registry.object_type_id(target.name, name): name
            for name, fields in lacking.items()
            if fields
        }
        self._lacking = {i: lacking[name] for i, name in self._names.items()}
        default = target.default_type
        self._default = registry.object_type_id(target.name, default or "")
        self.columns = (TYPE,) if self._lacking else ()
        """The columns of a stored record that ``refuse`` reads."""

    def lacking(self, *types: object) -> frozenset[str]:
        """Return the fields that the first of these types lacks, or the default type if all of them are None."""
        found = next((each for each in types if each is not None), self._default)
        return self._lacking.get(str(found), frozenset())

    def refuse(
        self,
        row: Row,
        names: Iterable[str],
        stored: Record | None = None,
    ) -> None:
        """Fail a row for each of these fields that it sets and its record does not have by its type."""
        if not self._lacking:
            return
        types = row.values.get(TYPE), None if stored is None else stored[TYPE]
        lacking = self.lacking(*types)
        for name in names:
            if name in lacking and row.values[name] is not None:
                message = f"The object type of the record has no field [{name}]"
                row.fail(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
