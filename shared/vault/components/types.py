"""The catalogue of component types this Vault knows, with every attribute they take."""

from __future__ import annotations

from collections.abc import Mapping

from shared.vault.components.model import FieldType
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
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

LABEL_LENGTH = 60
NAME_LENGTH = 50  # leaves room for what schema object names add within PostgreSQL's 63 bytes
MAX_STRING_LENGTH = 1500
DEFAULT_LONG_TEXT_LENGTH = 32_000
MAX_LONG_TEXT_LENGTH = 300_000  # room for the largest message body, which an exception record keeps whole
MAX_SCALE = 10

REDEFINABLE_FIELDS = frozenset({"name__v", "link__sys", "status__v"})
"""Platform fields whose attributes an object may change by declaring them again."""

_VOBJECT_QUERY_TYPES = (
    "boolean", "component", "currency", "date", "datetime", "document_reference", "formula", "id", "longtext",
    "lookup", "number", "object_reference", "parent_object_reference", "picklist", "richtext", "text",
)  # fmt: skip
_DOCUMENT_QUERY_TYPES = (
    "boolean", "component", "date", "datetime", "formula", "lookup", "number", "object_reference", "picklist",
    "text", "url",
)  # fmt: skip
QUERY_FIELD_TYPES = tuple(f"vobject_{name}__sys" for name in _VOBJECT_QUERY_TYPES) + tuple(
    f"document_{name}__sys" for name in _DOCUMENT_QUERY_TYPES
)
REFERENCE_LOOKUP_TYPES = (
    "picklist",
    "object",
    "objectlifecyclestate",
    "documentlifecyclestate",
    "documenttype",
    "generic",
    "lifecyclestate",
)

_FIELD = ComponentType(
    "Field",
    "Field",
    "Fields",
    "FLD",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        enum("type", tuple(t.value for t in FieldType if t is not FieldType.ID), required=True),
        flag("active"),
        text("description", 500),
        text("help_content", 500),
        flag("required"),
        flag("unique"),
        flag("editable"),
        number("max_length", 1, MAX_LONG_TEXT_LENGTH),
        number("scale", 0, MAX_SCALE),
        number("min_value", fractional=True),
        number("max_value", fractional=True),
        component("picklist", "Picklist"),
        flag("multi_value"),
        component("object", "Object"),
        enum("relationship_type", ("reference", "parent")),
        enum("relationship_deletion", ("block", "setnull", "cascade")),
        text("relationship_outbound_name", NAME_LENGTH),
        text("relationship_inbound_name", NAME_LENGTH),
        flag("system_managed_name"),
        text("value_format", 60),
    ),
    redefinable=frozenset(PLATFORM_FIELD_TYPES),
)

_OBJECT = ComponentType(
    "Object",
    "Object",
    "Objects",
    "OBJ",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        text("label_plural", LABEL_LENGTH),
        text("prefix", 3, required=True),
        text("description", 500),
        flag("active"),
        flag("in_menu"),
        flag("allow_types"),
        text("default_type", NAME_LENGTH),
        component("lifecycle", "Objectlifecycle"),
    ),
    {"Field": _FIELD},
    max_name_length=NAME_LENGTH,
)

_OBJECT_TYPE = ComponentType(
    "Objecttype",
    "Object Type",
    "Object Types",
    "OTP",
    by_name(text("label", LABEL_LENGTH, required=True), flag("active"), text("description", 500)),
    name_rule=NameRule.OBJECT_TYPE,
    max_name_length=2 * NAME_LENGTH + 1,
)

_PICKLIST = ComponentType(
    "Picklist",
    "Picklist",
    "Picklists",
    "PIC",
    by_name(text("label", LABEL_LENGTH, required=True), flag("active"), text("description", 500)),
    {
        "Picklistentry": ComponentType(
            "Picklistentry",
            "Picklist Entry",
            "Picklist Entries",
            "PLE",
            by_name(text("label", 128, required=True), number("order", 0), flag("active")),
            max_name_length=100,
        )
    },
)

_STATE = ComponentType(
    "Objectlifecyclestate",
    "Object Lifecycle State",
    "Object Lifecycle States",
    "OLS",
    by_name(text("label", LABEL_LENGTH, required=True), flag("active"), text("description", 500)),
    {
        "Objectlifecyclestateuseraction": ComponentType(
            "Objectlifecyclestateuseraction",
            "User Action",
            "User Actions",
            "OUA",
            by_name(
                text("label", LABEL_LENGTH, required=True),
                number("order", 0),
                text("action", NAME_LENGTH, required=True),
                text("next_state", NAME_LENGTH),
                text("prompts", NAME_LENGTH, multi_value=True),
            ),
        ),
        "Objectlifecyclestateentryaction": ComponentType(
            "Objectlifecyclestateentryaction",
            "Entry Action",
            "Entry Actions",
            "OEA",
            by_name(text("action", NAME_LENGTH, required=True), number("order", 0)),
            open=True,
        ),
    },
)

_LIFECYCLE = ComponentType(
    "Objectlifecycle",
    "Object Lifecycle",
    "Object Lifecycles",
    "OLC",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        text("starting_state", NAME_LENGTH, required=True),
        flag("active"),
        text("description", 500),
    ),
    {"Objectlifecyclestate": _STATE},
)

_QUEUE = ComponentType(
    "Queue",
    "Queue",
    "Queues",
    "QUE",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        flag("active"),
        text("description", 500),
        enum("type", ("inbound", "outbound", "job"), required=True),
        text("message_processor", 100),
        text("message_processor_user", 1500),
        text("message_delivery_event_handler", 100),
        text("message_delivery_event_handler_user", 1500),
        flag("rollback_on_error"),
        flag("sequential"),
    ),
    {
        "Queueconnection": ComponentType(
            "Queueconnection",
            "Queue Connection",
            "Queue Connections",
            "QCN",
            by_name(
                text("connection_name", 40, required=True),
                text("connection_type", 40),
                text("deliver_to_queue", NAME_LENGTH),
                flag("active"),
            ),
        )
    },
)

_FIELD_RULE = ComponentType(
    "Fieldrule",
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
        component("target_object", "Object"),
        component("target_object_field", "Field"),
        text("target_docfield", 100),
        component("target_obj_field_ref_obj", "Object"),
        text("target_field_lookup", 100),
        enum("reference_lookup_type", REFERENCE_LOOKUP_TYPES),
        text("reference_lookup", 45),
        text("field_default", 1500),
    ),
    name_rule=NameRule.OPTIONAL_NAMESPACE,
    max_name_length=100,
)

_QUERY_OBJECT_RULE = ComponentType(
    "Queryobjectrule",
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
    "Integrationrule",
    "Integration Rule",
    "Integration Rules",
    "IRU",
    by_name(
        text("label", LABEL_LENGTH),
        flag("active"),
        text("connection", 40, required=True),
        text("integration_point", 40),
        text("primary_query_object", 1500),
    ),
    {"Fieldrule": _FIELD_RULE, "Queryobjectrule": _QUERY_OBJECT_RULE},
)

COMPONENT_TYPES: Mapping[str, ComponentType] = {
    kind.name: kind for kind in (_PICKLIST, _LIFECYCLE, _OBJECT, _OBJECT_TYPE, _QUEUE, _INTEGRATION_RULE)
}
"""Every component type by its name."""
