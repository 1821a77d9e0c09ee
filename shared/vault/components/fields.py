"""What a Field component comes to: a column of its own, a platform field told again, or nothing that records hold."""

from __future__ import annotations

from collections.abc import Mapping

from shared.vault.components.component_tree import Component
from shared.vault.components.object_types import (
    STORED_AS,
    UNHELD_FIELD_TYPES,
    UNHELD_OBJECTS,
)
from shared.vault.model.component_model import FieldType

__all__ = ["PLATFORM_TYPE_ALIASES", "stored_type"]

PLATFORM_TYPE_ALIASES: Mapping[str, str] = {
    "created_by__v": "Object",
    "modified_by__v": "Object",
    "object_type__v": "Object",
    "lifecycle__v": "Component",
    "state__v": "Component",
}
"""The types by which Vaults export platform fields that are of another type here."""


def stored_type(field: Component) -> FieldType | None:
    """As what the records of an object hold a field that is not the platform's; None when they do not hold it.

    What is computed or looked up from other fields has no values of its own, and neither have references to what is
    not an object's record here. Such fields are kept with their object, and read back with it.
    """
    declared = field.text("type")
    if declared in UNHELD_FIELD_TYPES or field.text("formula") or field.flag("rollup"):
        return None
    if field.text("lookup_source_field"):
        return None
    if declared == FieldType.OBJECT and field.reference("object") in UNHELD_OBJECTS:
        return None
    return STORED_AS.get(declared) or FieldType(declared)
