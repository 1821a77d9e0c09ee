"""Declares the component types of documents: document types, fields, lifecycles and rendition types.

Other Vaults export further attributes, of features that are missing here; these are stored and returned.
"""

from __future__ import annotations

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.object_types import (
    LABEL_LENGTH,
    MAX_STRING_LENGTH,
    NAME_LENGTH,
)
from shared.vault.components.specification import (
    ComponentType,
    NameRule,
    by_name,
    component,
    enum,
    flag,
    number,
    text,
    xml,
)

__all__ = ["DOCUMENT_TYPES", "ENTRY_ACTION", "LIFECYCLE", "STATE", "USER_ACTION"]

LIFECYCLE = ComponentKind.DOCUMENT_LIFECYCLE
STATE = PartKind.DOCUMENT_STATE
USER_ACTION = PartKind.DOCUMENT_USER_ACTION
ENTRY_ACTION = PartKind.DOCUMENT_ENTRY_ACTION

FIELD_TYPES = (
    "Boolean", "Component", "Date", "DateTime", "Formula", "Lookup", "Number", "ObjectReference", "Picklist",
    "String", "URL",
)  # fmt: skip
_MAX_TYPE_PATH = 200  # characters of type.subtype.classification

_DOCTYPE = ComponentType(
    ComponentKind.DOCUMENT_TYPE,
    "Document Type",
    "Document Types",
    "DTY",
    by_name(
        text("label", 200, required=True),
        flag("active"),
        text("description", 500),
        text("document_number_format", 512),
        text("abbreviation", 20),
        component("available_lifecycles", LIFECYCLE, multi_value=True),
        text("fields", 1500, multi_value=True),
        text("filters", 1500, multi_value=True),
    ),
    name_rule=NameRule.FREE,
    max_name_length=_MAX_TYPE_PATH,
    open=True,
)

_DOCFIELD = ComponentType(
    ComponentKind.DOCUMENT_FIELD,
    "Document Field",
    "Document Fields",
    "DFI",
    by_name(
        text("label", 1500, required=True),
        enum("type", FIELD_TYPES, required=True),
        flag("active"),
        flag("required"),
        flag("editable"),
        flag("multi_value"),
        flag("hidden"),
        flag("queryable"),
        text("description", 500),
        text("help_content", 1500),
        number("max_length", 1, MAX_STRING_LENGTH),
        number("scale", 0, 18),
        number("min_value", fractional=True),
        number("max_value", fractional=True),
        component("picklist", ComponentKind.PICKLIST),
        component("object", ComponentKind.OBJECT),
        text("relationship_outbound_name", NAME_LENGTH),
        text("relationship_inbound_name", NAME_LENGTH),
        text("formula", 10_000),
        text("lookup_relationship_name", NAME_LENGTH),
        text("lookup_source_field", NAME_LENGTH),
    ),
    open=True,
)

_STATE_USER_ACTION = ComponentType(
    USER_ACTION,
    "User Action",
    "User Actions",
    "DUA",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        enum("action", ("change_state",), required=True),
        component("next_state", STATE, required=True),
        number("order", 0),
    ),
)

_STATE_ENTRY_ACTION = ComponentType(
    ENTRY_ACTION,
    "Entry Action",
    "Entry Actions",
    "DEA",
    by_name(text("action", NAME_LENGTH, required=True), number("order", 0)),
    open=True,
)

_STATE = ComponentType(
    STATE,
    "Document Lifecycle State",
    "Document Lifecycle States",
    "DLS",
    by_name(
        text("label", 128, required=True),
        flag("active"),
        text("description", 500),
        text("state_type", 100),
        number("order", 0),
        xml("user_action"),
        xml("entry_action"),
        xml("entry_criteria"),
    ),
    {USER_ACTION: _STATE_USER_ACTION, ENTRY_ACTION: _STATE_ENTRY_ACTION},
    open=True,
)


def _member(
    name: str,
    label: str,
    abbreviation: str,
) -> ComponentType:
    """Return the type of a sub-component of which only the form is checked."""
    attributes = by_name(text("label", 255), flag("active"), xml("rule"))
    return ComponentType(
        name,
        label,
        f"{label}s",
        abbreviation,
        attributes,
        {},
        NameRule.FREE,
        255,
        open=True,
    )


_LIFECYCLE = ComponentType(
    LIFECYCLE,
    "Document Lifecycle",
    "Document Lifecycles",
    "DLC",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        flag("active"),
        text("description", 500),
        component("starting_state", STATE),
        text("state_labels", 1500, multi_value=True),
        component("labeled_states", STATE, multi_value=True),
    ),
    {
        STATE: _STATE,
        "Doclifecyclerole": _member(
            "Doclifecyclerole", "Document Lifecycle Role", "DLR"
        ),
        "Doclifecycleevent": _member(
            "Doclifecycleevent", "Document Lifecycle Event", "DLE"
        ),
    },
    open=True,
)

_RENDITION = ComponentType(
    ComponentKind.RENDITION_TYPE,
    "Rendition Type",
    "Rendition Types",
    "RET",
    by_name(
        text("label", LABEL_LENGTH, required=True),
        flag("active"),
        text("description", 500),
    ),
    open=True,
)

# The component types of documents.
DOCUMENT_TYPES = (_DOCTYPE, _DOCFIELD, _LIFECYCLE, _RENDITION)
