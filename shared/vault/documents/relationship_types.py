"""Reads the types of relationships between documents from the components of a Vault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.components.component_kinds import ComponentKind

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry

COMPONENT = "Docrelationshiptype"
DOCUMENT_TYPE = ComponentKind.DOCUMENT_TYPE
# The attribute of a document type that says which relationships its documents may have; without it, all.
OFFERED = "relationship_types"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRelationshipType:
    """A type of relationship between two documents.

    ``of_source_version`` and ``of_target_version`` say whether a relationship belongs to a single version of the source
    or target; ``carried_with_source`` and ``carried_with_target``, whether it is copied to the next version.
    ``target_type`` is the dotted name of the document type that targets have, empty for any type.
    """

    name: str
    label: str
    of_source_version: bool
    of_target_version: bool
    single_use: bool
    carried_with_source: bool
    carried_with_target: bool
    target_type: str


def relationship_types(registry: Registry) -> Mapping[str, DocumentRelationshipType]:
    """Return the active relationship types by name, in the order of their names."""
    found = {
        name: _relationship_type(component)
        for (kind, name), component in registry.components.items()
        if kind == COMPONENT and component.flag("active", True)
    }
    return dict(sorted(found.items()))


def offered_types(
    registry: Registry, document_type: str
) -> Mapping[str, DocumentRelationshipType]:
    """Return the relationship types that documents of a type may have; ``document_type`` is a dotted name.

    The nearest level of the type that lists relationship types decides; if none does, documents have all of them.
    """
    every = relationship_types(registry)
    level = document_type
    while level:
        component = registry.components.get((DOCUMENT_TYPE, level))
        listed = () if component is None else component.texts(OFFERED)
        if listed:
            names = {name.removeprefix(f"{COMPONENT}.") for name in listed}
            return {name: kind for name, kind in every.items() if name in names}
        level = level.rpartition(".")[0]
    return every


def _relationship_type(component: Component) -> DocumentRelationshipType:
    """Return the relationship type that a component describes."""
    target = component.text("target_doctype")
    return DocumentRelationshipType(
        name=component.name,
        label=component.text("label", component.name),
        of_source_version=_is_set(component, "source_version_specific"),
        of_target_version=_is_set(component, "target_version_specific"),
        single_use=_is_set(component, "single_use"),
        carried_with_source=_is_set(component, "carry_forward_source_specific"),
        carried_with_target=_is_set(component, "carry_forward_target_specific"),
        target_type=target.removeprefix(f"{DOCUMENT_TYPE}."),
    )


def _is_set(component: Component, attribute: str) -> bool:
    """Return whether an attribute is true; attributes of components that are stored as written were not validated."""
    return component.first(attribute) in (True, "true")
