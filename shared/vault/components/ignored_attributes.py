"""Finds the attributes of a component that are stored as written, and have no effect in this Vault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.document_model import COMPUTED
from shared.vault.components.object_types import is_other_system_object, named_values
from shared.vault.components.specification import ComponentType
from shared.vault.components.types import COMPONENT_TYPES

MAX_SHOWN = 20  # attributes that one warning names; an export may have one in each of hundreds of fields


# Known attributes that would change what records have, or who does what with them, and do not in this Vault.
WITHOUT_EFFECT: Mapping[str, frozenset[str]] = {
    ComponentKind.OBJECT: frozenset({"secure_copy_record", "security_tree_object"}),
    PartKind.FIELD: frozenset(
        {
            "default_value",
            "document_version_reference",
            "encrypted",
            "relationship_deep_copy",
            "start_number",
        }
    ),
    PartKind.TYPE_FIELD: frozenset({"default_value", "pickentries"}),
    PartKind.STATE: frozenset({"record_inactive", "skip_entry_actions_cancel_state"}),
}


def ignored_attribute_warnings(component: Component) -> list[str]:
    """Return one warning that lists the attributes without effect in this Vault; no warning if there are none.

    Vaults with other features export further attributes, which is no reason to refuse the component. The warning also
    shows misspelt names.
    """
    kind = COMPONENT_TYPES.get(component.type)
    if kind is None:
        return []
    found = [
        *_unknown(component, kind, ""),
        *_single(component),
        *_computed(component),
        *_other_objects(component),
        *_names(component),
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


def _other_objects(component: Component) -> Iterator[str]:
    """Yield references of fields to objects that exist only on the platform of other Vaults."""
    if component.type != ComponentKind.OBJECT:
        return
    for field in component.children_of(PartKind.FIELD):
        name = field.reference("object")
        if name is not None and is_other_system_object(name):
            yield f"Field {field.name} object"


def _unknown(component: Component, kind: ComponentType, path: str) -> Iterator[str]:
    """Yield the unknown attributes of a component and of its parts, each after the part's name."""
    # Types that are kept have no effect as a whole; open ones take parameters of any name.
    if kind.stored_only:
        return
    if not kind.open:
        without_effect = WITHOUT_EFFECT.get(kind.name, ())
        for name in component.attributes:
            unused = name in without_effect and component.first(name)
            if unused or name not in kind.attributes:
                yield f"{path}{name}"
    for child in component.children:
        child_kind = kind.subtypes.get(child.type)
        if child_kind is not None:
            yield from _unknown(child, child_kind, f"{child.type} {child.name} ")
