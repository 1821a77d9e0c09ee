"""Checks that the attributes of one component, each valid by itself, agree with each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind, kind_of
from shared.vault.components.component_tree import Component
from shared.vault.components.document_model import (
    check_docfield,
    check_doclifecycle,
    check_doctype,
)
from shared.vault.components.integration_rules import check_integration_rule
from shared.vault.components.lifecycles import check_lifecycle
from shared.vault.components.object_types import (
    OBJECT_PARENT,
    PLATFORM_TYPE_ALIASES,
    stored_type,
    without_named_values,
)
from shared.vault.components.platform import (
    DEFAULT_STATUS,
    PLATFORM_FIELD_TYPES,
    UNIQUE_MAX_LENGTH,
)
from shared.vault.components.types import MAX_STRING_LENGTH, REDEFINABLE_FIELDS
from shared.vault.model.component_model import (
    FieldType,
    RelationshipDeletion,
    RelationshipType,
)

OBJECT_TYPE_ID_PREFIX = "OOT"

_PREFIX = re.compile(r"[A-Z0-9]{3}")
_RELATIONSHIP = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*__(?:vr|cr|sysr)")
_VALUE_FORMAT = re.compile(r"[^{}]*\{(?:0{1,18}|#{1,18})\}[^{}]*")

_STRING = ("unique", "max_length", "system_managed_name", "value_format")
_LONG_TEXT = ("max_length",)
_NUMBER = ("unique", "scale", "min_value", "max_value")
_PICKLIST = ("picklist", "multi_value")
_OBJECT = (
    "object",
    "relationship_type",
    "relationship_deletion",
    "relationship_outbound_name",
    "relationship_inbound_name",
)
# In the order in which they are checked: only the first that does not fit is reported.
_TYPED_ATTRIBUTES = (
    "unique",
    "max_length",
    "scale",
    "min_value",
    "max_value",
    *_PICKLIST,
    *_OBJECT,
    "system_managed_name",
    "value_format",
)


def _attributes_of(field_type: FieldType) -> tuple[str, ...]:
    """Return the attributes that fields of a type have in addition to those that all fields have."""
    match field_type:
        case FieldType.STRING:
            return _STRING
        case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            return _LONG_TEXT
        case FieldType.NUMBER:
            return _NUMBER
        case FieldType.PICKLIST:
            return _PICKLIST
        case FieldType.OBJECT:
            return _OBJECT
        case (
            FieldType.ID
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.ATTACHMENT
        ):
            return ()
        case _:
            assert_never(field_type)


def _types_with(attribute: str) -> frozenset[FieldType]:
    """Return the field types that may have an attribute."""
    return frozenset(kind for kind in FieldType if attribute in _attributes_of(kind))


_FIELD_ATTRIBUTE_TYPES: Mapping[str, frozenset[FieldType]] = {
    attribute: _types_with(attribute) for attribute in _TYPED_ATTRIBUTES
}


def check_consistency(component: Component) -> None:
    """Check that the attributes of a component, each valid by itself, agree with each other.

    :raises ComponentError: INVALID_ATTRIBUTE, INVALID_NAME, BROKEN_REFERENCE or EXISTS, naming the attribute.
    """
    kind = kind_of(component.type)
    match kind:
        case ComponentKind.OBJECT:
            _check_object(component)
        case ComponentKind.LIFECYCLE:
            check_lifecycle(component)
        case ComponentKind.PICKLIST:
            _check_picklist(component)
        case ComponentKind.INTEGRATION_RULE:
            check_integration_rule(component)
        case ComponentKind.DOCUMENT_FIELD:
            check_docfield(component)
        case ComponentKind.DOCUMENT_LIFECYCLE:
            check_doclifecycle(component)
        case ComponentKind.DOCUMENT_TYPE:
            check_doctype(component)
        case (
            ComponentKind.OBJECT_TYPE
            | ComponentKind.OBJECT_ACTION
            | ComponentKind.QUEUE
            | ComponentKind.RENDITION_TYPE
            | ComponentKind.WORKFLOW
        ):
            pass  # their attributes do not depend on each other
        case (
            ComponentKind.PERMISSION_SET
            | ComponentKind.SECURITY_PROFILE
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | None
        ):
            pass  # Vaults export more with them than is known here, so only their form is checked
        case _:
            assert_never(kind)


def _check_object(component: Component) -> None:
    path = component.full_name
    prefix = component.text("prefix")
    if prefix and (not _PREFIX.fullmatch(prefix) or prefix == OBJECT_TYPE_ID_PREFIX):
        message = f"prefix must be three capital letters or digits, and not {OBJECT_TYPE_ID_PREFIX}."
        raise ComponentError(f"{path}: {message}")
    if component.text("default_type") and not component.flag("allow_types"):
        raise ComponentError(f"{path}: default_type needs allow_types(true).")
    for child in component.children_of(PartKind.FIELD):
        _check_field(child, f"{path}: Field {child.name}")


def _check_field(field: Component, path: str) -> None:
    platform_type = PLATFORM_FIELD_TYPES.get(field.name)
    if platform_type is not None:
        _check_platform_field(field, platform_type, path)
        # Exports repeat fields that the Vault itself sets: the declaration is stored, and changes nothing.
        if field.name not in REDEFINABLE_FIELDS:
            return
    field_type = stored_type(field) if platform_type is None else platform_type
    if field_type is FieldType.ID:
        raise ComponentError(f"{path}: only the field id is of type ID.")
    if field_type is not None:
        _check_stored_field(field, field_type, path)


def _check_stored_field(
    field: Component,
    field_type: FieldType,
    path: str,
) -> None:
    _check_attribute_types(field, field_type, path)
    _check_field_limits(field, field_type, path)
    redefined = field.name in REDEFINABLE_FIELDS
    if (
        field_type is FieldType.PICKLIST
        and not redefined
        and not field.text("picklist")
    ):
        raise ComponentError(f"{path}: a Picklist field needs the attribute picklist.")
    if field_type is FieldType.OBJECT:
        _check_relationship(field, path)
    if not field.flag("search", True) and (
        field.flag("multi_value") or field_type is not FieldType.PICKLIST
    ):
        message = "search(false) is for picklists of one value."
        raise ComponentError(f"{path}: {message}")
    _check_naming(field, path)


def _check_attribute_types(
    field: Component,
    field_type: FieldType,
    path: str,
) -> None:
    for attribute, types in _FIELD_ATTRIBUTE_TYPES.items():
        value = field.first(attribute)
        # Exports write every attribute: an empty one is no statement about the field.
        if value in (None, False, "") or field_type in types:
            continue
        allowed = ", ".join(sorted(types))
        message = f"{attribute} is only for fields of type {allowed}, not {field_type}."
        raise ComponentError(f"{path}: {message}")


def _check_naming(field: Component, path: str) -> None:
    value_format = field.text("value_format")
    names_records = field.flag("system_managed_name") or bool(value_format)
    if names_records and field.name != "name__v":
        message = "system_managed_name and value_format are only for name__v."
        raise ComponentError(f"{path}: {message}")
    own = without_named_values(value_format)
    if value_format and not _VALUE_FORMAT.fullmatch(own):
        message = "value_format needs one number in braces, such as CR-{000000}."
        raise ComponentError(f"{path}: {message}")


def _check_platform_field(
    field: Component,
    platform_type: FieldType,
    path: str,
) -> None:
    declared = field.optional_text("type")
    alias = PLATFORM_TYPE_ALIASES.get(field.name)
    if declared not in (None, platform_type.value, alias):
        message = f"type of this platform field is {platform_type.value}."
        raise ComponentError(f"{path}: {message}")
    if field.name != "status__v":
        return
    picklist = field.reference("picklist")
    other_picklist = picklist not in (None, DEFAULT_STATUS.name)
    if other_picklist or field.flag("multi_value"):
        message = (
            f"this platform field has one value of Picklist.{DEFAULT_STATUS.name}."
        )
        raise ComponentError(f"{path}: {message}")


def _check_field_limits(
    field: Component,
    field_type: FieldType,
    path: str,
) -> None:
    length = field.whole("max_length")
    if length is not None:
        if field_type is FieldType.STRING and length > MAX_STRING_LENGTH:
            message = (
                f"max_length of a String is at most {MAX_STRING_LENGTH}; use LongText."
            )
            raise ComponentError(f"{path}: {message}")
        if field.flag("unique") and length > UNIQUE_MAX_LENGTH:
            message = f"max_length of a unique field is at most {UNIQUE_MAX_LENGTH}."
            raise ComponentError(f"{path}: {message}")
    low = field.number("min_value")
    high = field.number("max_value")
    if low is not None and high is not None and low > high:
        raise ComponentError(f"{path}: min_value is greater than max_value.")


def _check_relationship(field: Component, path: str) -> None:
    if not field.text("object"):
        raise ComponentError(f"{path}: an Object field needs the attribute object.")
    for attribute in ("relationship_outbound_name", "relationship_inbound_name"):
        name = field.text(attribute)
        if name and not _RELATIONSHIP.fullmatch(name):
            message = f"{path}: {attribute} must end in __vr, __cr or __sysr."
            raise ComponentError(message, Code.INVALID_NAME)
    if field.text("relationship_deletion") != RelationshipDeletion.SET_NULL:
        return
    parental = (field.text("relationship_type"), field.text("type"))
    is_parent = parental[0] == RelationshipType.PARENT or parental[1] == OBJECT_PARENT
    if is_parent or field.flag("required"):
        message = (
            "relationship_deletion setnull contradicts a required or parent reference."
        )
        raise ComponentError(f"{path}: {message}")


def _check_picklist(component: Component) -> None:
    for entry in component.children_of(PartKind.PICKLIST_ENTRY):
        # Vaults export the label as the value: either may stand for both.
        if not entry.text("label") and not entry.text("value"):
            path = f"{component.full_name}: {entry.type} {entry.name}"
            raise ComponentError(f"{path}: the attribute label (or value) is required.")
