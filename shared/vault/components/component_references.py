"""Checks that referenced components exist, and that no two components have the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, assert_never

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind, kind_of
from shared.vault.components.component_tree import Component
from shared.vault.model.component_model import (
    DocumentModel,
    Field,
    Lifecycle,
    ObjectType,
    Picklist,
    VaultObject,
)


class Catalogue(Protocol):
    """The parts of a registry that references are checked against."""

    @property
    def components(self) -> Mapping[tuple[str, str], Component]:
        """Return all components by type and name."""

    @property
    def objects(self) -> Mapping[str, VaultObject]:
        """Return objects by name."""

    @property
    def picklists(self) -> Mapping[str, Picklist]:
        """Return picklists by name."""

    @property
    def lifecycles(self) -> Mapping[str, Lifecycle]:
        """Return lifecycles by name."""

    @property
    def object_types(self) -> Mapping[tuple[str, str], ObjectType]:
        """Return object types by object and name."""

    @property
    def documents(self) -> DocumentModel:
        """Return the model of documents."""


def check_references(catalogue: Catalogue) -> None:
    """Check every reference between components.

    :raises ComponentError: at the first fault: BROKEN_REFERENCE for a reference to nothing, EXISTS for a name that two
        components have.
    """
    _check_prefixes(catalogue.objects)
    owners = dict(catalogue.objects)
    # Documents have no Object component, but their fields refer to objects as those of objects do.
    versions = catalogue.documents.versions
    if versions is not None:
        owners[versions.name] = versions
    for vault_object in owners.values():
        _check_object(vault_object, catalogue)
    _check_relationship_names(owners)
    for object_type in catalogue.object_types.values():
        _check_object_type(object_type, catalogue.objects)
    for component in catalogue.components.values():
        _check_component(component, catalogue)


def _check_component(
    component: Component,
    catalogue: Catalogue,
) -> None:
    """Check those references in a component's attributes that the built model does not contain."""
    kind = kind_of(component.type)
    match kind:
        case ComponentKind.INTEGRATION_RULE:
            _check_integration_rule(component, catalogue.objects)
        case ComponentKind.OBJECT_ACTION:
            owner = component.name.partition(".")[0]
            if owner not in catalogue.objects:
                raise _broken(f"{component.full_name}: there is no such object.")
        case ComponentKind.OBJECT:
            _check_available_lifecycles(component, catalogue)
        case ComponentKind.PICKLIST:
            _check_controlling_picklist(component, catalogue)
        case (
            ComponentKind.OBJECT_TYPE
            | ComponentKind.LIFECYCLE
            | ComponentKind.QUEUE
            | ComponentKind.DOCUMENT_TYPE
            | ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_LIFECYCLE
            | ComponentKind.RENDITION_TYPE
        ):
            pass  # all of their references are in the model
        case (
            ComponentKind.PERMISSION_SET
            | ComponentKind.SECURITY_PROFILE
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.WORKFLOW
            | None
        ):
            pass  # these may name what another Vault has
        case _:
            assert_never(kind)


def relationships_into(
    objects: Mapping[str, VaultObject],
) -> Mapping[str, Mapping[str, tuple[str, Field]]]:
    """Return, by object and by name of a to-many relationship, the child object and the child's field."""
    inbound: dict[str, dict[str, tuple[str, Field]]] = defaultdict(dict)
    for child in objects.values():
        for field in child.outbound.values():
            name = field.relationship_inbound_name
            if field.object is not None and name is not None:
                inbound[field.object][name] = (child.name, field)
    return inbound


def _broken(message: str) -> ComponentError:
    return ComponentError(message, Code.BROKEN_REFERENCE)


def _check_prefixes(objects: Mapping[str, VaultObject]) -> None:
    owners: dict[str, str] = {}
    for vault_object in objects.values():
        prefix = vault_object.prefix
        owner = owners.setdefault(prefix, vault_object.name)
        if owner != vault_object.name:
            message = f"prefix {prefix} belongs to Object.{owner}."
            raise _broken(f"Object.{vault_object.name}: {message}")


def _check_object(
    vault_object: VaultObject,
    catalogue: Catalogue,
) -> None:
    path = f"Object.{vault_object.name}"
    for field in vault_object.fields.values():
        where = f"{path}: Field {field.name}"
        if field.picklist is not None and field.picklist not in catalogue.picklists:
            raise _broken(f"{where}: there is no Picklist.{field.picklist}.")
        if field.object is not None and field.object not in catalogue.objects:
            raise _broken(f"{where}: there is no Object.{field.object}.")
    _check_actions(vault_object)
    default = vault_object.default_type
    if default is not None:
        key = (vault_object.name, default)
        if key not in catalogue.object_types:
            message = f"there is no Objecttype.{vault_object.name}.{default}."
            raise _broken(f"{path}: default_type: {message}")
    if vault_object.lifecycle is not None:
        lifecycle = catalogue.lifecycles.get(vault_object.lifecycle)
        if lifecycle is None:
            message = f"there is no Objectlifecycle.{vault_object.lifecycle}."
            raise _broken(f"{path}: lifecycle: {message}")
        _check_lifecycle_prompts(lifecycle, vault_object)


def _check_available_lifecycles(
    component: Component,
    catalogue: Catalogue,
) -> None:
    for name in component.references("available_lifecycles"):
        if name not in catalogue.lifecycles:
            message = f"available_lifecycles: there is no Objectlifecycle.{name}."
            raise _broken(f"{component.full_name}: {message}")


def _check_controlling_picklist(
    component: Component,
    catalogue: Catalogue,
) -> None:
    controlling = component.reference("controlling_picklist")
    if controlling is not None and controlling not in catalogue.picklists:
        message = f"controlling_picklist: there is no Picklist.{controlling}."
        raise _broken(f"{component.full_name}: {message}")


def _check_actions(vault_object: VaultObject) -> None:
    names: set[str] = set()
    for action in vault_object.actions:
        path = f"Objectaction.{vault_object.name}.{action.name}"
        if action.name in names:
            message = f"{path} is defined twice: within its object and as a component of its own."
            raise ComponentError(message, Code.EXISTS)
        names.add(action.name)
        _check_prompts(action.prompts, vault_object, path)


def _check_lifecycle_prompts(
    lifecycle: Lifecycle,
    vault_object: VaultObject,
) -> None:
    for state in lifecycle.states.values():
        for action in state.user_actions:
            path = f"Objectlifecycle.{lifecycle.name}: {state.name}: {action.name}"
            _check_prompts(action.prompts, vault_object, path)


def _check_prompts(
    prompts: Iterable[str],
    vault_object: VaultObject,
    path: str,
) -> None:
    for prompt in prompts:
        field = vault_object.fields.get(prompt)
        # A field that the Vault sets cannot be asked for.
        if field is None or field.system:
            message = f"Object.{vault_object.name} has no such field {prompt}."
            raise _broken(f"{path}: prompts: {message}")


def _check_relationship_names(objects: Mapping[str, VaultObject]) -> None:
    # To-one and to-many relationships share a namespace: VQL follows both by their names alone.
    taken: set[tuple[str, str]] = set()
    for vault_object in objects.values():
        for field in vault_object.fields.values():
            path = f"Object.{vault_object.name}: Field {field.name}"
            for owner, name in _relationship_names(vault_object.name, field):
                if (owner, name) in taken:
                    message = f"Object.{owner} already has a relationship {name}."
                    raise _broken(f"{path}: {message}")
                taken.add((owner, name))


def _relationship_names(
    object_name: str,
    field: Field,
) -> Iterator[tuple[str, str]]:
    """Yield the object and the name of each relationship that a field makes."""
    if field.relationship_outbound_name is not None:
        yield object_name, field.relationship_outbound_name
    if field.object is not None and field.relationship_inbound_name is not None:
        yield field.object, field.relationship_inbound_name


def _check_object_type(
    object_type: ObjectType,
    objects: Mapping[str, VaultObject],
) -> None:
    path = f"Objecttype.{object_type.object}.{object_type.name}"
    owner = objects.get(object_type.object)
    if owner is None:
        raise _broken(f"{path}: there is no Object.{object_type.object}.")
    if not owner.allow_types:
        raise _broken(f"{path}: Object.{object_type.object} does not allow types.")


def _check_integration_rule(
    rule: Component,
    objects: Mapping[str, VaultObject],
) -> None:
    for field_rule in rule.children_of(PartKind.FIELD_RULE):
        path = f"{rule.full_name}: Fieldrule {field_rule.name}"
        target_name = field_rule.reference("target_object")
        if target_name is None:
            continue
        target = objects.get(target_name)
        if target is None:
            raise _broken(f"{path}: there is no Object.{target_name}.")
        field_name = field_rule.reference("target_object_field") or ""
        field = target.fields.get(field_name)
        if field is None:
            raise _broken(f"{path}: Object.{target_name} has no field {field_name}.")
        _check_lookup(
            field_rule,
            field,
            objects,
            path,
        )


def _check_lookup(
    rule: Component,
    field: Field,
    objects: Mapping[str, VaultObject],
    path: str,
) -> None:
    referenced = rule.reference("target_obj_field_ref_obj")
    lookup = rule.optional_text("target_field_lookup")
    if field.object is None and (referenced or lookup):
        message = (
            f"{field.name} refers to no object, so it takes no target_field_lookup."
        )
        raise _broken(f"{path}: {message}")
    if referenced is not None and referenced != field.object:
        message = f"{field.name} refers to Object.{field.object}."
        raise _broken(f"{path}: target_obj_field_ref_obj: {message}")
    if lookup is None or field.object is None:
        return
    key = objects[field.object].fields.get(lookup)
    # A value that is not unique could stand for several records.
    if key is None or not key.unique:
        message = f"Object.{field.object} has no unique field {lookup}."
        raise _broken(f"{path}: target_field_lookup: {message}")
