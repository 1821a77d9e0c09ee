"""Describes components and component types as the metadata and configuration endpoints return them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.vault.components.attribute_effects import default_flag, default_value
from shared.vault.components.build import build_object
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.permission_types import listed_permissions
from shared.vault.components.specification import Attribute, ComponentType, ValueType
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.model.component_model import FieldType, ObjectType, VaultObject

__all__ = ["configuration_json", "object_type_json", "type_metadata", "type_summary"]

# Attributes of fields that the model has under the same names.
_FIELD_FLAGS = (
    "active",
    "required",
    "unique",
    "editable",
    "multi_value",
    "no_copy",
    "search",
    "system_managed_name",
)
_FIELD_VALUES = (
    "max_length",
    "scale",
    "picklist",
    "relationship_type",
    "relationship_outbound_name",
    "value_format",
)
_SOURCES = {"__c": "custom", "__sys": "system"}


def configuration_json(
    component: Component, used_in: Iterable[tuple[str, str]] = ()
) -> dict[str, object]:
    """Return one component as ``GET /configuration/{Type}`` lists it.

    ``{name, label, active, {attribute}: value or None, {Subtype}: [{…}], used_in: ["Type.name"]}``; multi-value
    attributes are lists, attributes of an open type are values or lists as written.

    :param used_in: type and name of each component that refers to this component.
    :raises ComponentError: if the type is unknown.
    """
    kind = _type(component.type)
    document = _node(component, kind)
    # The sets go without their type, and their permissions as one list: so the public API has both.
    if component.type == ComponentKind.SECURITY_PROFILE:
        document["permission_sets"] = list(component.references("permission_sets"))
    if component.type == ComponentKind.PERMISSION_SET:
        document["permission"] = listed_permissions(component)
    if component.type == ComponentKind.OBJECT:
        _put_in_force(document, component)
    document["used_in"] = sorted(f"{user}.{name}" for user, name in used_in)
    return document


def _put_in_force(document: dict[str, object], component: Component) -> None:
    """Put into an object's configuration what holds without being written, also of the platform's fields."""
    built = build_object(component)
    document["label_plural"] = built.label_plural
    shown = document[PartKind.FIELD.value]
    for field in shown if isinstance(shown, list) else ():
        model = built.fields.get(field["name"])
        # Fields without values here are shown as they are written.
        if model is None:
            continue
        for name in _FIELD_FLAGS:
            field[name] = getattr(model, name)
        for name in _FIELD_VALUES:
            if field[name] is None:
                field[name] = getattr(model, name)
        if model.type is FieldType.OBJECT and field["relationship_deletion"] is None:
            field["relationship_deletion"] = model.relationship_deletion.value


def object_type_json(
    object_type: ObjectType,
    owner: VaultObject,
) -> dict[str, object]:
    """Return one object type as ``GET /configuration/Objecttype`` lists it; without type fields it has all fields."""
    all_fields = {field.name: field.required for field in owner.fields.values()}
    required = object_type.fields or all_fields
    # In the order of the type, or of the object.
    fields = [_type_field(name, required[name]) for name in required]
    return {
        "name": object_type.name,
        "object": object_type.object,
        "active": object_type.active,
        "label": object_type.label,
        "label_plural": object_type.label_plural or f"{object_type.label}s",
        "description": object_type.description,
        "additional_type_validations": list(object_type.validations),
        "type_fields": fields,
    }


def _type_field(
    name: str,
    required: bool,
) -> dict[str, object]:
    return {"name": name, "required": required, "source": _source(name)}


def _source(name: str) -> str:
    for suffix, source in _SOURCES.items():
        if name.endswith(suffix):
            return source
    return "standard"


def type_metadata(type_name: str) -> dict[str, object]:
    """Return one component type as ``GET /metadata/components/{Type}`` returns it in ``data``.

    :raises ComponentError: if the type is unknown.
    """
    kind = _type(type_name)
    return {
        "name": kind.name,
        "class": "code" if kind.code else "metadata",
        "abbreviation": kind.abbreviation,
        "active": True,
        "label": kind.label,
        "label_plural": kind.label_plural,
        "attributes": _attributes(kind),
        "sub_components": [_subtype(child) for child in kind.subtypes.values()],
    }


def type_summary(type_name: str) -> dict[str, object]:
    """Return one component type as ``GET /metadata/components`` lists it; the caller adds ``url``.

    :raises ComponentError: if the type is unknown.
    """
    metadata = type_metadata(type_name)
    return {
        key: metadata[key]
        for key in ("name", "class", "abbreviation", "active", "label", "label_plural")
    }


def _type(name: str) -> ComponentType:
    kind = COMPONENT_TYPES.get(name)
    if kind is None:
        message = f"There is no component type {name[:60]}."
        raise ComponentError(message, Code.UNKNOWN_TYPE)
    return kind


def _node(
    component: Component,
    kind: ComponentType,
) -> dict[str, object]:
    document: dict[str, object] = {
        "name": component.name,
        "label": component.optional_text("label"),
        "active": component.flag("active", True),
    }
    # Every component has the three above, whatever its type declares under these names.
    for attribute in kind.attributes.values():
        document.setdefault(attribute.name, _value(attribute, component))
    for name, values in component.attributes.items():
        if name not in kind.attributes:
            document.setdefault(name, _single_or_list(values))
    subtypes = _subtypes(component, kind)
    for name, subtype in subtypes.items():
        children = component.children_of(name)
        # The encoder takes no member of an enumeration as a key.
        document[str(name)] = [_node(child, subtype) for child in children]
    if component.type == ComponentKind.INTEGRATION_RULE and not document["active"]:
        _inactivate(document, subtypes)
    return document


def _subtypes(
    component: Component,
    kind: ComponentType,
) -> dict[str, ComponentType]:
    """Return the types of sub-component to list: those that the type declares.

    A stored-only type declares none: it has the types of the component's sub-components.
    """
    subtypes = dict(kind.subtypes)
    if kind.stored_only:
        # Nothing is declared of them, so they are described like their component.
        undeclared = replace(kind, subtypes={})
        for child in component.children:
            subtypes.setdefault(child.type, undeclared)
    return subtypes


def _inactivate(
    document: dict[str, object],
    subtypes: Iterable[str],
) -> None:
    """Show the parts of an inactive rule as inactive; the component keeps their own flags."""
    for name in subtypes:
        parts = document[name]
        for part in parts if isinstance(parts, list) else ():
            part["active"] = False


def _value(
    attribute: Attribute,
    component: Component,
) -> object:
    if attribute.multi_value:
        values = component.attributes.get(attribute.name, ())
        return [_plain(value) for value in values]
    value = component.first(attribute.name)
    if value is None:
        # What is in force, whether or not the component says so.
        if attribute.type is ValueType.BOOLEAN:
            return default_flag(component.type, attribute.name)
        return default_value(component.type, attribute.name)
    return _plain(value)


def _single_or_list(values: tuple[Scalar, ...]) -> object:
    plain = [_plain(value) for value in values]
    if not plain:
        return None
    if len(plain) == 1:
        return plain[0]
    return plain


def _plain(value: Scalar) -> Scalar:
    if isinstance(value, Embedded):
        return value.content
    return value


def _subtype(kind: ComponentType) -> dict[str, object]:
    document: dict[str, object] = {
        "name": kind.name,
        "json_collection_name": kind.name,
        "attributes": _attributes(kind),
    }
    if kind.subtypes:
        document["sub_components"] = [
            _subtype(child) for child in kind.subtypes.values()
        ]
    return document


def _attributes(kind: ComponentType) -> list[dict[str, object]]:
    return [_attribute(attribute) for attribute in kind.attributes.values()]


def _attribute(attribute: Attribute) -> dict[str, object]:
    document: dict[str, object] = {
        "name": attribute.name,
        "type": attribute.type.value,
        "requiredness": "required" if attribute.required else "optional",
        "max_length": attribute.max_length,
        "editable": True,
        "multi_value": attribute.multi_value,
    }
    if attribute.enums:
        document["enums"] = [{"name": value} for value in attribute.enums]
    if attribute.component is not None:
        document["component"] = attribute.component
    return document
