"""Builds the typed model that records, queries and queues work with, out of component trees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.vault.components import platform
from shared.vault.components.component_kinds import PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.object_types import (
    DEFAULT_LONG_TEXT_LENGTH,
    REDEFINABLE_FIELDS,
    stored_type,
)
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
from shared.vault.model.component_model import (
    Field,
    FieldType,
    ObjectType,
    ObjectUserAction,
    Picklist,
    PicklistEntry,
    Queue,
    QueueConnection,
    QueueType,
    RelationshipDeletion,
    RelationshipType,
    VaultObject,
)

_DEFAULT_LENGTHS = {
    FieldType.STRING: 128,
    FieldType.LONG_TEXT: DEFAULT_LONG_TEXT_LENGTH,
    FieldType.RICH_TEXT: DEFAULT_LONG_TEXT_LENGTH,
}
_DEFAULT_CURRENCY_SCALE = 2
_ACTION_ATTRIBUTES = frozenset(
    {
        "label", "action", "active", "description", "parameters", "order", "available_all_states",
        "keyboard_shortcut", "prompts",
    }
)  # fmt: skip


def build_object(component: Component) -> VaultObject:
    """Return the object of a valid ``Object`` component, platform fields included."""
    label = component.text("label")
    allow_types = component.flag("allow_types")
    lifecycle = component.reference("lifecycle") or next(
        iter(component.references("available_lifecycles")), None
    )
    return VaultObject(
        name=component.name,
        label=label,
        label_plural=component.text("label_plural") or f"{label}s",
        prefix=component.text("prefix"),
        description=component.text("description"),
        active=component.flag("active", True),
        in_menu=component.flag("in_menu", True),
        allow_types=allow_types,
        default_type=_default_type(component) if allow_types else None,
        allow_attachments=component.flag("allow_attachments"),
        raw=component.text("data_store") == "raw",
        lifecycle=lifecycle,
        fields=_fields(
            component, allow_types=allow_types, has_lifecycle=lifecycle is not None
        ),
        actions=tuple(
            sorted(
                map(build_action, component.children_of(PartKind.OBJECT_ACTION)),
                key=lambda a: a.order,
            )
        ),
    )


def _default_type(component: Component) -> str:
    exported = component.text("default_obj_type").rpartition(".")[2]
    return component.text("default_type") or exported or platform.BASE_TYPE


def build_action(component: Component) -> ObjectUserAction:
    """Return the user action of a valid ``Objectaction``, by its name within the object."""
    return ObjectUserAction(
        name=component.name.rpartition(".")[2],
        label=component.text("label"),
        action=component.text("action"),
        active=component.flag("active", True),
        order=component.whole("order") or 0,
        prompts=component.texts("prompts"),
        parameters={
            n: v for n, v in component.attributes.items() if n not in _ACTION_ATTRIBUTES
        },
    )


def _fields(
    component: Component, *, allow_types: bool, has_lifecycle: bool
) -> dict[str, Field]:
    fields = [
        platform.ID,
        platform.GLOBAL_ID,
        platform.LINK,
        platform.NAME,
        platform.STATUS,
    ]
    fields += [platform.OBJECT_TYPE] if allow_types else []
    fields += [platform.LIFECYCLE, platform.STATE] if has_lifecycle else []
    fields += [*platform.AUDIT, platform.SOURCE_MODIFIED]
    by_name = {field.name: field for field in fields}
    for child in component.children_of(PartKind.FIELD):
        if child.name in REDEFINABLE_FIELDS:
            by_name[child.name] = _redefined(by_name[child.name], child)
        elif child.name in PLATFORM_FIELD_TYPES:
            continue  # the Vault's own say, whatever an export tells of it
        elif (held := stored_type(child)) is not None:
            by_name[child.name] = _field(child, held)
    return by_name


def _field(component: Component, field_type: FieldType) -> Field:
    is_object = field_type is FieldType.OBJECT
    outbound = component.text("relationship_outbound_name") or f"{component.name}r"
    return Field(
        name=component.name,
        label=component.text("label"),
        type=field_type,
        active=component.flag("active", True),
        required=component.flag("required"),
        unique=component.flag("unique"),
        editable=component.flag("editable", True),
        max_length=component.whole("max_length") or _DEFAULT_LENGTHS.get(field_type),
        scale=_scale(component) if field_type is FieldType.NUMBER else None,
        min_value=component.number("min_value"),
        max_value=component.number("max_value"),
        picklist=component.reference("picklist"),
        encrypted=component.flag("encrypted"),
        format_mask=component.optional_text("format_mask"),
        multi_value=component.flag("multi_value"),
        no_copy=component.flag("no_copy"),
        object=component.reference("object"),
        relationship_type=_relationship_type(component) if is_object else None,
        relationship_deletion=RelationshipDeletion(
            component.text("relationship_deletion") or "block"
        ),
        relationship_outbound_name=outbound if is_object else None,
        relationship_inbound_name=component.optional_text("relationship_inbound_name"),
    )


def _relationship_type(component: Component) -> RelationshipType:
    return RelationshipType(
        component.text("relationship_type") or RelationshipType.REFERENCE
    )


def _scale(component: Component) -> int:
    scale = component.whole("scale")
    return (
        (_DEFAULT_CURRENCY_SCALE if component.text("type") == "Currency" else 0)
        if scale is None
        else scale
    )


def _redefined(field: Field, component: Component) -> Field:
    """Return a platform field with the attributes that the object declares anew."""
    system_managed = component.flag("system_managed_name")
    unique = component.flag("unique", field.unique)
    length = component.whole("max_length") or field.max_length
    if unique and length is not None:
        length = min(length, platform.UNIQUE_MAX_LENGTH)
    return replace(
        field,
        label=component.text("label") or field.label,
        required=component.flag("required", field.required) and not system_managed,
        unique=unique,
        editable=component.flag("editable", field.editable) and not system_managed,
        max_length=length,
        system_managed_name=system_managed,
        value_format=(component.text("value_format").replace("#", "0") or "{000000}")
        if system_managed
        else None,
    )


def build_object_type(component: Component) -> ObjectType:
    """Return the object type of a valid ``Objecttype`` component, whose name is ``{object}.{type}``."""
    object_name, _, name = component.name.partition(".")
    return ObjectType(
        name=name,
        object=object_name,
        label=component.text("label"),
        active=component.flag("active", True),
        description=component.text("description"),
        label_plural=component.text("label_plural"),
        validations=component.texts("additional_type_validations"),
        fields={
            field.name: field.flag("required")
            for field in component.children_of(PartKind.TYPE_FIELD)
            if field.flag("active", True)
        },
    )


def build_picklist(component: Component) -> Picklist:
    """Return the picklist of a valid ``Picklist`` component; values without an ``order`` keep theirs."""
    entries = {}
    for position, child in enumerate(component.children_of(PartKind.PICKLIST_ENTRY)):
        order = child.whole("order")
        entries[child.name] = PicklistEntry(
            child.name,
            child.text("label") or child.text("value"),
            position if order is None else order,
            child.flag("active", True),
        )
    return Picklist(
        component.name,
        component.text("label"),
        component.flag("active", True),
        component.text("description"),
        _sorted(entries, component.text("order_type")),
    )


def build_profiles(components: Iterable[Component]) -> Picklist:
    """Return the security profiles that users may have: those of every Vault, then the ``Securityprofile`` components."""
    supplied = platform.SECURITY_PROFILES
    custom = (c for c in components if c.name not in supplied.entries)
    added = {
        c.name: PicklistEntry(c.name, c.text("label"), number, c.flag("active", True))
        for number, c in enumerate(custom, len(supplied.entries))
    }
    return replace(supplied, entries={**supplied.entries, **added})


def _sorted(
    entries: dict[str, PicklistEntry], order_type: str
) -> dict[str, PicklistEntry]:
    if order_type in ("value_label_asc__sys", "value_label_desc__sys"):
        descending = order_type == "value_label_desc__sys"
        return dict(
            sorted(
                entries.items(),
                key=lambda item: item[1].label.casefold(),
                reverse=descending,
            )
        )
    return dict(sorted(entries.items(), key=lambda item: item[1].order))


def build_queue(component: Component) -> Queue:
    """Return the queue of a valid ``Queue`` component."""
    return Queue(
        name=component.name,
        label=component.text("label"),
        type=QueueType(component.text("type")),
        active=component.flag("active", True),
        description=component.text("description"),
        message_processor=component.optional_text("message_processor"),
        message_processor_user=component.optional_text("message_processor_user"),
        message_delivery_event_handler=component.optional_text(
            "message_delivery_event_handler"
        ),
        message_delivery_event_handler_user=component.optional_text(
            "message_delivery_event_handler_user"
        ),
        rollback_on_error=component.flag("rollback_on_error"),
        sequential=component.flag("sequential"),
        connections=tuple(
            _queue_connection(c)
            for c in component.children_of(PartKind.QUEUE_CONNECTION)
        ),
    )


def _queue_connection(component: Component) -> QueueConnection:
    return QueueConnection(
        name=component.name,
        connection_name=component.text("connection_name"),
        connection_type=component.optional_text("connection_type"),
        deliver_to_queue=component.optional_text("deliver_to_queue"),
        active=component.flag("active", True),
    )
