"""Finds the attributes of a component that are stored as written, and have no effect in this Vault."""

from __future__ import annotations

from collections.abc import Iterator

from shared.vault.components.attribute_effects import WITHOUT_EFFECT, asks_for_something
from shared.vault.components.component_kinds import ComponentKind, PartKind, StateMember
from shared.vault.components.component_tree import Component
from shared.vault.components.document_model import COMPUTED
from shared.vault.components.object_types import (
    UNSTORED_FIELD_TYPES,
    is_other_system_object,
    named_values,
)
from shared.vault.components.specification import ComponentType
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.components.unused_types import UNUSED_TYPES

MAX_SHOWN = 20  # attributes that one warning names; an export may have one in each of hundreds of fields

_UNUSED = frozenset(kind.name for kind in UNUSED_TYPES) - {
    ComponentKind.STATE_TYPE_ASSOCIATION
}
_WITH_PARAMETERS = frozenset(
    {
        ComponentKind.OBJECT_ACTION,
        StateMember.ENTRY_ACTION,
        PartKind.DOCUMENT_ENTRY_ACTION,
        ComponentKind.STATE_TYPE_ASSOCIATION,
        ComponentKind.WORKFLOW,
        PartKind.WORKFLOW_STEP,
        "Workflowcancelationaction",
    }
)


def ignored_attribute_warnings(component: Component) -> list[str]:
    """Return one warning that lists the attributes without effect in this Vault; no warning if there are none.

    Vaults with other features export further attributes, which is no reason to refuse the component. The warning also
    shows misspelt names.
    """
    kind = COMPONENT_TYPES.get(component.type)
    if kind is None:
        return []
    if component.type in _UNUSED:
        return [
            f"{component.full_name}: stored without effect in this Vault, as all components of its type are."
        ]
    found = [
        *_without_effect(component, kind, ""),
        *_single(component),
        *_computed(component),
        *_other_objects(component),
        *_names(component),
        *_unstored(component),
    ]
    if not found:
        return []
    shown = ", ".join(found[:MAX_SHOWN])
    more = len(found) - MAX_SHOWN
    others = f" and {more} more" if more > 0 else ""
    return [
        f"{component.full_name}: stored without effect in this Vault: {shown}{others}."
    ]


def _single(component: Component) -> Iterator[str]:
    """Yield the attribute that lets a document refer to several records, which is not supported here."""
    of_documents = component.type == ComponentKind.DOCUMENT_FIELD
    refers = of_documents and component.text("type") == "ObjectReference"
    if refers and component.flag("multi_value"):
        yield "multi_value"


def _computed(component: Component) -> Iterator[str]:
    """Yield the type of a document field whose values other Vaults compute from other fields."""
    kind = component.text("type")
    if component.type == ComponentKind.DOCUMENT_FIELD and kind in COMPUTED:
        yield f"type {kind}"


def _names(component: Component) -> Iterator[str]:
    """Yield the references to fields in formats of record names, as this Vault names records by the number alone."""
    if component.type != ComponentKind.OBJECT:
        return
    for field in component.children_of(PartKind.FIELD):
        for value in named_values(field.text("value_format")):
            yield f"Field {field.name} value_format {value}"


def _unstored(component: Component) -> Iterator[str]:
    """Yield the types of fields that have no values here."""
    if component.type != ComponentKind.OBJECT:
        return
    for field in component.children_of(PartKind.FIELD):
        if field.text("type") in UNSTORED_FIELD_TYPES:
            yield f"Field {field.name} type {field.text('type')}"


def _other_objects(component: Component) -> Iterator[str]:
    """Yield references of fields to objects that exist only on the platform of other Vaults."""
    if component.type != ComponentKind.OBJECT:
        return
    for field in component.children_of(PartKind.FIELD):
        name = field.reference("object")
        if name is not None and is_other_system_object(name):
            yield f"Field {field.name} object"


def _without_effect(
    component: Component, kind: ComponentType, path: str
) -> Iterator[str]:
    """Yield the attributes without effect of a component and of its parts, each after the part's name."""
    ineffective = WITHOUT_EFFECT.get(kind.name, frozenset())
    for name, values in component.attributes.items():
        if name not in kind.attributes:
            # Attributes of any name are the parameters of an action, or parts of a workflow's step.
            if kind.name not in _WITH_PARAMETERS:
                yield f"{path}{name}"
        elif name in ineffective and asks_for_something(kind.name, name, values):
            yield f"{path}{name}"
    for child in component.children:
        child_kind = kind.subtypes.get(child.type)
        if child_kind is not None:
            yield from _without_effect(child, child_kind, f"{child.type} {child.name} ")
        else:
            yield f"{path}{child.type} {child.name}"
