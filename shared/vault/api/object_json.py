"""Describes objects and fields in the format of the object metadata endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import assert_never

from shared.protocol.json_values import date_time_text
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import may_set
from shared.vault.components.component_tree import Component
from shared.vault.components.registry import Registry
from shared.vault.configuration.component_table import ObjectDates, Stamp
from shared.vault.model.component_model import Field, RelationshipType, VaultObject

# Attributes that MDL sets and this Vault stores without acting on them: metadata shows what was set.
PRESENT_FLAGS = (
    "configuration_data",
    "dynamic_security",
    "enable_esignatures",
    "prevent_record_overwrite",
    "role_overrides",
    "secure_attachments",
    "secure_audit_trail",
    "secure_sharing_settings",
)
PRESENT_TEXTS = ("help_content", "user_role_setup_object")
# Flags and texts are always shown, an empty text as null; marks and remarks only when they are set.
FIELD_FLAGS = ("encrypted", "list_column", "facetable")
FIELD_MARKS = (
    "checkbox",
    "secure_relationship",
    "create_object_inline",
    "multi_part_readonly",
)
FIELD_TEXTS = ("description", "help_content", "format_mask")
FIELD_REMARKS = (
    "subtype",
    "component",
    "multi_part_field",
    "relationship_criteria",
    "relationship_inbound_label",
)


class Source(StrEnum):
    """Values of ``source``: who defined a component."""

    STANDARD = "standard"
    CUSTOM = "custom"
    SYSTEM = "system"


class RelationshipKind(StrEnum):
    """Values of ``relationship_type``: the role of the other object in the relationship."""

    PARENT = "parent"
    CHILD = "child"
    REFERENCE_OUTBOUND = "reference_outbound"
    REFERENCE_INBOUND = "reference_inbound"


def object_reference(target: VaultObject, base_path: str) -> dict[str, object]:
    """Return the URL, labels, name and prefix of an object as JSON; ``base_path`` is ``/api/{version}``."""
    return {
        "url": f"{base_path}/metadata/vobjects/{target.name}",
        "label": target.label,
        "name": target.name,
        "label_plural": target.label_plural,
        "prefix": target.prefix,
    }


def object_summary(
    target: VaultObject,
    number: int,
    registry: Registry,
    base_path: str,
) -> dict[str, object]:
    """Return an object as an entry of the list of all objects; ``number`` is its position in the list."""
    component = registry.components.get(("Object", target.name))
    return {
        **object_reference(target, base_path),
        "order": _order(component, number),
        "in_menu": target.in_menu,
        "source": source(target.name),
        "status": status(target.active),
        "configuration_state": "STEADY_STATE",
    }


def object_document(
    target: VaultObject,
    registry: Registry,
    base_path: str,
    dates: ObjectDates,
    caller: Caller,
) -> dict[str, object]:
    """Return an object with its fields, relationships, types and lifecycles, and with what the caller may write."""
    number = list(registry.objects).index(target.name)
    component = registry.components.get(("Object", target.name))
    fields = [
        field_document(target, name, registry, base_path, dates, caller)
        for name in target.fields
    ]
    outbound = _outbound(target, registry, base_path)
    inbound = _inbound(target, registry, base_path)
    return {
        **object_reference(target, base_path),
        "description": target.description,
        "object_class": "base",
        "data_store": "raw" if target.raw else "standard",
        "source": source(target.name),
        "status": status(target.active),
        "order": _order(component, number),
        **_stamped(dates.own),
        "in_menu": target.in_menu,
        "allow_types": target.allow_types,
        # Every object has the type base__v, also one that allows no others.
        "default_obj_type": target.default_type or "base__v",
        "available_lifecycles": [target.lifecycle] if target.lifecycle else [],
        "allow_attachments": target.allow_attachments,
        **_stored_attributes(component),
        "system_managed": target.name.endswith("__sys"),
        "object_types": _object_types(target, registry, base_path),
        "urls": _urls(target, base_path),
        "fields": fields,
        "relationships": [*outbound, *inbound],
    }


def _urls(target: VaultObject, base_path: str) -> dict[str, str]:
    """Return the addresses of an object's metadata and records; ids and names are placeholders in braces."""
    records = f"{base_path}/vobjects/{target.name}"
    metadata = f"{base_path}/metadata/vobjects/{target.name}"
    urls = {
        "metadata": metadata,
        "list": records,
        "record": f"{records}/{{id}}",
        "field": f"{metadata}/fields/{{name}}",
        "lineage": f"{base_path}/services/lineage/vobjects/{target.name}/{{id}}",
    }
    if target.allow_attachments:
        urls["attachments"] = f"{records}/{{id}}/attachments"
    return urls


def _stored_attributes(component: Component | None) -> dict[str, object]:
    """Return the MDL attributes of an object that this Vault stores but ignores, and whether records are audited."""
    # The platform's own objects have no component; their changes are audited like others.
    members: dict[str, object] = {
        "auditable": component is None or component.flag("audit", True)
    }
    if component is None:
        none: dict[str, object] = dict.fromkeys(PRESENT_TEXTS)
        return members | dict.fromkeys(PRESENT_FLAGS, False) | none
    members |= {name: component.flag(name) for name in PRESENT_FLAGS}
    members |= {name: component.text(name) or None for name in PRESENT_TEXTS}
    return members


def field_document(
    target: VaultObject,
    name: str,
    registry: Registry,
    base_path: str,
    dates: ObjectDates,
    caller: Caller,
) -> dict[str, object]:
    """Return a field of an object, without members that its type does not have; ``editable`` depends on the caller."""
    field = target.fields[name]
    # Platform fields have no order of their own in MDL.
    number = list(target.fields).index(name)
    declared = _declared(target, name, registry)
    document: dict[str, object] = {
        "name": field.name,
        "label": field.label,
        "type": field.type,
        "source": source(field.name),
        "status": status(field.active),
        "order": _order(declared, number),
        **_stamped(dates.field(name)),
        "required": field.required,
        "unique": field.unique,
        # Nobody edits a field that the Vault sets itself, even if its definition is editable; a connection edits more.
        "editable": may_set(caller, target.name, field),
        "multi_value": field.multi_value,
        # A copy with the same unique value could not be stored.
        "no_copy": field.unique or field.no_copy,
        "system_managed_name": field.system_managed_name,
        "sequential_naming": field.system_managed_name,
        "value_format": field.value_format,
    }
    for flag in FIELD_FLAGS:
        document[flag] = declared is not None and declared.flag(flag)
    for member in FIELD_TEXTS:
        text = None if declared is None else declared.text(member)
        document[member] = text or None
    optional: Mapping[str, object] = {
        "max_length": field.max_length,
        "scale": field.scale,
        "min_value": field.min_value,
        "max_value": field.max_value,
        "picklist": field.picklist,
    }
    document |= {
        member: value for member, value in optional.items() if value is not None
    }
    if declared is not None:
        document |= _marks_and_remarks(declared)
    # Only fields of type Object name one.
    if field.object is not None:
        document |= _reference(field, registry.objects[field.object], base_path)
    return document


def _marks_and_remarks(declared: Component) -> dict[str, object]:
    """Return the marks and remarks that the MDL of a field sets."""
    members: dict[str, object] = {}
    for mark in FIELD_MARKS:
        if declared.flag(mark):
            members[mark] = True
    for remark in FIELD_REMARKS:
        text = declared.text(remark)
        if text:
            members[remark] = text
    return members


def _declared(target: VaultObject, name: str, registry: Registry) -> Component | None:
    """Return the MDL of a field; None for a field that the platform adds to every object."""
    component = registry.components.get(("Object", target.name))
    return None if component is None else component.child("Field", name)


def _order(declared: Component | None, number: int) -> int:
    """Return the ``order`` in the MDL of an object or field; without one, ``number``, its position in the list."""
    order = None if declared is None else declared.whole("order")
    return number if order is None else order


def _stamped(stamp: Stamp) -> dict[str, object]:
    """Return who created and changed a component, and when."""
    return {
        "created_by": stamp.created_by,
        "created_date": date_time_text(stamp.created_date),
        "modified_by": stamp.modified_by,
        "modified_date": date_time_text(stamp.modified_date),
    }


def source(name: str) -> Source:
    """Return the source of a name by its suffix: the platform, the standard configuration or the customer."""
    if name.endswith("__c"):
        return Source.CUSTOM
    return Source.SYSTEM if name.endswith("__sys") else Source.STANDARD


def status(active: bool) -> list[str]:
    """Return the ``status`` of a component: a list, as the values of all picklists are."""
    return ["active__v" if active else "inactive__v"]


def _reference(
    field: Field,
    referenced: VaultObject,
    base_path: str,
) -> dict[str, object]:
    """Return the members that only fields with a reference have."""
    members: dict[str, object] = {
        "object": object_reference(referenced, base_path),
        "relationship_type": field.relationship_type,
        "relationship_deletion": field.relationship_deletion,
        "relationship_outbound_name": field.relationship_outbound_name,
    }
    if field.relationship_inbound_name:
        members["relationship_inbound_name"] = field.relationship_inbound_name
    return members


def _object_types(
    target: VaultObject,
    registry: Registry,
    base_path: str,
) -> list[dict[str, object]]:
    """Return the object types of an object."""
    configuration = f"{base_path}/configuration/Objecttype.{target.name}"
    return [
        {
            "name": each.name,
            "label": each.label,
            "label_plural": each.label_plural or each.label,
            "url": f"{configuration}.{each.name}",
            "status": status(each.active),
        }
        for each in registry.types_of(target.name).values()
    ]


def _outbound(
    target: VaultObject,
    registry: Registry,
    base_path: str,
) -> Iterator[dict[str, object]]:
    """Yield the relationships of ``target`` to the objects to which it refers."""
    for name, field in target.outbound.items():
        parent = field.relationship_type is RelationshipType.PARENT
        kind = (
            RelationshipKind.PARENT if parent else RelationshipKind.REFERENCE_OUTBOUND
        )
        if field.object is not None:
            other = registry.objects[field.object]
            yield _relationship(name, field, kind, other, base_path)


def _inbound(
    target: VaultObject,
    registry: Registry,
    base_path: str,
) -> Iterator[dict[str, object]]:
    """Yield the relationships of ``target`` to the objects that refer to it."""
    for name, (child, field) in registry.inbound(target.name).items():
        parent = field.relationship_type is RelationshipType.PARENT
        kind = RelationshipKind.CHILD if parent else RelationshipKind.REFERENCE_INBOUND
        yield _relationship(name, field, kind, registry.objects[child], base_path)


def _relationship(
    name: str,
    field: Field,
    kind: RelationshipKind,
    other: VaultObject,
    base_path: str,
) -> dict[str, object]:
    """Return a relationship from the side of the object whose metadata contains it."""
    match kind:
        case RelationshipKind.PARENT | RelationshipKind.REFERENCE_OUTBOUND:
            label = field.label
        case RelationshipKind.CHILD | RelationshipKind.REFERENCE_INBOUND:
            # There may be many, and the field's label is that of this object.
            label = other.label_plural
        case _:
            assert_never(kind)
    return {
        "relationship_name": name,
        "relationship_label": label,
        "field": field.name,
        "relationship_type": kind,
        "relationship_deletion": field.relationship_deletion,
        "object": object_reference(other, base_path),
    }
