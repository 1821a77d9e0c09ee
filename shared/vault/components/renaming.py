"""Renames components and sub-components, and all references to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from shared.vault.components.component_kinds import ComponentKind, PartKind, kind_of
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.permission_types import OBJECT_PERMISSION, PERMISSION_SET
from shared.vault.components.registry import Key, Registry
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.components.uses import BARE_REFERENCES, OWNERS

__all__ = ["renamed_component", "renamed_field", "renamed_state"]

# Takes an attribute's name and one of its values; returns what the value becomes.
Rewrite = Callable[[str, Scalar], Scalar]

_FIELD_ATTRIBUTES = frozenset(
    {
        "controlling_field",
        "fields",
        "prompts",
        "summary_fields",
        "related_document_reference_field",
        "field",
    }
)
_STATE_ATTRIBUTES = frozenset(
    {"starting_state", "labeled_states", "next_state", "cancel_state", "states"}
)
_ASSOCIATION_ATTRIBUTES = frozenset({"object_lifecycle_state"})


def renamed_component(
    registry: Registry,
    key: Key,
    new_name: str,
) -> dict[Key, Component | None]:
    """Return the components that change when the component ``key`` is renamed, by their keys before the renaming."""
    changes: dict[Key, Component | None] = {}
    rename = _ComponentRenaming(key, new_name)
    for component in registry.components.values():
        changed = rename.applied(component)
        if changed is not component:
            changes[component.key] = changed
    return changes


class _ComponentRenaming:
    """Replaces the name of a renamed component in the components that refer to it."""

    def __init__(self, key: Key, new_name: str) -> None:
        self._key = key
        self._new_name = new_name
        kind, name = key
        owned_types = [owned for owned, owner in OWNERS.items() if owner == kind]
        members = [*COMPONENT_TYPES[kind].subtypes, *owned_types]
        self._rewrite = _reference_rewrite(
            [kind],
            name,
            new_name,
            members,
        )

    def applied(self, component: Component) -> Component:
        """Return the component with every use of the name replaced; the same instance if there is none."""
        kind, name = self._key
        changed = _rewritten(component, self._rewrite)
        if component.key == self._key:
            return replace(changed, name=self._new_name)
        # What belongs to a component has the owner's name in front of its own.
        if OWNERS.get(component.type) == kind:
            return _with_owner(changed, name, self._new_name)
        return self._with_bare_names(changed)

    def _with_bare_names(self, component: Component) -> Component:
        """Return a component with those uses of the name replaced that do not include its type."""
        type_name, name = self._key
        kind = kind_of(type_name)
        match kind:
            case ComponentKind.OBJECT_TYPE:
                owner = (ComponentKind.OBJECT, name.partition(".")[0])
                if component.key != owner:
                    return component
                rewrite = _default_type_rewrite(name, self._new_name)
                return _rewritten(component, rewrite)
            case ComponentKind.OBJECT:
                if component.type != PERMISSION_SET:
                    return component
                # Without the attribute object, a permission is for the object that it is named after.
                return _with_renamed_children(
                    component,
                    OBJECT_PERMISSION,
                    name,
                    self._new_name,
                )
            case (
                ComponentKind.OBJECT_ACTION
                | ComponentKind.PICKLIST
                | ComponentKind.LIFECYCLE
                | ComponentKind.STATE_TYPE_ASSOCIATION
                | ComponentKind.QUEUE
                | ComponentKind.INTEGRATION_RULE
                | ComponentKind.PERMISSION_SET
                | ComponentKind.SECURITY_PROFILE
                | ComponentKind.DOCUMENT_TYPE
                | ComponentKind.DOCUMENT_FIELD
                | ComponentKind.DOCUMENT_LIFECYCLE
                | ComponentKind.RENDITION_TYPE
                | ComponentKind.WORKFLOW
                | None
            ):
                return component
            case _:
                assert_never(kind)


def renamed_field(
    registry: Registry,
    owner: Component,
    old: str,
    new: str,
) -> Iterator[Component]:
    """Yield the other components that change when a field of an object is renamed: rules, types, its lifecycle."""
    old_path = f"{owner.name}.{old}"
    new_path = f"{owner.name}.{new}"
    dotted = _reference_rewrite(
        [PartKind.FIELD, ComponentKind.OBJECT], old_path, new_path
    )
    own_lifecycle = _own_lifecycle(registry, owner.name)
    for component in registry.components.values():
        changed = _rewritten(component, dotted)
        if component.key == owner.key:
            plain = _plain_rewrite(
                _FIELD_ATTRIBUTES,
                PartKind.FIELD,
                old,
                new,
            )
            changed = _rewritten(changed, plain)
        elif component.type == ComponentKind.INTEGRATION_RULE:
            rules = [
                _rule_with_field(
                    rule,
                    registry,
                    owner.name,
                    old,
                    new,
                )
                for rule in changed.children
            ]
            changed = _with_children(changed, rules)
        elif _is_member(component, ComponentKind.OBJECT_TYPE, owner.name):
            changed = _with_renamed_children(
                changed,
                PartKind.TYPE_FIELD,
                old,
                new,
            )
        elif component.key == own_lifecycle:
            changed = _rewritten(changed, _lifecycle_field_rewrite(old, new))
        if changed is not component:
            yield changed


def renamed_state(
    registry: Registry,
    lifecycle: Component,
    old: str,
    new: str,
) -> Iterator[Component]:
    """Yield the components that change when a state of a lifecycle is renamed, the lifecycle included."""
    kind = PartKind.STATE
    old_path = f"{lifecycle.name}.{old}"
    new_path = f"{lifecycle.name}.{new}"
    dotted = _reference_rewrite([kind], old_path, new_path)
    of_lifecycle = _plain_rewrite(
        _STATE_ATTRIBUTES,
        kind,
        old,
        new,
    )
    of_associations = _plain_rewrite(
        _ASSOCIATION_ATTRIBUTES,
        kind,
        old,
        new,
    )
    for component in registry.components.values():
        changed = _rewritten(component, dotted)
        if component.key == lifecycle.key:
            changed = _rewritten(changed, of_lifecycle)
            members = [_with_owner(child, old, new) for child in changed.children]
            changed = _with_children(changed, members)
        elif component.reference("object_lifecycle") == lifecycle.name:
            changed = _rewritten(changed, of_associations)
        if changed is not component:
            yield changed


def _own_lifecycle(
    registry: Registry,
    object_name: str,
) -> Key | None:
    """Return the key of an object's lifecycle; None when it has none, or when other objects share it.

    A shared lifecycle refers to fields that the other objects have under the old name.
    """
    name = registry.objects[object_name].lifecycle
    sharing = [other for other in registry.objects.values() if other.lifecycle == name]
    if name is None or len(sharing) > 1:
        return None
    return ComponentKind.LIFECYCLE, name


def _is_member(
    component: Component,
    kind: ComponentKind,
    owner: str,
) -> bool:
    return component.type == kind and component.name.startswith(f"{owner}.")


def _rewritten(
    component: Component,
    rewrite: Rewrite,
) -> Component:
    """Return the component with its values rewritten; the same instance if none changes."""
    attributes = {
        name: tuple(rewrite(name, value) for value in values)
        for name, values in component.attributes.items()
    }
    children = [_rewritten(child, rewrite) for child in component.children]
    changed = _with_children(component, children)
    if attributes == component.attributes:
        return changed
    return replace(changed, attributes=attributes)


def _with_children(
    component: Component,
    children: list[Component],
) -> Component:
    pairs = zip(children, component.children, strict=True)
    if all(new is old for new, old in pairs):
        return component
    return replace(component, children=tuple(children))


def _reference_rewrite(
    types: list[str],
    old: str,
    new: str,
    members: Sequence[str] = (),
) -> Rewrite:
    """Return the function that replaces the name in ``Type.old``, ``Type.old.more`` and ``Member.old.more``.

    In embedded XML and expressions it replaces the name anywhere.
    """
    name = re.escape(old)
    parts = [rf"({'|'.join(types)})\.{name}(?![A-Za-z0-9_])"]
    if members:
        parts.append(rf"({'|'.join(members)})\.{name}(?=\.)")
    pattern = re.compile(rf"(?<![\w.])(?:{'|'.join(parts)})")

    def renamed(match: re.Match[str]) -> str:
        type_name = match[match.lastindex or 0]
        return f"{type_name}.{new}"

    def rewrite(attribute: str, value: Scalar) -> Scalar:
        if isinstance(value, Embedded):
            return Embedded(pattern.sub(renamed, value))
        if not isinstance(value, str):
            return value
        bare = BARE_REFERENCES.get(attribute, ())
        if value == old and any(kind in types for kind in bare):
            return new
        # Of a string only the beginning is a reference: its text may mention the name.
        match = pattern.match(value)
        if match is None:
            return value
        rest = value[match.end() :]
        return renamed(match) + rest

    return rewrite


def _plain_rewrite(
    attributes: frozenset[str],
    kind: str,
    old: str,
    new: str,
) -> Rewrite:
    """Return the function that replaces the name without its type in these attributes, and ``Type.old`` in all."""
    old_reference = f"{kind}.{old}"
    new_reference = f"{kind}.{new}"

    def rewrite(attribute: str, value: Scalar) -> Scalar:
        if isinstance(value, Embedded):
            return value
        if value == old and attribute in attributes:
            return new
        return new_reference if value == old_reference else value

    return rewrite


def _default_type_rewrite(old: str, new: str) -> Rewrite:
    before = old.rpartition(".")[2]
    after = new.rpartition(".")[2]
    known: Mapping[tuple[str, Scalar], str] = {
        ("default_type", before): after,
        ("default_obj_type", before): after,
        ("default_obj_type", f"Objecttype.{before}"): f"Objecttype.{after}",
    }
    return lambda attribute, value: known.get((attribute, value), value)


def _lifecycle_field_rewrite(old: str, new: str) -> Rewrite:
    # Criteria are VQL: a quote before the name makes it a text, a dot another object's field.
    word = re.compile(rf"(?<![\w.'])({re.escape(old)})(?!\w)")

    def rewrite(attribute: str, value: Scalar) -> Scalar:
        if isinstance(value, Embedded) or not isinstance(value, str):
            return value
        if attribute in ("criteria", "condition"):
            return word.sub(new, value)
        named = attribute in ("prompts", "field", "required_field")
        return new if named and value == old else value

    return rewrite


def _rule_with_field(
    rule: Component,
    registry: Registry,
    owner: str,
    old: str,
    new: str,
) -> Component:
    target = registry.objects.get(rule.reference("target_object") or "")
    if target is None:
        return rule
    changed: dict[str, tuple[Scalar, ...]] = {}
    field_name = rule.reference("target_object_field") or ""
    if target.name == owner and field_name == old:
        changed["target_object_field"] = (f"{PartKind.FIELD}.{new}",)
    # The lookup names a field of the object that the target field refers to.
    field = target.fields.get(field_name)
    refers_to_owner = field is not None and field.object == owner
    if refers_to_owner and rule.text("target_field_lookup") == old:
        changed["target_field_lookup"] = (new,)
    if not changed:
        return rule
    return replace(rule, attributes={**rule.attributes, **changed})


def _with_renamed_children(
    component: Component,
    kind: str,
    old: str,
    new: str,
) -> Component:
    children = [
        replace(child, name=new) if child.key == (kind, old) else child
        for child in component.children
    ]
    return _with_children(component, children)


def _with_owner(
    component: Component,
    old: str,
    new: str,
) -> Component:
    """Return the component ``{old}.{name}`` as ``{new}.{name}``; unchanged when it belongs to another owner."""
    if not component.name.startswith(f"{old}."):
        return component
    rest = component.name.removeprefix(old)
    return replace(component, name=new + rest)
