"""Knows the records whose ids are numbers that are stored and shown as text, and puts these ids in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.model.component_model import Field, FieldType, VaultObject

if TYPE_CHECKING:
    from shared.vault.vql.resolve import Scope

# Clients write the ids of these records as numbers, as other calls show them.
_NUMBERED = frozenset({"user__sys", "users", "group__sys", "groups"})


def numbered(scope: Scope, field: Field, owner: VaultObject) -> bool:
    """Return whether the values of a field are ids that are numbers: its own, or those of the records referred to."""
    if field.type not in (FieldType.ID, FieldType.OBJECT):
        return False
    name = owner.name if field.type is FieldType.ID else field.object
    target = scope.statement.targets.get(name or "")
    return name in _NUMBERED or (target is not None and target.numbered)


def in_number_order(sql: str) -> str:
    """Return the SQL of ids in the order of their numbers, 9 before 10."""
    return f"{sql} COLLATE platform.numbers"


def key_order(scope: Scope) -> str:
    """Return the SQL by which the rows of a statement are in the order of their keys."""
    field = scope.object.fields.get("id")
    if field is None or not numbered(scope, field, scope.object):
        return scope.key
    return in_number_order(scope.key)
