"""Checks document components on their own, and builds them into the model of a Vault's documents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_tree import Component
from shared.vault.components.document_types import (
    ENTRY_ACTION,
    LIFECYCLE,
    STATE,
    USER_ACTION,
)
from shared.vault.components.lifecycles import entry_action
from shared.vault.components.platform import LINK_MAX_LENGTH
from shared.vault.model.component_model import (
    DocumentModel,
    DocumentType,
    Field,
    FieldType,
    Lifecycle,
    LifecycleState,
    RelationshipType,
    UserAction,
    VaultObject,
    state_type_name,
)

__all__ = [
    "DOCUMENT_ID",
    "STEADY",
    "SUPERSEDED",
    "VERSIONS",
    "build_documents",
    "check_docfield",
    "check_doclifecycle",
    "check_doctype",
]

VERSIONS = "document_version__sys"
"""The table of documents: a row a version, its ``id`` being ``{document}_{major}_{minor}``."""

DOCUMENT_ID = "document_id__sys"
STEADY = "steady_state__sys"
SUPERSEDED = "superseded_state__sys"
OF_RECORDS = frozenset({"set_field", "notify", "run_action", "change_state"})
"""Actions that work on records, and so on no document."""

NAME_LENGTH = 100
TEXT_LENGTH = 1500
DEFAULT_LENGTH = 500
URL_LENGTH = 1500
_MAX_LEVELS = 3  # type, subtype, classification
_SEGMENT = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*__(?:v|c|sys)")

_HELD: Mapping[str, FieldType] = {
    "Boolean": FieldType.BOOLEAN,
    "Component": FieldType.STRING,
    "Date": FieldType.DATE,
    "DateTime": FieldType.DATE_TIME,
    "Number": FieldType.NUMBER,
    "ObjectReference": FieldType.OBJECT,
    "Picklist": FieldType.PICKLIST,
    "String": FieldType.STRING,
    "URL": FieldType.STRING,
}  # Formula and Lookup are computed from others: kept with the component, and not held by documents
_TAKEN_BY: Mapping[str, frozenset[str]] = {
    "max_length": frozenset({"String", "URL", "Component"}),
    "scale": frozenset({"Number"}),
    "min_value": frozenset({"Number"}),
    "max_value": frozenset({"Number"}),
    "picklist": frozenset({"Picklist"}),
    "multi_value": frozenset({"Picklist"}),
    "object": frozenset({"ObjectReference"}),
    "relationship_outbound_name": frozenset({"ObjectReference"}),
    "relationship_inbound_name": frozenset({"ObjectReference"}),
}
_NEEDED: Mapping[str, str] = {"Picklist": "picklist", "ObjectReference": "object"}


def _set(
    name: str,
    label: str,
    kind: FieldType = FieldType.STRING,
    length: int | None = 255,
    shown: str | None = None,
) -> Field:
    """Return a field that the Vault sets."""
    limit = length if kind is FieldType.STRING else None
    return Field(
        name,
        label,
        kind,
        editable=False,
        system=True,
        max_length=limit,
        shown_type=shown,
    )


STANDARD_FIELDS: tuple[Field, ...] = (
    Field(
        "id",
        "Version ID",
        FieldType.ID,
        required=True,
        unique=True,
        editable=False,
        system=True,
    ),
    _set(DOCUMENT_ID, "ID", FieldType.NUMBER, shown="id"),
    _set("latest_version__sys", "Latest Version", FieldType.BOOLEAN),
    _set("global_id__sys", "Global ID"),
    _set("global_version_id__sys", "Global Version ID"),
    Field("link__sys", "Link", FieldType.STRING, max_length=LINK_MAX_LENGTH),
    Field(
        "version_link__sys",
        "Version Link",
        FieldType.STRING,
        max_length=LINK_MAX_LENGTH,
    ),
    _set("document_number__v", "Document Number"),
    _set("major_version_number__v", "Major Version Number", FieldType.NUMBER),
    _set("minor_version_number__v", "Minor Version Number", FieldType.NUMBER),
    Field("name__v", "Name", FieldType.STRING, required=True, max_length=NAME_LENGTH),
    Field("title__v", "Title", FieldType.STRING, max_length=TEXT_LENGTH),
    Field("description__v", "Description", FieldType.STRING, max_length=TEXT_LENGTH),
    Field("external_id__v", "External ID", FieldType.STRING, max_length=250),
    _set("type__v", "Type", shown="Component"),
    _set("subtype__v", "Subtype", shown="Component"),
    _set("classification__v", "Classification", shown="Component"),
    _set("lifecycle__v", "Lifecycle", shown="Component"),
    _set("status__v", "Status", shown="Component"),
    _set("created_by__v", "Created By", FieldType.NUMBER),
    _set("document_creation_date__v", "Created Date", FieldType.DATE_TIME),
    _set("version_creation_date__v", "Version Created Date", FieldType.DATE_TIME),
    _set("last_modified_by__v", "Last Modified By", FieldType.NUMBER),
    _set("version_modified_date__v", "Version Modified Date", FieldType.DATE_TIME),
)
"""The fields that every document has, beside those of its file."""

_RESERVED = frozenset(
    {field.name for field in STANDARD_FIELDS}
    | {
        "version_id",
        "filename__v",
        "format__v",
        "size__v",
        "md5checksum__v",
        "binder__v",
    }
)


def build_documents(components: Iterable[Component]) -> DocumentModel:
    """Return the model of the documents that these components, each valid on its own, describe.

    :raises ComponentError: for a document type without the one above it, or whose lifecycle is not there.
    """
    by_type: dict[str, list[Component]] = {}
    for component in components:
        by_type.setdefault(component.type, []).append(component)
    types = {
        c.name: _document_type(c) for c in by_type.get(ComponentKind.DOCUMENT_TYPE, ())
    }
    fields = [
        _field(c)
        for c in by_type.get(ComponentKind.DOCUMENT_FIELD, ())
        if c.text("type") in _HELD and c.name not in _RESERVED
    ]
    model = DocumentModel(
        _versions(fields) if types or fields else None,
        types,
        {c.name: _lifecycle(c) for c in by_type.get(LIFECYCLE, ())},
        {
            c.name: c.text("label")
            for c in by_type.get(ComponentKind.RENDITION_TYPE, ())
            if c.flag("active", True)
        },
    )
    _check_types(model)
    return model


def _versions(fields: Iterable[Field]) -> VaultObject:
    by_name = {field.name: field for field in (*STANDARD_FIELDS, *fields)}
    return VaultObject(VERSIONS, "Document", "Documents", "", fields=by_name)


def _document_type(component: Component) -> DocumentType:
    return DocumentType(
        component.name,
        component.text("label"),
        component.flag("active", True),
        component.references("available_lifecycles"),
        component.text("document_number_format"),
    )


def _field(component: Component) -> Field:
    shown = component.text("type")
    held = _HELD[shown]
    is_object = held is FieldType.OBJECT
    length = component.whole("max_length") or (
        URL_LENGTH if shown == "URL" else DEFAULT_LENGTH
    )
    outbound = component.text("relationship_outbound_name") or f"{component.name}r"
    return Field(
        name=component.name,
        label=component.text("label"),
        type=held,
        active=component.flag("active", True),
        required=component.flag("required"),
        editable=component.flag("editable", True),
        max_length=length if held is FieldType.STRING else None,
        scale=(component.whole("scale") or 0) if held is FieldType.NUMBER else None,
        min_value=component.number("min_value"),
        max_value=component.number("max_value"),
        picklist=component.reference("picklist"),
        multi_value=component.flag("multi_value"),
        object=component.reference("object"),
        relationship_type=RelationshipType.REFERENCE if is_object else None,
        relationship_outbound_name=outbound if is_object else None,
        relationship_inbound_name=component.optional_text("relationship_inbound_name"),
        shown_type=shown,
    )


def _lifecycle(component: Component) -> Lifecycle:
    labels = zip(
        component.references("labeled_states"),
        component.texts("state_labels"),
        strict=False,
    )
    labelled = {_last(state): state_type_name(label) for state, label in labels}
    children = list(component.children_of(STATE))
    states = {child.name: _state(child, labelled.get(child.name)) for child in children}
    starting = _last(component.text("starting_state")) or (
        children[0].name if children else ""
    )
    return Lifecycle(
        component.name,
        component.text("label"),
        starting,
        component.flag("active", True),
        states,
    )


def _state(component: Component, labelled: str | None) -> LifecycleState:
    state_type = component.optional_text("state_type")
    actions = (
        UserAction(
            child.name,
            child.text("label"),
            child.text("action"),
            child.whole("order") or 0,
            _last(child.text("next_state")),
        )
        for child in component.children_of(USER_ACTION)
    )
    entry_actions = (
        entry_action(child) for child in component.children_of(ENTRY_ACTION)
    )
    return LifecycleState(
        component.name,
        component.text("label"),
        component.flag("active", True),
        entry_actions=tuple(sorted(entry_actions, key=lambda action: action.order)),
        user_actions=tuple(sorted(actions, key=lambda action: action.order)),
        state_type=labelled if state_type is None else state_type_name(state_type),
    )


def _last(reference: str) -> str:
    return reference.rpartition(".")[2]


def _check_types(model: DocumentModel) -> None:
    for name, document_type in model.types.items():
        path = f"Doctype.{name}"
        above = name.rpartition(".")[0]
        if above and above not in model.types:
            raise ComponentError(
                f"{path}: there is no Doctype.{above}.", Code.BROKEN_REFERENCE
            )
        for lifecycle in document_type.lifecycles:
            if lifecycle not in model.lifecycles:
                raise ComponentError(
                    f"{path}: there is no {LIFECYCLE}.{lifecycle}.",
                    Code.BROKEN_REFERENCE,
                )


def check_doctype(component: Component) -> None:
    """Check that the name is a type, ``type.subtype`` or ``type.subtype.classification``; raises ComponentError."""
    names = component.name.split(".")
    if len(names) > _MAX_LEVELS or not all(_SEGMENT.fullmatch(name) for name in names):
        message = "the name is one to three names, joined by dots, of lower-case letters, digits and underscores"
        raise ComponentError(f"{component.full_name}: {message}.", Code.INVALID_NAME)


def check_docfield(component: Component) -> None:
    """Check that the attributes of a document field suit its type.

    :raises ComponentError: naming the attribute and the types that take it.
    """
    kind, path = component.text("type"), component.full_name
    if component.name in _RESERVED:
        return  # a Vault exports its own fields as well; they are here already
    for attribute, types in _TAKEN_BY.items():
        if component.first(attribute) not in (None, "", False) and kind not in types:
            raise ComponentError(
                f"{path}: {attribute} belongs to the types {', '.join(sorted(types))}."
            )
    needed = _NEEDED.get(kind)
    if needed is not None and not component.text(needed):
        raise ComponentError(f"{path}: the type {kind} needs the attribute {needed}.")


def check_doclifecycle(component: Component) -> None:
    """Check that the states which a document lifecycle names are its own; raises ComponentError."""
    states = {state.name for state in component.children_of(STATE)}
    named = [*component.texts("starting_state"), *component.texts("labeled_states")]
    for state in component.children_of(STATE):
        named += [
            action.text("next_state") for action in state.children_of(USER_ACTION)
        ]
        for entry in state.children_of(ENTRY_ACTION):
            if entry.text("action") in OF_RECORDS:
                path = f"{component.full_name}: {state.name}: {entry.name}"
                raise ComponentError(
                    f"{path}: {entry.text('action')} is an action of records, not of documents."
                )
    for name in named:
        if name and _last(name) not in states:
            message = f"{component.full_name}: there is no state {_last(name)[:100]}."
            raise ComponentError(message, Code.BROKEN_REFERENCE)
