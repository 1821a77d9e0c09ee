"""Checks document components, and builds the model of a Vault's documents from them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_tree import Component
from shared.vault.components.document_fields import (
    DOCUMENT_ID,
    EXTERNAL_ID,
    STANDARD_FIELDS,
)
from shared.vault.components.document_types import (
    ENTRY_ACTION,
    LIFECYCLE,
    STATE,
    USER_ACTION,
)
from shared.vault.components.lifecycles import (
    entry_action,
    labelled_state_types,
    last_name,
)
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
    "COMPUTED",
    "DOCUMENT_ID",
    "EXTERNAL_ID",
    "RELATIONSHIPS",
    "STEADY",
    "SUPERSEDED",
    "VERSIONS",
    "build_documents",
    "check_docfield",
    "check_doclifecycle",
    "check_doctype",
]

# The table of documents: one row for each version, with the ``id`` ``{document}_{major}_{minor}``.
VERSIONS = "document_version__sys"
# What copies of the Vault, and the list of deletions, call relationships between documents.
RELATIONSHIPS = "document_relationships__sys"

STEADY = "steady_state__sys"
SUPERSEDED = "superseded_state__sys"
# Actions that work on records, and so on no document.
OF_RECORDS = frozenset({"set_field", "notify", "run_action", "change_state"})

DEFAULT_LENGTH = 500
URL_LENGTH = 1500
_MAX_LEVELS = 3  # type, subtype, classification
_SEGMENT = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*__(?:v|c|sys)")

# Documents do not store these, which are computed; exports write what the fields have that they read.
COMPUTED = frozenset({"Formula", "Lookup"})
_STORED_AS: Mapping[str, FieldType] = {
    "Boolean": FieldType.BOOLEAN,
    "Component": FieldType.STRING,
    "Date": FieldType.DATE,
    "DateTime": FieldType.DATE_TIME,
    "Number": FieldType.NUMBER,
    "ObjectReference": FieldType.OBJECT,
    "Picklist": FieldType.PICKLIST,
    "String": FieldType.STRING,
    "URL": FieldType.STRING,
}
_TAKEN_BY: Mapping[str, frozenset[str]] = {
    "max_length": frozenset({"String", "URL", "Component"}),
    "scale": frozenset({"Number"}),
    "min_value": frozenset({"Number"}),
    "max_value": frozenset({"Number"}),
    "picklist": frozenset({"Picklist"}),
    "multi_value": frozenset({"Picklist", "ObjectReference"}),
    "object": frozenset({"ObjectReference"}),
    "relationship_outbound_name": frozenset({"ObjectReference"}),
    "relationship_inbound_name": frozenset({"ObjectReference"}),
}
_NEEDED: Mapping[str, str] = {"Picklist": "picklist", "ObjectReference": "object"}


_RESERVED = frozenset(
    {field.name for field in STANDARD_FIELDS}
    | {
        "version_id",
        "filename__v",
        "format__v",
        "size__v",
        "md5checksum__v",
        "latest_version__v",
        "owner__v",
        "pages__v",
        "locked__v",
        "crosslink__v",
        "binder__v",
    }
)


def build_documents(components: Iterable[Component]) -> DocumentModel:
    """Return the model of documents from these components, each of which is valid by itself.

    :raises ComponentError: BROKEN_REFERENCE for a document type whose parent type or lifecycle is missing.
    """
    by_type: dict[str, list[Component]] = defaultdict(list)
    for component in components:
        by_type[component.type].append(component)
    document_types = by_type[ComponentKind.DOCUMENT_TYPE]
    types = {each.name: _document_type(each) for each in document_types}
    fields = list(_fields(by_type[ComponentKind.DOCUMENT_FIELD]))
    lifecycles = by_type[ComponentKind.DOCUMENT_LIFECYCLE]
    renditions = by_type[ComponentKind.RENDITION_TYPE]
    model = DocumentModel(
        # Without either there are no documents, and no table for them.
        _versions(fields) if types or fields else None,
        types,
        {each.name: _lifecycle(each) for each in lifecycles},
        {each.name: each.text("label") for each in renditions if _is_active(each)},
    )
    _check_types(model)
    return model


def _is_active(component: Component) -> bool:
    return component.flag("active", True)


def _fields(components: Iterable[Component]) -> Iterator[Field]:
    for component in components:
        # Exports contain the fields that every document has, and those that are computed of others.
        stored = component.text("type") in _STORED_AS
        if stored and component.name not in _RESERVED:
            yield _field(component)


def _versions(fields: Iterable[Field]) -> VaultObject:
    by_name = {field.name: field for field in (*STANDARD_FIELDS, *fields)}
    return VaultObject(
        VERSIONS,
        "Document",
        "Documents",
        "",
        fields=by_name,
    )


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
    field_type = _STORED_AS[shown]
    is_object = field_type is FieldType.OBJECT
    is_text = field_type is FieldType.STRING
    is_number = field_type is FieldType.NUMBER
    default_length = URL_LENGTH if shown == "URL" else DEFAULT_LENGTH
    length = component.whole("max_length") or default_length
    scale = component.whole("scale") or 0
    outbound = component.text("relationship_outbound_name") or f"{component.name}r"
    return Field(
        name=component.name,
        label=component.text("label"),
        type=field_type,
        active=component.flag("active", True),
        required=component.flag("required"),
        editable=component.flag("editable", True),
        max_length=length if is_text else None,
        scale=scale if is_number else None,
        min_value=component.number("min_value"),
        max_value=component.number("max_value"),
        picklist=component.reference("picklist"),
        # A document refers to one record here, also where the field comes from a Vault in which it has several.
        multi_value=component.flag("multi_value") and not is_object,
        object=component.reference("object"),
        relationship_type=RelationshipType.REFERENCE if is_object else None,
        relationship_outbound_name=outbound if is_object else None,
        relationship_inbound_name=component.optional_text("relationship_inbound_name"),
        shown_type=shown,
    )


def _lifecycle(component: Component) -> Lifecycle:
    types = labelled_state_types(component)
    children = list(component.children_of(STATE))
    states = {child.name: _state(child, types.get(child.name)) for child in children}
    # Without a starting state, documents begin in the first.
    first = children[0].name if children else ""
    starting = last_name(component.text("starting_state"))
    return Lifecycle(
        component.name,
        component.text("label"),
        starting or first,
        _is_active(component),
        states,
    )


def _state(
    component: Component,
    labelled_type: str | None,
) -> LifecycleState:
    state_type = component.optional_text("state_type")
    own_type = labelled_type if state_type is None else state_type_name(state_type)
    user_actions = map(_user_action, component.children_of(USER_ACTION))
    entry_actions = map(entry_action, component.children_of(ENTRY_ACTION))
    return LifecycleState(
        component.name,
        component.text("label"),
        _is_active(component),
        entry_actions=tuple(sorted(entry_actions, key=lambda action: action.order)),
        user_actions=tuple(sorted(user_actions, key=lambda action: action.order)),
        state_type=own_type,
    )


def _user_action(component: Component) -> UserAction:
    next_state = component.text("next_state")
    return UserAction(
        component.name,
        component.text("label"),
        component.text("action"),
        component.whole("order") or 0,
        last_name(next_state),
    )


def _check_types(model: DocumentModel) -> None:
    for name, document_type in model.types.items():
        path = f"Doctype.{name}"
        above = name.rpartition(".")[0]
        if above and above not in model.types:
            raise _broken(f"{path}: there is no Doctype.{above}.")
        for lifecycle in document_type.lifecycles:
            if lifecycle not in model.lifecycles:
                raise _broken(f"{path}: there is no {LIFECYCLE}.{lifecycle}.")


def check_doctype(component: Component) -> None:
    """Check that the name is ``type``, ``type.subtype`` or ``type.subtype.classification``.

    :raises ComponentError: INVALID_NAME when it is not.
    """
    names = component.name.split(".")
    if len(names) > _MAX_LEVELS or not all(_SEGMENT.fullmatch(name) for name in names):
        message = "the name is one to three names, joined by dots, of lower-case letters, digits and underscores"
        raise ComponentError(f"{component.full_name}: {message}.", Code.INVALID_NAME)


def check_docfield(component: Component) -> None:
    """Check that the attributes of a document field suit its type.

    :raises ComponentError: INVALID_ATTRIBUTE, naming the attribute and the types that take it.
    """
    kind = component.text("type")
    path = component.full_name
    # A Vault exports the fields that every document has as well: they are here already.
    if component.name in _RESERVED or kind in COMPUTED:
        return
    for attribute, types in _TAKEN_BY.items():
        value = component.first(attribute)
        if value not in (None, "", False) and kind not in types:
            choices = ", ".join(sorted(types))
            message = f"{attribute} belongs to the types {choices}."
            raise ComponentError(f"{path}: {message}")
    needed = _NEEDED.get(kind)
    if needed is not None and not component.text(needed):
        raise ComponentError(f"{path}: the type {kind} needs the attribute {needed}.")


def check_doclifecycle(component: Component) -> None:
    """Check that a document lifecycle refers to its own states only, and to entry actions of documents.

    :raises ComponentError: INVALID_ATTRIBUTE or BROKEN_REFERENCE when it does not.
    """
    path = component.full_name
    states = {state.name for state in component.children_of(STATE)}
    named = [*component.texts("starting_state"), *component.texts("labeled_states")]
    for state in component.children_of(STATE):
        actions = state.children_of(USER_ACTION)
        named += [action.text("next_state") for action in actions]
        for entry in state.children_of(ENTRY_ACTION):
            action_name = entry.text("action")
            if action_name in OF_RECORDS:
                message = f"{action_name} is an action of records, not of documents."
                raise ComponentError(f"{path}: {state.name}: {entry.name}: {message}")
    for value in named:
        name = last_name(value)
        if value and name not in states:
            raise _broken(f"{path}: there is no state {name[:100]}.")


def _broken(message: str) -> ComponentError:
    return ComponentError(message, Code.BROKEN_REFERENCE)
