"""Lists every component type that a Vault accepts, with the attributes of each."""

from __future__ import annotations

from collections.abc import Mapping

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.document_types import DOCUMENT_TYPES
from shared.vault.components.lifecycle_types import LIFECYCLE
from shared.vault.components.object_types import (
    LABEL_LENGTH,
    MAX_STRING_LENGTH,
    NAME_LENGTH,
    OBJECT,
    OBJECT_ACTION,
    OBJECT_TYPE,
    REDEFINABLE_FIELDS,
)
from shared.vault.components.permission_types import PERMISSION_TYPES
from shared.vault.components.specification import (
    ComponentType,
    NameRule,
    by_name,
    component,
    enum,
    flag,
    number,
    text,
)
from shared.vault.components.unused_types import UNUSED_TYPES
from shared.vault.components.workflow_types import WORKFLOW
from shared.vault.model.component_model import QueueType

__all__ = [
    "COMPONENT_TYPES",
    "MAX_STRING_LENGTH",
    "NAME_LENGTH",
    "QUERY_FIELD_TYPES",
    "REDEFINABLE_FIELDS",
    "REFERENCE_LOOKUP_TYPES",
]

_VOBJECT_QUERY_TYPES = (
    "boolean", "component", "currency", "date", "datetime", "document_reference", "formula", "id", "longtext",
    "lookup", "number", "object_reference", "parent_object_reference", "picklist", "richtext", "text",
)  # fmt: skip
_DOCUMENT_QUERY_TYPES = (
    "boolean", "component", "date", "datetime", "formula", "lookup", "number", "object_reference", "picklist",
    "text", "url",
)  # fmt: skip
QUERY_FIELD_TYPES = tuple(
    f"vobject_{name}__sys" for name in _VOBJECT_QUERY_TYPES
) + tuple(f"document_{name}__sys" for name in _DOCUMENT_QUERY_TYPES)
REFERENCE_LOOKUP_TYPES = (
    "picklist",
    "object",
    "objectlifecyclestate",
    "documentlifecyclestate",
    "documenttype",
    "generic",
    "lifecyclestate",
)

_PICKLIST = ComponentType(
    ComponentKind.PICKLIST,
    "Picklist",
    "Picklists",
    "PIC",
    by_name(
        text("label", 128, required=True),
        flag("active"),
        text("description", 500),
        flag("can_add_values"),
        flag("can_reorder_values"),
        flag("system_managed"),
        component("controlling_picklist", ComponentKind.PICKLIST),
        enum(
            "order_type",
            ("order_asc__sys", "value_label_asc__sys", "value_label_desc__sys"),
        ),
    ),
    {
        PartKind.PICKLIST_ENTRY: ComponentType(
            PartKind.PICKLIST_ENTRY,
            "Picklist Entry",
            "Picklist Entries",
            "PLE",
            by_name(
                # A Vault exports the label as the value; either is taken, and one is needed.
                text("label", 256),
                text("value", 256),
                number("order", 0),
                flag("active"),
                text("controlling_entries", 1500, multi_value=True),
            ),
            max_name_length=100,
        )
    },
)

_QUEUE = ComponentType(
    ComponentKind.QUEUE,
    "Queue",
    "Queues",
    "QUE",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        flag("active"),
        text("description", 500),
        enum("type", tuple(QueueType), required=True),
        text("message_processor", 255),
        text("message_processor_user", 1500),
        text("message_delivery_event_handler", 255),
        text("message_delivery_event_handler_user", 1500),
        flag("rollback_on_error"),
        flag("sequential"),
    ),
    {
        PartKind.QUEUE_CONNECTION: ComponentType(
            PartKind.QUEUE_CONNECTION,
            "Queue Connection",
            "Queue Connections",
            "QCN",
            by_name(
                text("label", LABEL_LENGTH),
                text("connection_name", 40, required=True),
                text("connection_type", 40),
                text("deliver_to_queue", NAME_LENGTH),
                flag("active"),
            ),
        )
    },
)

_FIELD_RULE = ComponentType(
    PartKind.FIELD_RULE,
    "Field Rule",
    "Field Rules",
    "FRU",
    by_name(
        text("label", LABEL_LENGTH),
        flag("active"),
        text("query_object", 100),
        text("query_field", 100),
        text("query_field_select", 1500),
        enum("query_field_type", QUERY_FIELD_TYPES),
        component("target_object", ComponentKind.OBJECT),
        component("target_object_field", PartKind.FIELD),
        text("target_docfield", 100),
        component("target_obj_field_ref_obj", ComponentKind.OBJECT),
        text("target_field_lookup", 100),
        enum("reference_lookup_type", REFERENCE_LOOKUP_TYPES),
        text("reference_lookup", 45),
        # Of our own: what a source key without a lookup row, or without a usable record, comes to.
        enum("missing_lookup", ("error", "default", "warning")),
        # Of our own, too: what a source field without a value does to its target field.
        enum("empty_source", ("clear", "keep")),
        text("field_default", 1500),
        enum("field_default_type", ("text", "reference", "code")),
        enum("evaluate_field_length", ("error", "truncate")),
    ),
    name_rule=NameRule.OPTIONAL_NAMESPACE,
    max_name_length=100,
)

_QUERY_OBJECT_RULE = ComponentType(
    PartKind.QUERY_OBJECT_RULE,
    "Query Object Rule",
    "Query Object Rules",
    "QOR",
    by_name(
        text("label", LABEL_LENGTH),
        flag("active"),
        text("query_object", 1500, required=True),
        text("filter_clause", 4000),
    ),
    name_rule=NameRule.OPTIONAL_NAMESPACE,
    max_name_length=100,
)

_INTEGRATION_RULE = ComponentType(
    ComponentKind.INTEGRATION_RULE,
    "Integration Rule",
    "Integration Rules",
    "IRU",
    by_name(
        text("label", LABEL_LENGTH),
        flag("active"),
        text("connection", 40, required=True),
        text("integration_point", 40),
        text("primary_query_object", 1500),
        text("copy_of", 40),
        flag("lock_activation"),
        flag("lock_defaults"),
    ),
    {PartKind.FIELD_RULE: _FIELD_RULE, PartKind.QUERY_OBJECT_RULE: _QUERY_OBJECT_RULE},
)

_TYPED = (
    _PICKLIST,
    LIFECYCLE,
    OBJECT,
    OBJECT_TYPE,
    OBJECT_ACTION,
    _QUEUE,
    _INTEGRATION_RULE,
    *PERMISSION_TYPES,
    *DOCUMENT_TYPES,
    WORKFLOW,
)

# Every component type by its name: those that this Vault acts on, and those that it keeps.
COMPONENT_TYPES: Mapping[str, ComponentType] = {
    str(kind.name): kind for kind in (*_TYPED, *UNUSED_TYPES)
}
