"""Components and component types as the metadata and configuration endpoints return them."""

from __future__ import annotations

from shared.vault.components.errors import Code, ComponentError
from shared.vault.components.specification import Attribute, ComponentType, ValueType
from shared.vault.components.tree import Component, Scalar
from shared.vault.components.types import COMPONENT_TYPES

__all__ = ["configuration_json", "type_metadata", "type_summary"]


def configuration_json(component: Component) -> dict[str, object]:
    """One component as ``GET /configuration/{Type}`` lists it.

    ``{name, label, active, {attribute}: value or None, {Subtype}: [{…}], used_in: []}``; multi-value
    attributes are lists, parameters of an open type are values or lists as written.

    :raises ComponentError: if the type is unknown.
    """
    document = _node(component, _type(component.type))
    document["used_in"] = []
    return document


def type_metadata(type_name: str) -> dict[str, object]:
    """One component type as ``GET /metadata/components/{Type}`` returns it in ``data``.

    :raises ComponentError: if the type is unknown.
    """
    kind = _type(type_name)
    return {
        "name": kind.name,
        "class": "metadata",
        "abbreviation": kind.abbreviation,
        "active": True,
        "label": kind.label,
        "label_plural": kind.label_plural,
        "attributes": _attributes(kind),
        "sub_components": [_subtype(child) for child in kind.subtypes.values()],
    }


def type_summary(type_name: str) -> dict[str, object]:
    """One component type as ``GET /metadata/components`` lists it; the caller adds ``url``.

    :raises ComponentError: if the type is unknown.
    """
    metadata = type_metadata(type_name)
    return {key: metadata[key] for key in ("name", "class", "abbreviation", "active", "label", "label_plural")}


def _type(name: str) -> ComponentType:
    kind = COMPONENT_TYPES.get(name)
    if kind is None:
        raise ComponentError(f"There is no component type {name[:60]}.", Code.UNKNOWN_TYPE)
    return kind


def _node(component: Component, kind: ComponentType) -> dict[str, object]:
    document: dict[str, object] = {
        "name": component.name,
        "label": component.optional_text("label"),
        "active": component.flag("active", True),
    }
    for attribute in kind.attributes.values():
        document.setdefault(attribute.name, _value(attribute, component))
    for name, values in component.attributes.items():
        if name not in kind.attributes:
            document.setdefault(name, _single_or_list(values))
    for subtype in kind.subtypes.values():
        document[subtype.name] = [_node(child, subtype) for child in component.children_of(subtype.name)]
    return document


def _value(attribute: Attribute, component: Component) -> object:
    if attribute.multi_value:
        return list(component.attributes.get(attribute.name, ()))
    value = component.first(attribute.name)
    return False if value is None and attribute.type is ValueType.BOOLEAN else value


def _single_or_list(values: tuple[Scalar, ...]) -> object:
    return values[0] if len(values) == 1 else list(values)


def _subtype(kind: ComponentType) -> dict[str, object]:
    document: dict[str, object] = {
        "name": kind.name,
        "json_collection_name": kind.name,
        "attributes": _attributes(kind),
    }
    if kind.subtypes:
        document["sub_components"] = [_subtype(child) for child in kind.subtypes.values()]
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
