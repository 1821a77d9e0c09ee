"""Renamed components and sub-components, with everything that refers to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.permission_types import OBJECT_PERMISSION, PERMISSION_SET
from shared.vault.components.registry import Key, Registry
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.components.uses import BARE_REFERENCES, OWNERS

__all__ = ["renamed_component", "renamed_field", "renamed_state"]

Rewrite = Callable[[str, Scalar], Scalar]
"""What a value of the named attribute becomes."""

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


def renamed_component(
    registry: Registry, key: Key, new_name: str
) -> dict[Key, Component | None]:
    """The components that change when the one of ``key`` gets another name, by their keys before."""
    kind, name = key
    members = [
        *COMPONENT_TYPES[kind].subtypes,
        *(owned for owned, owner in OWNERS.items() if owner == kind),
    ]
    rewrite = _reference_rewrite([kind], name, new_name, members)
    changes: dict[Key, Component | None] = {}
    for component in registry.components.values():
        changed = _rewritten(component, rewrite)
        if component.key == key:
            changed = replace(changed, name=new_name)
        elif OWNERS.get(component.type) == kind and component.name.startswith(
            f"{name}."
        ):
            changed = replace(changed, name=new_name + component.name[len(name) :])
        elif kind == "Objecttype" and component.key == (
            "Object",
            name.partition(".")[0],
        ):
            changed = _rewritten(changed, _default_type_rewrite(name, new_name))
        elif kind == "Object" and component.type == PERMISSION_SET:
            entries = [
                _named(child, OBJECT_PERMISSION, name, new_name)
                for child in changed.children
            ]
            changed = _with_children(changed, entries)
        if changed is not component:
            changes[component.key] = changed
    return changes


def renamed_field(
    registry: Registry, owner: Component, old: str, new: str
) -> Iterator[Component]:
    """What else changes when a field of an object gets another name: rules, types, a lifecycle of its own."""
    dotted = _reference_rewrite(
        ["Field", "Object"], f"{owner.name}.{old}", f"{owner.name}.{new}"
    )
    vault_object = registry.objects[owner.name]
    sharing = [
        o for o in registry.objects.values() if o.lifecycle == vault_object.lifecycle
    ]
    for component in registry.components.values():
        changed = _rewritten(component, dotted)
        if component.key == owner.key:
            changed = _rewritten(
                changed, _plain_rewrite(_FIELD_ATTRIBUTES, "Field", old, new)
            )
        elif component.type == "Integrationrule":
            rules = [
                _rule_with_field(c, registry, owner.name, old, new)
                for c in changed.children
            ]
            changed = _with_children(changed, rules)
        elif component.type == "Objecttype" and component.name.startswith(
            f"{owner.name}."
        ):
            changed = _with_children(
                changed, [_named(c, "Typefield", old, new) for c in changed.children]
            )
        elif (
            component.key == ("Objectlifecycle", vault_object.lifecycle)
            and len(sharing) == 1
        ):
            changed = _rewritten(changed, _lifecycle_field_rewrite(old, new))
        if changed is not component:
            yield changed


def renamed_state(
    registry: Registry, lifecycle: Component, old: str, new: str
) -> Iterator[Component]:
    """What else changes when a state of a lifecycle gets another name, the lifecycle itself among it."""
    kind = "Objectlifecyclestate"
    dotted = _reference_rewrite(
        [kind], f"{lifecycle.name}.{old}", f"{lifecycle.name}.{new}"
    )
    for component in registry.components.values():
        changed = _rewritten(component, dotted)
        if component.key == lifecycle.key:
            changed = _rewritten(
                changed, _plain_rewrite(_STATE_ATTRIBUTES, kind, old, new)
            )
            members = [_member_of(c, old, new) for c in changed.children]
            changed = _with_children(changed, members)
        elif component.reference("object_lifecycle") == lifecycle.name:
            changed = _rewritten(
                changed,
                _plain_rewrite(frozenset({"object_lifecycle_state"}), kind, old, new),
            )
        if changed is not component:
            yield changed


def _rewritten(component: Component, rewrite: Rewrite) -> Component:
    """The component with its values rewritten; itself where nothing changes."""
    attributes = {
        name: tuple(rewrite(name, value) for value in values)
        for name, values in component.attributes.items()
    }
    changed = _with_children(
        component, [_rewritten(child, rewrite) for child in component.children]
    )
    return (
        replace(changed, attributes=attributes)
        if attributes != component.attributes
        else changed
    )


def _with_children(component: Component, children: list[Component]) -> Component:
    if all(new is old for new, old in zip(children, component.children, strict=True)):
        return component
    return replace(component, children=tuple(children))


def _reference_rewrite(
    types: list[str], old: str, new: str, members: Sequence[str] = ()
) -> Rewrite:
    """Rewrites ``Type.old``, ``Type.old.more`` and ``Member.old.more``; in other languages wherever that stands."""
    parts = [rf"({'|'.join(types)})\.{re.escape(old)}(?![A-Za-z0-9_])"]
    if members:
        parts.append(rf"({'|'.join(members)})\.{re.escape(old)}(?=\.)")
    pattern = re.compile(rf"(?<![\w.])(?:{'|'.join(parts)})")

    def renamed(match: re.Match[str]) -> str:
        return f"{match[match.lastindex or 0]}.{new}"

    def rewrite(attribute: str, value: Scalar) -> Scalar:
        if isinstance(value, Embedded):
            return Embedded(pattern.sub(renamed, value))
        if not isinstance(value, str):
            return value
        if value == old and BARE_REFERENCES.get(attribute) in types:
            return new
        match = pattern.match(value)
        return f"{renamed(match)}{value[match.end() :]}" if match else value

    return rewrite


def _plain_rewrite(
    attributes: frozenset[str], kind: str, old: str, new: str
) -> Rewrite:
    """Rewrites the bare name in some attributes, and ``Type.old`` in all."""
    values: Mapping[Scalar, str] = {f"{kind}.{old}": f"{kind}.{new}"}

    def rewrite(attribute: str, value: Scalar) -> Scalar:
        if isinstance(value, Embedded):
            return value
        return (
            new
            if value == old and attribute in attributes
            else values.get(value, value)
        )

    return rewrite


def _default_type_rewrite(old: str, new: str) -> Rewrite:
    before, after = old.rpartition(".")[2], new.rpartition(".")[2]
    known: Mapping[tuple[str, Scalar], str] = {
        ("default_type", before): after,
        ("default_obj_type", before): after,
        ("default_obj_type", f"Objecttype.{before}"): f"Objecttype.{after}",
    }
    return lambda attribute, value: known.get((attribute, value), value)


def _lifecycle_field_rewrite(old: str, new: str) -> Rewrite:
    word = re.compile(rf"(?<![\w.'])({re.escape(old)})(?!\w)")

    def rewrite(attribute: str, value: Scalar) -> Scalar:
        if isinstance(value, Embedded) or not isinstance(value, str):
            return value
        if attribute == "criteria":
            return word.sub(new, value)
        return (
            new
            if value == old and attribute in ("prompts", "field", "required_field")
            else value
        )

    return rewrite


def _rule_with_field(
    rule: Component, registry: Registry, owner: str, old: str, new: str
) -> Component:
    target = registry.objects.get(rule.reference("target_object") or "")
    if target is None:
        return rule
    attributes = dict(rule.attributes)
    field = target.fields.get(rule.reference("target_object_field") or "")
    if target.name == owner and rule.reference("target_object_field") == old:
        attributes["target_object_field"] = (f"Field.{new}",)
    if (
        field is not None
        and field.object == owner
        and rule.text("target_field_lookup") == old
    ):
        attributes["target_field_lookup"] = (new,)
    return (
        rule if attributes == rule.attributes else replace(rule, attributes=attributes)
    )


def _named(component: Component, kind: str, old: str, new: str) -> Component:
    return replace(component, name=new) if component.key == (kind, old) else component


def _member_of(component: Component, old: str, new: str) -> Component:
    head, dot, rest = component.name.partition(".")
    return (
        replace(component, name=f"{new}.{rest}") if dot and head == old else component
    )
