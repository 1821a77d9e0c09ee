"""Component trees to the typed model that records, queries and queues work with."""

from __future__ import annotations

from dataclasses import replace

from shared.vault.components import platform
from shared.vault.components.model import (
    EntryAction,
    Field,
    FieldType,
    Lifecycle,
    LifecycleState,
    ObjectType,
    Picklist,
    PicklistEntry,
    Queue,
    QueueConnection,
    RelationshipDeletion,
    UserAction,
    VaultObject,
)
from shared.vault.components.tree import Component
from shared.vault.components.types import DEFAULT_LONG_TEXT_LENGTH

_DEFAULT_LENGTHS = {
    FieldType.STRING: 128,
    FieldType.LONG_TEXT: DEFAULT_LONG_TEXT_LENGTH,
    FieldType.RICH_TEXT: DEFAULT_LONG_TEXT_LENGTH,
}
_ENTRY_ACTION_ATTRIBUTES = frozenset({"action", "order"})


def build_object(component: Component) -> VaultObject:
    """The object of a valid ``Object`` component, platform fields included."""
    label = component.text("label")
    allow_types = component.flag("allow_types")
    lifecycle = component.reference("lifecycle")
    return VaultObject(
        name=component.name,
        label=label,
        label_plural=component.text("label_plural") or f"{label}s",
        prefix=component.text("prefix"),
        description=component.text("description"),
        active=component.flag("active", True),
        in_menu=component.flag("in_menu", True),
        allow_types=allow_types,
        default_type=(component.optional_text("default_type") or platform.BASE_TYPE) if allow_types else None,
        lifecycle=lifecycle,
        fields=_fields(component, allow_types=allow_types, has_lifecycle=lifecycle is not None),
    )


def _fields(component: Component, *, allow_types: bool, has_lifecycle: bool) -> dict[str, Field]:
    fields = [platform.ID, platform.GLOBAL_ID, platform.LINK, platform.NAME, platform.STATUS]
    fields += [platform.OBJECT_TYPE] if allow_types else []
    fields += [platform.LIFECYCLE, platform.STATE] if has_lifecycle else []
    fields += platform.AUDIT
    by_name = {field.name: field for field in fields}
    for child in component.children_of("Field"):
        by_name[child.name] = _redefined(by_name[child.name], child) if child.name in by_name else _field(child)
    return by_name


def _field(component: Component) -> Field:
    field_type = FieldType(component.text("type"))
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
        scale=component.whole("scale") or 0 if field_type is FieldType.NUMBER else None,
        min_value=component.number("min_value"),
        max_value=component.number("max_value"),
        picklist=component.reference("picklist"),
        multi_value=component.flag("multi_value"),
        object=component.reference("object"),
        relationship_type=(component.text("relationship_type") or "reference") if is_object else None,
        relationship_deletion=RelationshipDeletion(component.text("relationship_deletion") or "block"),
        relationship_outbound_name=outbound if is_object else None,
        relationship_inbound_name=component.optional_text("relationship_inbound_name"),
    )


def _redefined(field: Field, component: Component) -> Field:
    """A platform field with the attributes that the object gives it anew."""
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
        value_format=(component.text("value_format") or "{000000}") if system_managed else None,
    )


def build_object_type(component: Component) -> ObjectType:
    """The object type of a valid ``Objecttype`` component, whose name is ``{object}.{type}``."""
    object_name, _, name = component.name.partition(".")
    return ObjectType(
        name=name,
        object=object_name,
        label=component.text("label"),
        active=component.flag("active", True),
        description=component.text("description"),
    )


def build_picklist(component: Component) -> Picklist:
    """The picklist of a valid ``Picklist`` component; values without an order keep the order written."""
    entries = {}
    for position, child in enumerate(component.children_of("Picklistentry")):
        order = child.whole("order")
        entries[child.name] = PicklistEntry(
            child.name, child.text("label"), position if order is None else order, child.flag("active", True)
        )
    return Picklist(
        component.name,
        component.text("label"),
        component.flag("active", True),
        component.text("description"),
        dict(sorted(entries.items(), key=lambda item: item[1].order)),
    )


def build_lifecycle(component: Component) -> Lifecycle:
    """The lifecycle of a valid ``Objectlifecycle`` component; actions are sorted by their order."""
    states = {child.name: _state(child) for child in component.children_of("Objectlifecyclestate")}
    return Lifecycle(
        component.name,
        component.text("label"),
        component.text("starting_state"),
        component.flag("active", True),
        states,
    )


def _state(component: Component) -> LifecycleState:
    entry_actions = [_entry_action(c) for c in component.children_of("Objectlifecyclestateentryaction")]
    user_actions = [_user_action(c) for c in component.children_of("Objectlifecyclestateuseraction")]
    return LifecycleState(
        component.name,
        component.text("label"),
        component.flag("active", True),
        tuple(sorted(entry_actions, key=lambda action: action.order)),
        tuple(sorted(user_actions, key=lambda action: action.order)),
    )


def _entry_action(component: Component) -> EntryAction:
    parameters = {n: v for n, v in component.attributes.items() if n not in _ENTRY_ACTION_ATTRIBUTES}
    return EntryAction(component.name, component.text("action"), component.whole("order") or 0, parameters)


def _user_action(component: Component) -> UserAction:
    return UserAction(
        component.name,
        component.text("label"),
        component.text("action"),
        component.whole("order") or 0,
        component.optional_text("next_state"),
        component.texts("prompts"),
    )


def build_queue(component: Component) -> Queue:
    """The queue of a valid ``Queue`` component."""
    return Queue(
        name=component.name,
        label=component.text("label"),
        type=component.text("type"),
        active=component.flag("active", True),
        description=component.text("description"),
        message_processor=component.optional_text("message_processor"),
        message_processor_user=component.optional_text("message_processor_user"),
        message_delivery_event_handler=component.optional_text("message_delivery_event_handler"),
        message_delivery_event_handler_user=component.optional_text("message_delivery_event_handler_user"),
        rollback_on_error=component.flag("rollback_on_error"),
        sequential=component.flag("sequential"),
        connections=tuple(_queue_connection(c) for c in component.children_of("Queueconnection")),
    )


def _queue_connection(component: Component) -> QueueConnection:
    return QueueConnection(
        name=component.name,
        connection_name=component.text("connection_name"),
        connection_type=component.optional_text("connection_type"),
        deliver_to_queue=component.optional_text("deliver_to_queue"),
        active=component.flag("active", True),
    )
