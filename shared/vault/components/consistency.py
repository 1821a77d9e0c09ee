"""Checks that a component's attributes agree with each other, beyond what each may hold alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_tree import Component
from shared.vault.components.document_model import (
    check_docfield,
    check_doclifecycle,
    check_doctype,
)
from shared.vault.components.integration_rules import check_integration_rule
from shared.vault.components.lifecycles import check_lifecycle
from shared.vault.components.object_types import PLATFORM_TYPE_ALIASES, stored_type
from shared.vault.components.platform import (
    DEFAULT_STATUS,
    PLATFORM_FIELD_TYPES,
    UNIQUE_MAX_LENGTH,
)
from shared.vault.components.types import MAX_STRING_LENGTH, REDEFINABLE_FIELDS
from shared.vault.model.component_model import FieldType

OBJECT_TYPE_ID_PREFIX = "OOT"

_PREFIX = re.compile(r"[A-Z0-9]{3}")
_VALUE_FORMAT = re.compile(r"[^{}]*\{(?:0{1,18}|#{1,18})\}[^{}]*")

_TEXT = frozenset({FieldType.STRING, FieldType.LONG_TEXT, FieldType.RICH_TEXT})
_FIELD_ATTRIBUTE_TYPES: Mapping[str, frozenset[FieldType]] = {
    "unique": frozenset({FieldType.STRING, FieldType.NUMBER}),
    "max_length": _TEXT,
    "scale": frozenset({FieldType.NUMBER}),
    "min_value": frozenset({FieldType.NUMBER}),
    "max_value": frozenset({FieldType.NUMBER}),
    "picklist": frozenset({FieldType.PICKLIST}),
    "multi_value": frozenset({FieldType.PICKLIST}),
    "object": frozenset({FieldType.OBJECT}),
    "relationship_type": frozenset({FieldType.OBJECT}),
    "relationship_deletion": frozenset({FieldType.OBJECT}),
    "relationship_outbound_name": frozenset({FieldType.OBJECT}),
    "relationship_inbound_name": frozenset({FieldType.OBJECT}),
    "system_managed_name": frozenset({FieldType.STRING}),
    "value_format": frozenset({FieldType.STRING}),
}


def check_consistency(component: Component) -> None:
    """Check the attributes of a component, already valid one by one, against each other.

    :raises ComponentError: naming the component, the attribute, and what is allowed.
    """
    checks = _CHECKS.get(component.type)
    if checks is not None:
        checks(component)


def _check_object(component: Component) -> None:
    path = component.full_name
    prefix = component.text("prefix")
    if prefix and (not _PREFIX.fullmatch(prefix) or prefix == OBJECT_TYPE_ID_PREFIX):
        raise ComponentError(
            f"{path}: prefix must be three capital letters or digits, and not {OBJECT_TYPE_ID_PREFIX}."
        )
    if component.optional_text("default_type") and not component.flag("allow_types"):
        raise ComponentError(f"{path}: default_type needs allow_types(true).")
    for child in component.children_of("Field"):
        _check_field(child, f"{path}: Field {child.name}")


def _check_field(field: Component, path: str) -> None:
    if field.name in PLATFORM_FIELD_TYPES:
        _check_platform_field(field, path)
        if field.name not in REDEFINABLE_FIELDS:
            return  # what it says of a field that the Vault sets is kept, and changes nothing
        field_type: FieldType | None = PLATFORM_FIELD_TYPES[field.name]
    else:
        field_type = stored_type(field)
    if field_type is FieldType.ID:
        raise ComponentError(f"{path}: only the field id is of type ID.")
    if field_type is not None:
        _check_held_field(field, field_type, path)


def _check_held_field(field: Component, field_type: FieldType, path: str) -> None:
    for attribute, types in _FIELD_ATTRIBUTE_TYPES.items():
        if field.first(attribute) in (None, False, "") or field_type in types:
            continue
        allowed = ", ".join(sorted(types))
        raise ComponentError(
            f"{path}: {attribute} is only for fields of type {allowed}, not {field_type}."
        )
    _check_field_limits(field, field_type, path)
    if (
        field_type is FieldType.PICKLIST
        and field.name not in REDEFINABLE_FIELDS
        and not field.text("picklist")
    ):
        raise ComponentError(f"{path}: a Picklist field needs the attribute picklist.")
    if field_type is FieldType.OBJECT:
        _check_relationship(field, path)
    if (
        field.flag("system_managed_name") or field.text("value_format")
    ) and field.name != "name__v":
        raise ComponentError(
            f"{path}: system_managed_name and value_format are only for name__v."
        )
    if field.text("value_format") and not _VALUE_FORMAT.fullmatch(
        field.text("value_format")
    ):
        raise ComponentError(
            f"{path}: value_format needs one number in braces, such as CR-{{000000}}."
        )


def _check_platform_field(field: Component, path: str) -> None:
    platform = PLATFORM_FIELD_TYPES[field.name]
    declared = field.optional_text("type")
    if declared not in (None, platform.value, PLATFORM_TYPE_ALIASES.get(field.name)):
        raise ComponentError(
            f"{path}: type of this platform field is {platform.value}."
        )
    if field.name != "status__v":
        return
    if field.reference("picklist") not in (None, DEFAULT_STATUS.name) or field.flag(
        "multi_value"
    ):
        raise ComponentError(
            f"{path}: this platform field holds one value of Picklist.{DEFAULT_STATUS.name}."
        )


def _check_field_limits(field: Component, field_type: FieldType, path: str) -> None:
    length = field.whole("max_length")
    if (
        field_type is FieldType.STRING
        and length is not None
        and length > MAX_STRING_LENGTH
    ):
        raise ComponentError(
            f"{path}: max_length of a String is at most {MAX_STRING_LENGTH}; use LongText."
        )
    if field.flag("unique") and length is not None and length > UNIQUE_MAX_LENGTH:
        raise ComponentError(
            f"{path}: max_length of a unique field is at most {UNIQUE_MAX_LENGTH}."
        )
    low, high = field.number("min_value"), field.number("max_value")
    if low is not None and high is not None and low > high:
        raise ComponentError(f"{path}: min_value is greater than max_value.")


def _check_relationship(field: Component, path: str) -> None:
    if not field.text("object"):
        raise ComponentError(f"{path}: an Object field needs the attribute object.")
    for attribute in ("relationship_outbound_name", "relationship_inbound_name"):
        name = field.text(attribute)
        if name and not _RELATIONSHIP.fullmatch(name):
            raise ComponentError(
                f"{path}: {attribute} must end in __vr, __cr or __sysr.",
                Code.INVALID_NAME,
            )
    if field.text("relationship_deletion") != "setnull":
        return
    if field.flag("required") or field.text("relationship_type") == "parent":
        raise ComponentError(
            f"{path}: relationship_deletion setnull contradicts a required or parent reference."
        )


_RELATIONSHIP = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*__(?:vr|cr|sysr)")


def _check_picklist(component: Component) -> None:
    for entry in component.children_of("Picklistentry"):
        if not entry.text("label") and not entry.text("value"):
            path = f"{component.full_name}: Picklistentry {entry.name}"
            raise ComponentError(f"{path}: the attribute label (or value) is required.")


_CHECKS: Mapping[str, Callable[[Component], None]] = {
    "Object": _check_object,
    "Objectlifecycle": check_lifecycle,
    "Picklist": _check_picklist,
    "Integrationrule": check_integration_rule,
    "Docfield": check_docfield,
    "Doclifecycle": check_doclifecycle,
    "Doctype": check_doctype,
}
