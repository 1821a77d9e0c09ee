"""Declares the component types of objects: fields, object types, user actions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.platform import PLATFORM_FIELD_TYPES, SYSTEM_OBJECTS
from shared.vault.components.specification import (
    Attribute,
    ComponentType,
    NameRule,
    ValueType,
    by_name,
    component,
    enum,
    expression,
    flag,
    number,
    text,
    xml,
)
from shared.vault.model.component_model import (
    FieldType,
    RelationshipDeletion,
    RelationshipType,
)

LABEL_LENGTH = 60
NAME_LENGTH = (
    50  # leaves room for what schema object names add within PostgreSQL's 63 bytes
)
MAX_STRING_LENGTH = 1500
DEFAULT_LONG_TEXT_LENGTH = 32_000
MAX_LONG_TEXT_LENGTH = (
    300_000  # room for the largest message body, which an exception record keeps whole
)
MAX_SCALE = 10

# The type by which a field may declare a reference to its record's parent.
OBJECT_PARENT = "ObjectParent"

# Platform fields whose attributes an object may change by declaring them again.
REDEFINABLE_FIELDS = frozenset({"name__v", "link__sys", "status__v"})

# Field types that records store as another type.
STORED_AS = {
    "ObjectReference": FieldType.OBJECT,
    OBJECT_PARENT: FieldType.OBJECT,
    "Currency": FieldType.NUMBER,
    "Percent": FieldType.NUMBER,
    "Email": FieldType.STRING,
    "Phone": FieldType.STRING,
    "URL": FieldType.STRING,
    "Link": FieldType.STRING,
}

# The value of a field, or of a record that it refers to, in the format of names.
_NAMED_VALUE = re.compile(r"\{[a-z]\w*(?:\.\w+)*\}")

# Field types that records do not store: such a field is kept with its object, and has no values.
UNSTORED_FIELD_TYPES = (
    "Binary", "Component", "documents", "Formula", "JsonString", "Lookup", "Rollup", "Time", "users",
)  # fmt: skip

# What a Vault has beside configured objects.
UNCONFIGURED = frozenset({"documents", "groups", "users"})

# How Vaults export the store of objects with very many records.
RAW_STORES = ("raw", "high_volume")

FIELD_TYPES = (
    *(t.value for t in FieldType if t is not FieldType.ID),
    *STORED_AS,
    *UNSTORED_FIELD_TYPES,
    FieldType.ID.value,
)

FIELD = ComponentType(
    PartKind.FIELD,
    "Field",
    "Fields",
    "FLD",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        enum("type", FIELD_TYPES, required=True),
        text("subtype", NAME_LENGTH),
        flag("active"),
        text("description", 1000),
        text("help_content", 500),
        flag("required"),
        flag("unique"),
        flag("editable"),
        flag("list_column"),
        flag("searchable"),
        flag("search"),
        flag("facetable"),
        flag("encrypted"),
        flag("no_copy"),
        flag("checkbox"),
        number("order", 0),
        number("max_length", 1, MAX_LONG_TEXT_LENGTH),
        number("scale", 0, MAX_SCALE),
        number("min_value", fractional=True),
        number("max_value", fractional=True),
        text("format_mask", 3900),
        Attribute("default_value", ValueType.EXPRESSION, max_length=4000),
        component("picklist", ComponentKind.PICKLIST),
        text("controlling_field", NAME_LENGTH),
        flag("multi_value"),
        component("object", ComponentKind.OBJECT),
        enum("relationship_type", tuple(RelationshipType)),
        enum("relationship_deletion", tuple(RelationshipDeletion)),
        text("relationship_outbound_name", NAME_LENGTH),
        text("relationship_inbound_name", NAME_LENGTH),
        text("relationship_inbound_label", 255),
        expression("relationship_criteria"),
        flag("relationship_deep_copy"),
        flag("secure_relationship"),
        flag("create_object_inline"),
        text("lookup_relationship_name", NAME_LENGTH),
        text("lookup_source_field", NAME_LENGTH),
        text("document_version_reference", NAME_LENGTH),
        text("related_document_reference_field", NAME_LENGTH),
        text("component", 255),
        expression("formula"),
        text("blank_fields", 60),
        flag("rollup"),
        text("rollup_relationship_name", NAME_LENGTH),
        text("rollup_function", 60),
        text("rollup_source_field", NAME_LENGTH),
        text("rollup_filter_criteria", 4000),
        text("multi_part_field", NAME_LENGTH),
        flag("multi_part_readonly"),
        flag("system_managed_name"),
        flag("sequential_naming"),
        number("start_number", 0),
        text("value_format", 500),
    ),
    redefinable=frozenset(PLATFORM_FIELD_TYPES),
)

OBJECT_ACTION = ComponentType(
    ComponentKind.OBJECT_ACTION,
    "Object Action",
    "Object Actions",
    "OAC",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        text("action", 255, required=True),
        flag("active"),
        text("description", 500),
        xml("parameters"),
        number("order", 0),
        flag("available_all_states"),
        text("keyboard_shortcut", 1500, multi_value=True),
        text("prompts", NAME_LENGTH, multi_value=True),
    ),
    name_rule=NameRule.OBJECT_MEMBER,
    max_name_length=2 * NAME_LENGTH + 1,
    open=True,
)

INDEX = ComponentType(
    "Index",
    "Index",
    "Indexes",
    "IDX",
    by_name(
        text("label", 1500, required=True),
        text(
            "fields",
            1500,
            required=True,
            multi_value=True,
        ),
        text("description", 1500),
        flag("active"),
    ),
)

OBJECT = ComponentType(
    ComponentKind.OBJECT,
    "Object",
    "Objects",
    "OBJ",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        text("label_plural", LABEL_LENGTH),
        text("prefix", 3),
        text("description", 500),
        text("help_content", 500),
        flag("active"),
        flag("in_menu"),
        flag("allow_types"),
        flag("allow_attachments"),
        flag("audit"),
        flag("search"),
        number("order", 0),
        flag("enable_esignatures"),
        flag("enable_merges"),
        flag("dynamic_security"),
        flag("role_overrides"),
        flag("system_managed"),
        flag("configuration_data"),
        text("object_class", 60),
        enum("data_store", ("standard", *RAW_STORES)),
        text("default_type", NAME_LENGTH),
        component("default_obj_type", ComponentKind.OBJECT_TYPE),
        component("lifecycle", ComponentKind.LIFECYCLE),
        component("available_lifecycles", ComponentKind.LIFECYCLE, multi_value=True),
        text("user_role_setup_object", 100),
        text("security_tree_object", 100),
        text("summary_fields", 1500, multi_value=True),
        flag("secure_sharing_settings"),
        flag("secure_attachments"),
        flag("secure_audit_trail"),
        flag("secure_copy_record"),
        flag("prevent_record_overwrite"),
        flag("multi_select"),
        flag("relate_records_select_all"),
    ),
    {PartKind.FIELD: FIELD, PartKind.OBJECT_ACTION: OBJECT_ACTION, "Index": INDEX},
    max_name_length=NAME_LENGTH,
)

OBJECT_TYPE = ComponentType(
    ComponentKind.OBJECT_TYPE,
    "Object Type",
    "Object Types",
    "OTP",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        text("label_plural", LABEL_LENGTH),
        flag("active"),
        text("description", 1000),
        text("additional_type_validations", 1500, multi_value=True),
        flag("default_type"),
        text("summary_fields", 1500, multi_value=True),
    ),
    {
        PartKind.TYPE_FIELD: ComponentType(
            PartKind.TYPE_FIELD,
            "Type Field",
            "Type Fields",
            "TFL",
            by_name(
                text("source", 255),
                flag("required"),
                flag("active"),
                expression("relationship_criteria"),
                text("pickentries", 1500, multi_value=True),
                Attribute("default_value", ValueType.EXPRESSION, max_length=4000),
            ),
            # The one field whose name has no namespace.
            redefinable=frozenset({"id"}),
        ),
        "Typeaction": ComponentType(
            "Typeaction",
            "Type Action",
            "Type Actions",
            "TAC",
            by_name(text("action", 1500), flag("active")),
            name_rule=NameRule.FREE,
            max_name_length=2 * NAME_LENGTH + 1,
        ),
    },
    name_rule=NameRule.OBJECT_TYPE,
    max_name_length=2 * NAME_LENGTH + 1,
)

# The types by which Vaults export platform fields that are of another type here.
PLATFORM_TYPE_ALIASES: Mapping[str, str] = {
    "created_by__v": "Object",
    "modified_by__v": "Object",
    "object_type__v": "Object",
    "lifecycle__v": "Component",
    "state__v": "Component",
}


def named_values(value_format: str) -> list[str]:
    """Return the references to other fields in a format of record names, such as ``{country__cr.name__v}``."""
    return _NAMED_VALUE.findall(value_format)


def without_named_values(value_format: str) -> str:
    """Return a format of record names without its references to other fields."""
    return _NAMED_VALUE.sub("", value_format)


def is_unstored_object(name: str | None) -> bool:
    """Return whether references to this object are not stored: it is not configured here, or only in other Vaults."""
    if name is None:
        return False
    return name in UNCONFIGURED or is_other_system_object(name)


def is_other_system_object(name: str) -> bool:
    """Return whether an object of this name belongs to a platform feature of other Vaults that is missing here."""
    return name.endswith("__sys") and name not in SYSTEM_OBJECTS


def stored_type(field: Component) -> FieldType | None:
    """Return the field type with which records store a declared field; None when they do not store it.

    Computed fields, lookup fields, and references to objects without records here have no stored values. Such fields
    are stored with their object's definition, and returned with it.
    """
    declared = field.text("type")
    if (
        declared in UNSTORED_FIELD_TYPES
        or field.text("formula")
        or field.flag("rollup")
    ):
        return None
    if field.text("lookup_source_field"):
        return None
    stored = STORED_AS.get(declared) or FieldType(declared)
    if stored is FieldType.OBJECT and is_unstored_object(field.reference("object")):
        return None
    return stored
