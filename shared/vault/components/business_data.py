"""Tells business data from the platform's own, and which of its fields only connections write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.components.permission_types import BUSINESS_OBJECTS

if TYPE_CHECKING:
    from shared.vault.model.component_model import Field

_BUSINESS = frozenset({"person__sys", BUSINESS_OBJECTS})
# Platform objects that Vault names without __sys.
_PLATFORM = frozenset(
    {
        "users",
        "groups",
        "vault_package__v",
        "outbound_package__v",
        "package_component__v",
        "vault_component__v",
    }
)


def is_business(object_name: str) -> bool:
    """Return whether an object has business data: not a platform object (``__sys``), except persons."""
    if object_name in _BUSINESS:
        return True
    return not object_name.endswith("__sys") and object_name not in _PLATFORM


def is_written_by_connections(object_name: str, field: Field) -> bool:
    """Return whether a field that users may not edit is one that a connection may set: no field of the Vault's own."""
    by_vault = field.system or field.system_managed_name
    # Documents say at each field what may be edited, and to everybody the same.
    of_records = is_business(object_name) and object_name != "documents"
    return of_records and not field.editable and not by_vault
