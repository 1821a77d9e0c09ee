"""Builds the typed model, which records, queries and queues use, from component trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

from shared.vault.components import platform
from shared.vault.components.component_kinds import PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.object_types import (
    DEFAULT_LONG_TEXT_LENGTH,
    OBJECT_PARENT,
    RAW_STORES,
    REDEFINABLE_FIELDS,
    stored_type,
    without_named_values,
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

DEFAULT_STRING_LENGTH = 128
_DEFAULT_CURRENCY_SCALE = 2
_DEFAULT_VALUE_FORMAT = "{000000}"
_ACTION_ATTRIBUTES = frozenset(
    {
        "label", "action", "active", "description", "parameters", "order", "available_all_states",
        "keyboard_shortcut", "prompts",
    }
)  # fmt: skip


def build_object(component: Component) -> VaultObject:
    """Return the object of a valid ``Object`` component, with the fields that the platform adds."""
    label = component.text("label")
    allow_types = component.flag("allow_types")
    lifecycle = _lifecycle(component)
    fields = _fields(
        component,
        allow_types=allow_types,
        has_lifecycle=lifecycle is not None,
    )
    actions = map(build_action, component.children_of(PartKind.OBJECT_ACTION))
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
        raw=component.text("data_store") in RAW_STORES,
        search=component.flag("search", True),
        audited=component.flag("audit", True),
        lifecycle=lifecycle,
        fields=fields,
        actions=tuple(sorted(actions, key=lambda action: action.order)),
    )


def _lifecycle(component: Component) -> str | None:
    named = component.reference("lifecycle")
    # Exports of Vaults list lifecycles; an object has one here, the first of them.
    available = component.references("available_lifecycles")
    first = available[0] if available else None
    return named or first


def _default_type(component: Component) -> str:
    exported = component.text("default_obj_type").rpartition(".")[2]
    return component.text("default_type") or exported or platform.BASE_TYPE


def build_action(component: Component) -> ObjectUserAction:
    """Return the user action of a valid ``Objectaction`` component, with its short name."""
    short_name = component.name.rpartition(".")[2]
    parameters = {
        name: values
        for name, values in component.attributes.items()
        if name not in _ACTION_ATTRIBUTES
    }
    return ObjectUserAction(
        name=short_name,
        label=component.text("label"),
        action=component.text("action"),
        active=component.flag("active", True),
        order=component.whole("order") or 0,
        prompts=component.texts("prompts"),
        parameters=parameters,
    )


def _fields(
    component: Component,
    *,
    allow_types: bool,
    has_lifecycle: bool,
) -> dict[str, Field]:
    supplied = _platform_fields(allow_types=allow_types, has_lifecycle=has_lifecycle)
    by_name = {field.name: field for field in supplied}
    for child in component.children_of(PartKind.FIELD):
        if child.name in REDEFINABLE_FIELDS:
            by_name[child.name] = _redefined(by_name[child.name], child)
            continue
        # The Vault defines its own fields, whatever an export declares of them.
        if child.name in PLATFORM_FIELD_TYPES:
            continue
        field_type = stored_type(child)
        if field_type is not None:
            by_name[child.name] = _field(child, field_type)
    return by_name


def _platform_fields(
    *,
    allow_types: bool,
    has_lifecycle: bool,
) -> Iterator[Field]:
    # Tables have their columns in this order.
    yield platform.ID
    yield platform.GLOBAL_ID
    yield platform.LINK
    yield platform.NAME
    yield platform.STATUS
    if allow_types:
        yield platform.OBJECT_TYPE
    if has_lifecycle:
        yield platform.LIFECYCLE
        yield platform.STATE
    yield from platform.AUDIT
    yield platform.SOURCE_MODIFIED


def _field(
    component: Component,
    field_type: FieldType,
) -> Field:
    is_object = field_type is FieldType.OBJECT
    # owner__c → owner__cr, where the component names no relationship.
    outbound = component.text("relationship_outbound_name") or f"{component.name}r"
    return Field(
        name=component.name,
        label=component.text("label"),
        type=field_type,
        active=component.flag("active", True),
        required=component.flag("required"),
        unique=component.flag("unique"),
        editable=component.flag("editable", True),
        max_length=component.whole("max_length") or _default_length(field_type),
        scale=_scale(component) if field_type is FieldType.NUMBER else None,
        min_value=component.number("min_value"),
        max_value=component.number("max_value"),
        picklist=component.reference("picklist"),
        encrypted=component.flag("encrypted"),
        format_mask=component.optional_text("format_mask"),
        multi_value=component.flag("multi_value"),
        no_copy=component.flag("no_copy"),
        search=component.flag("search", True),
        object=component.reference("object"),
        relationship_type=_relationship_type(component) if is_object else None,
        relationship_deletion=_relationship_deletion(component),
        relationship_outbound_name=outbound if is_object else None,
        relationship_inbound_name=component.optional_text("relationship_inbound_name"),
    )


def _default_length(field_type: FieldType) -> int | None:
    """Return the default ``max_length`` of a field type; None for types without a length."""
    match field_type:
        case FieldType.STRING:
            return DEFAULT_STRING_LENGTH
        case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            return DEFAULT_LONG_TEXT_LENGTH
        case (
            FieldType.ID
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return None
        case _:
            assert_never(field_type)


def _relationship_type(component: Component) -> RelationshipType:
    is_parent = component.text("type") == OBJECT_PARENT
    implied = RelationshipType.PARENT if is_parent else RelationshipType.REFERENCE
    return RelationshipType(component.text("relationship_type") or implied)


def _relationship_deletion(component: Component) -> RelationshipDeletion:
    declared = component.text("relationship_deletion")
    return RelationshipDeletion(declared or RelationshipDeletion.BLOCK)


def _scale(component: Component) -> int:
    scale = component.whole("scale")
    if scale is not None:
        return scale
    return _DEFAULT_CURRENCY_SCALE if component.text("type") == "Currency" else 0


def _redefined(field: Field, component: Component) -> Field:
    """Return a platform field with those attributes replaced that the object's MDL sets."""
    # What the Vault itself sets can be neither required of callers nor written by them.
    system_managed = component.flag("system_managed_name")
    required = component.flag("required", field.required)
    editable = component.flag("editable", field.editable)
    unique = component.flag("unique", field.unique)
    length = component.whole("max_length") or field.max_length
    # What is longer does not fit a row of PostgreSQL's index.
    if unique and length is not None:
        length = min(length, platform.UNIQUE_MAX_LENGTH)
    return replace(
        field,
        label=component.text("label") or field.label,
        required=required and not system_managed,
        unique=unique,
        editable=editable and not system_managed,
        max_length=length,
        system_managed_name=system_managed,
        value_format=_value_format(component) if system_managed else None,
    )


def _value_format(component: Component) -> str:
    declared = component.text("value_format")
    own = without_named_values(declared)
    if own != declared:
        # Text between values that are not there says nothing: the number is the name.
        own = own[own.index("{") : own.index("}") + 1]
    # The digits of the number are written as # or as 0.
    return own.replace("#", "0") or _DEFAULT_VALUE_FORMAT


def build_object_type(component: Component) -> ObjectType:
    """Return the object type of a valid ``Objecttype`` component, whose name is ``{object}.{type}``."""
    object_name, _, name = component.name.partition(".")
    fields = {
        field.name: field.flag("required")
        for field in component.children_of(PartKind.TYPE_FIELD)
        if field.flag("active", True)
    }
    return ObjectType(
        name=name,
        object=object_name,
        label=component.text("label"),
        active=component.flag("active", True),
        description=component.text("description"),
        label_plural=component.text("label_plural"),
        validations=component.texts("additional_type_validations"),
        fields=fields,
    )


def build_picklist(component: Component) -> Picklist:
    """Return the picklist of a valid ``Picklist`` component; ``order`` defaults to a value's position in the MDL."""
    children = component.children_of(PartKind.PICKLIST_ENTRY)
    entries = [_entry(child, position) for position, child in enumerate(children)]
    ordered = _sorted(entries, component.text("order_type"))
    return Picklist(
        component.name,
        component.text("label"),
        component.flag("active", True),
        component.text("description"),
        {entry.name: entry for entry in ordered},
    )


def _entry(
    component: Component,
    position: int,
) -> PicklistEntry:
    order = component.whole("order")
    # Vaults export the label as the value.
    label = component.text("label") or component.text("value")
    return PicklistEntry(
        component.name,
        label,
        position if order is None else order,
        component.flag("active", True),
    )


def _sorted(
    entries: list[PicklistEntry],
    order_type: str,
) -> list[PicklistEntry]:
    match order_type:
        case "value_label_asc__sys":
            return sorted(entries, key=_label_key)
        case "value_label_desc__sys":
            return sorted(entries, key=_label_key, reverse=True)
        case _:
            return sorted(entries, key=lambda entry: entry.order)


def _label_key(entry: PicklistEntry) -> str:
    return entry.label.casefold()


def build_profiles(components: Iterable[Component]) -> Picklist:
    """Return the picklist of security profiles: those of every Vault, then the ``Securityprofile`` components."""
    supplied = platform.SECURITY_PROFILES
    entries = dict(supplied.entries)
    for component in components:
        # A component cannot change what every Vault has.
        if component.name in supplied.entries:
            continue
        entries[component.name] = PicklistEntry(
            component.name,
            component.text("label"),
            len(entries),
            component.flag("active", True),
        )
    return replace(supplied, entries=entries)


def build_queue(component: Component) -> Queue:
    """Return the queue of a valid ``Queue`` component."""
    connections = map(
        _queue_connection,
        component.children_of(PartKind.QUEUE_CONNECTION),
    )
    handler = component.optional_text("message_delivery_event_handler")
    handler_user = component.optional_text("message_delivery_event_handler_user")
    return Queue(
        name=component.name,
        label=component.text("label"),
        type=QueueType(component.text("type")),
        active=component.flag("active", True),
        description=component.text("description"),
        message_processor=component.optional_text("message_processor"),
        message_processor_user=component.optional_text("message_processor_user"),
        message_delivery_event_handler=handler,
        message_delivery_event_handler_user=handler_user,
        rollback_on_error=component.flag("rollback_on_error"),
        sequential=component.flag("sequential"),
        connections=tuple(connections),
    )


def _queue_connection(component: Component) -> QueueConnection:
    return QueueConnection(
        name=component.name,
        connection_name=component.text("connection_name"),
        connection_type=component.optional_text("connection_type"),
        deliver_to_queue=component.optional_text("deliver_to_queue"),
        active=component.flag("active", True),
    )
