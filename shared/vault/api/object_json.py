"""Objects and fields as the object metadata endpoints show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.protocol.date_times import date_time_text
from shared.vault.components.component_tree import Component
from shared.vault.components.registry import Registry
from shared.vault.configuration.component_table import ObjectDates, Stamp
from shared.vault.model.component_model import Field, FieldType, VaultObject

KEPT_FLAGS = (
    "configuration_data",
    "dynamic_security",
    "enable_esignatures",
    "prevent_record_overwrite",
    "role_overrides",
    "secure_attachments",
    "secure_audit_trail",
    "secure_sharing_settings",
)
FIELD_FLAGS = ("encrypted", "list_column", "facetable")
FIELD_MARKS = (
    "checkbox",
    "secure_relationship",
    "create_object_inline",
    "multi_part_readonly",
)
FIELD_TEXTS = (
    "subtype",
    "description",
    "help_content",
    "format_mask",
    "component",
    "multi_part_field",
    "relationship_criteria",
    "relationship_inbound_label",
)
SOURCES = {"__c": "custom", "__sys": "system"}


def object_reference(target: VaultObject, base_path: str) -> dict[str, object]:
    """The few members by which answers refer to an object; ``base_path`` is ``/api/{version}``."""
    return {
        "url": f"{base_path}/metadata/vobjects/{target.name}",
        "label": target.label,
        "name": target.name,
        "label_plural": target.label_plural,
        "prefix": target.prefix,
    }


def object_summary(
    target: VaultObject, number: int, registry: Registry, base_path: str
) -> dict[str, object]:
    """One entry of the list of all objects; ``number`` is its place there."""
    return {
        **object_reference(target, base_path),
        "order": _order(registry.components.get(("Object", target.name)), number),
        "in_menu": target.in_menu,
        "source": source(target.name),
        "status": status(target.active),
        "configuration_state": "STEADY_STATE",
    }


def object_document(
    target: VaultObject, registry: Registry, base_path: str, dates: ObjectDates
) -> dict[str, object]:
    """An object with its fields, relationships, types and lifecycles."""
    number = list(registry.objects).index(target.name)
    records = f"{base_path}/vobjects/{target.name}"
    metadata = f"{base_path}/metadata/vobjects/{target.name}"
    return {
        **object_reference(target, base_path),
        "description": target.description,
        "object_class": "base",
        "data_store": "raw" if target.raw else "standard",
        "source": source(target.name),
        "status": status(target.active),
        "order": _order(registry.components.get(("Object", target.name)), number),
        **_stamped(dates.own),
        "in_menu": target.in_menu,
        "allow_types": target.allow_types,
        "default_obj_type": target.default_type or "base__v",
        "available_lifecycles": [target.lifecycle] if target.lifecycle else [],
        "allow_attachments": target.allow_attachments,
        **_kept(target, registry),
        "system_managed": target.name.endswith("__sys"),
        "object_types": _object_types(target, registry, base_path),
        "urls": {
            "metadata": metadata,
            "list": records,
            "record": f"{records}/{{id}}",
            "field": f"{metadata}/fields/{{name}}",
            "lineage": f"{base_path}/services/lineage/vobjects/{target.name}/{{id}}",
            **(
                {"attachments": f"{records}/{{id}}/attachments"}
                if target.allow_attachments
                else {}
            ),
        },
        "fields": [
            field_document(target, name, registry, base_path, dates)
            for name in target.fields
        ],
        "relationships": [
            *_outbound(target, registry, base_path),
            *_inbound(target, registry, base_path),
        ],
    }


def _kept(target: VaultObject, registry: Registry) -> dict[str, object]:
    """What its MDL says beside what this Vault acts on, and whether changes of records are audited."""
    component = registry.components.get(("Object", target.name))
    members: dict[str, object] = {
        "auditable": component is None or component.flag("audit", True)
    }
    if component is None:
        return members | dict.fromkeys(KEPT_FLAGS, False)
    members |= {name: component.flag(name) for name in KEPT_FLAGS}
    texts = {
        name: component.text(name)
        for name in ("help_content", "user_role_setup_object")
    }
    return members | {name: text for name, text in texts.items() if text}


def field_document(
    target: VaultObject,
    name: str,
    registry: Registry,
    base_path: str,
    dates: ObjectDates,
) -> dict[str, object]:
    """One field of an object; members that its type does not have are left out."""
    field = target.fields[name]
    declared = _declared(target, name, registry)
    document: dict[str, object] = {
        "name": field.name,
        "label": field.label,
        "type": field.type,
        "source": source(field.name),
        "status": status(field.active),
        "order": _order(declared, list(target.fields).index(name)),
        **_stamped(dates.field(name)),
        "required": field.required,
        "unique": field.unique,
        "editable": field.editable and not field.system,
        "multi_value": field.multi_value,
        "no_copy": field.unique or field.no_copy,
        **{flag: declared is not None and declared.flag(flag) for flag in FIELD_FLAGS},
    }
    optional: Mapping[str, object] = {
        "max_length": field.max_length,
        "scale": field.scale,
        "min_value": field.min_value,
        "max_value": field.max_value,
        "picklist": field.picklist,
        "value_format": field.value_format,
    }
    document |= {
        member: value for member, value in optional.items() if value is not None
    }
    if declared is not None:
        document |= {mark: True for mark in FIELD_MARKS if declared.flag(mark)}
        document |= {
            member: text for member in FIELD_TEXTS if (text := declared.text(member))
        }
    if field.system_managed_name:
        document |= {"system_managed_name": True, "sequential_naming": True}
    if field.type is FieldType.OBJECT and field.object is not None:
        document |= _reference(field, registry.objects[field.object], base_path)
    return document


def _declared(target: VaultObject, name: str, registry: Registry) -> Component | None:
    """What the object's MDL says of a field, None where it leaves it to the platform."""
    component = registry.components.get(("Object", target.name))
    return None if component is None else component.child("Field", name)


def _order(declared: Component | None, number: int) -> int:
    """The order that MDL gives, else the place among the others."""
    given = None if declared is None else declared.whole("order")
    return number if given is None else given


def _stamped(stamp: Stamp) -> dict[str, object]:
    return {
        "created_by": stamp.created_by,
        "created_date": date_time_text(stamp.created_date),
        "modified_by": stamp.modified_by,
        "modified_date": date_time_text(stamp.modified_date),
    }


def source(name: str) -> str:
    """Who defined a name: the platform, the standard configuration or the customer."""
    return next(
        (word for suffix, word in SOURCES.items() if name.endswith(suffix)), "standard"
    )


def status(active: bool) -> list[str]:
    """``status`` of a component, a list as all picklist values are."""
    return ["active__v" if active else "inactive__v"]


def _reference(
    field: Field, referenced: VaultObject, base_path: str
) -> dict[str, object]:
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
    target: VaultObject, registry: Registry, base_path: str
) -> list[dict[str, object]]:
    return [
        {
            "name": t.name,
            "label": t.label,
            "label_plural": t.label_plural or t.label,
            "url": f"{base_path}/configuration/Objecttype.{target.name}.{t.name}",
            "status": status(t.active),
        }
        for t in registry.types_of(target.name).values()
    ]


def _outbound(
    target: VaultObject, registry: Registry, base_path: str
) -> Iterator[dict[str, object]]:
    for name, field in target.outbound.items():
        kind = "parent" if field.relationship_type == "parent" else "reference_outbound"
        if field.object is not None:
            yield _relationship(
                name, field, kind, registry.objects[field.object], base_path
            )


def _inbound(
    target: VaultObject, registry: Registry, base_path: str
) -> Iterator[dict[str, object]]:
    for name, (child, field) in registry.inbound(target.name).items():
        kind = "child" if field.relationship_type == "parent" else "reference_inbound"
        yield _relationship(name, field, kind, registry.objects[child], base_path)


def _relationship(
    name: str, field: Field, kind: str, other: VaultObject, base_path: str
) -> dict[str, object]:
    return {
        "relationship_name": name,
        "relationship_label": field.label
        if kind in ("parent", "reference_outbound")
        else other.label_plural,
        "field": field.name,
        "relationship_type": kind,
        "relationship_deletion": field.relationship_deletion,
        "object": object_reference(other, base_path),
    }
