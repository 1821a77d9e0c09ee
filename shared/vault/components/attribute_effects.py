"""Lists the attributes that this Vault knows and does not act on, by component type, and the flags that hold unsaid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.vault.components.component_kinds import ComponentKind, PartKind, StateMember
from shared.vault.components.component_tree import Scalar

__all__ = ["WITHOUT_EFFECT", "asks_for_something", "default_flag", "default_value"]

_OBJECT = (
    "enable_esignatures", "enable_merges", "dynamic_security", "role_overrides", "system_managed", "configuration_data",
    "object_class", "user_role_setup_object", "security_tree_object", "summary_fields", "secure_sharing_settings",
    "secure_attachments", "secure_audit_trail", "secure_copy_record", "prevent_record_overwrite", "multi_select",
    "relate_records_select_all",
)  # fmt: skip
_FIELD = (
    "list_column", "searchable", "facetable", "encrypted", "checkbox", "format_mask", "default_value",
    "controlling_field", "relationship_criteria", "relationship_deep_copy", "secure_relationship",
    "create_object_inline", "lookup_relationship_name", "lookup_source_field", "document_version_reference",
    "related_document_reference_field", "component", "formula", "blank_fields", "rollup", "rollup_relationship_name",
    "rollup_function", "rollup_source_field", "rollup_filter_criteria", "multi_part_field", "multi_part_readonly",
    "sequential_naming", "start_number",
)  # fmt: skip
_PICKLIST = (
    "can_add_values",
    "can_reorder_values",
    "system_managed",
    "controlling_picklist",
)

# Metadata and configuration return them as written, and nothing else is done with them. Labels, descriptions and
# help texts are not among them: to be shown is all that they ask for.
WITHOUT_EFFECT: Mapping[str, frozenset[str]] = {
    name: frozenset(attributes)
    for name, attributes in {
        ComponentKind.OBJECT: _OBJECT,
        PartKind.FIELD: _FIELD,
        "Index": ("fields", "active"),
        ComponentKind.OBJECT_ACTION: (
            "parameters",
            "available_all_states",
            "keyboard_shortcut",
        ),
        ComponentKind.OBJECT_TYPE: (
            "additional_type_validations",
            "default_type",
            "summary_fields",
        ),
        PartKind.TYPE_FIELD: ("relationship_criteria", "pickentries", "default_value"),
        "Typeaction": ("action", "active"),
        ComponentKind.PICKLIST: _PICKLIST,
        PartKind.PICKLIST_ENTRY: ("controlling_entries",),
        PartKind.STATE: ("record_inactive", "skip_entry_actions_cancel_state"),
        StateMember.USER_ACTION: ("keyboard_shortcut",),
        StateMember.ENTRY_CRITERION: ("rule",),
        "Objectlifecyclerole": ("active", "application_role", "permissions"),
        "Objectlifecyclepermission": ("states", "role", "permission"),
        "Objectlifecycleevent": ("rule", "event", "order"),
        ComponentKind.DOCUMENT_TYPE: ("abbreviation", "fields", "filters"),
        ComponentKind.DOCUMENT_FIELD: (
            "hidden",
            "queryable",
            "formula",
            "lookup_relationship_name",
            "lookup_source_field",
        ),
        PartKind.DOCUMENT_STATE: (
            "order",
            "user_action",
            "entry_action",
            "entry_criteria",
        ),
        "Doclifecyclerole": ("active", "rule"),
        "Doclifecycleevent": ("active", "rule"),
        ComponentKind.WORKFLOW: (
            "auto_start",
            "workflow_content_type",
            "workflow_variables",
        ),
        PartKind.WORKFLOW_STEP: ("tags",),
        "Workflowcancelationaction": ("rule",),
    }.items()
}

# What holds where a component does not say otherwise.
_TRUE: Mapping[str, frozenset[str]] = {
    ComponentKind.OBJECT: frozenset({"in_menu", "audit", "search"}),
    PartKind.FIELD: frozenset({"editable", "search"}),
    ComponentKind.OBJECT_ACTION: frozenset({"available_all_states"}),
    ComponentKind.DOCUMENT_FIELD: frozenset({"editable", "queryable"}),
}

# The same of attributes that are no flags, and whose value does not depend on the component.
_VALUES: Mapping[tuple[str, str], Scalar] = {
    (ComponentKind.OBJECT, "data_store"): "standard",
    (ComponentKind.PICKLIST, "order_type"): "order_asc__sys",
    (ComponentKind.WORKFLOW, "cardinality"): "One",
}

# Values other than true that ask for what this Vault does anyway, as exports of every component have them.
_AS_HERE: Mapping[str, Scalar] = {"object_class": "base"}


def default_flag(type_name: str, name: str) -> bool:
    """Return the value of a Boolean attribute that holds where a component of the type does not have it."""
    return name == "active" or name in _TRUE.get(type_name, ())


def default_value(type_name: str, name: str) -> Scalar | None:
    """Return the same of an attribute that is no flag; None where there is none, or it depends on the component."""
    return _VALUES.get((type_name, name))


def asks_for_something(type_name: str, name: str, values: Iterable[Scalar]) -> bool:
    """Return whether the values of an attribute ask for anything that this Vault would not do without them."""
    as_here = ("", _AS_HERE.get(name), default_flag(type_name, name))
    return any(not _is_one_of(value, as_here) for value in values)


def _is_one_of(value: Scalar, values: Iterable[object]) -> bool:
    # Zero equals False in Python.
    return any(type(value) is type(each) and value == each for each in values)
