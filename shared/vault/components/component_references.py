"""Checks that what components refer to exists: the one place where components are seen together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shared.vault.components.component_errors import Code, ComponentError
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
        """All components by type and name."""

    @property
    def objects(self) -> Mapping[str, VaultObject]:
        """Objects by name."""

    @property
    def picklists(self) -> Mapping[str, Picklist]:
        """Picklists by name."""

    @property
    def lifecycles(self) -> Mapping[str, Lifecycle]:
        """Lifecycles by name."""

    @property
    def object_types(self) -> Mapping[tuple[str, str], ObjectType]:
        """Object types by object and name."""

    @property
    def documents(self) -> DocumentModel:
        """What documents are like."""


def check_references(catalogue: Catalogue) -> None:
    """Check every reference between components.

    :raises ComponentError: at the first that leads nowhere, or name or prefix that two components claim.
    """
    _check_prefixes(catalogue.objects)
    versions = catalogue.documents.versions
    owners = (
        catalogue.objects
        if versions is None
        else {**catalogue.objects, versions.name: versions}
    )
    for vault_object in owners.values():
        _check_object(vault_object, catalogue)
    _check_relationship_names(owners)
    for object_type in catalogue.object_types.values():
        _check_object_type(object_type, catalogue.objects)
    for (type_name, _), component in catalogue.components.items():
        if type_name == "Integrationrule":
            _check_integration_rule(component, catalogue.objects)
        elif (
            type_name == "Objectaction"
            and component.name.partition(".")[0] not in catalogue.objects
        ):
            raise _broken(f"{component.full_name}: there is no such object.")
        elif type_name in ("Object", "Picklist"):
            _check_written(component, catalogue)


def relationships_into(
    objects: Mapping[str, VaultObject],
) -> Mapping[str, Mapping[str, tuple[str, Field]]]:
    """Object → to-many relationship name → (child object, the child's field)."""
    inbound: dict[str, dict[str, tuple[str, Field]]] = {}
    for child in objects.values():
        for field in child.outbound.values():
            if field.object is not None and field.relationship_inbound_name is not None:
                inbound.setdefault(field.object, {})[
                    field.relationship_inbound_name
                ] = (child.name, field)
    return inbound


def _broken(message: str) -> ComponentError:
    return ComponentError(message, Code.BROKEN_REFERENCE)


def _check_prefixes(objects: Mapping[str, VaultObject]) -> None:
    owners: dict[str, str] = {}
    for vault_object in objects.values():
        owner = owners.setdefault(vault_object.prefix, vault_object.name)
        if owner != vault_object.name:
            raise _broken(
                f"Object.{vault_object.name}: prefix {vault_object.prefix} belongs to Object.{owner}."
            )


def _check_object(vault_object: VaultObject, catalogue: Catalogue) -> None:
    path = f"Object.{vault_object.name}"
    for field in vault_object.fields.values():
        if field.picklist is not None and field.picklist not in catalogue.picklists:
            raise _broken(
                f"{path}: Field {field.name}: there is no Picklist.{field.picklist}."
            )
        if field.object is not None and field.object not in catalogue.objects:
            raise _broken(
                f"{path}: Field {field.name}: there is no Object.{field.object}."
            )
    _check_actions(vault_object)
    default = vault_object.default_type
    if (
        default is not None
        and (vault_object.name, default) not in catalogue.object_types
    ):
        raise _broken(
            f"{path}: default_type: there is no Objecttype.{vault_object.name}.{default}."
        )
    if vault_object.lifecycle is not None:
        lifecycle = catalogue.lifecycles.get(vault_object.lifecycle)
        if lifecycle is None:
            raise _broken(
                f"{path}: lifecycle: there is no Objectlifecycle.{vault_object.lifecycle}."
            )
        _check_prompts(lifecycle, vault_object)


def _check_written(component: Component, catalogue: Catalogue) -> None:
    """References that the model has no place for."""
    for name in component.references("available_lifecycles"):
        if name not in catalogue.lifecycles:
            raise _broken(
                f"{component.full_name}: available_lifecycles: there is no Objectlifecycle.{name}."
            )
    controlling = component.reference("controlling_picklist")
    if controlling is not None and controlling not in catalogue.picklists:
        raise _broken(
            f"{component.full_name}: controlling_picklist: there is no Picklist.{controlling}."
        )


def _check_actions(vault_object: VaultObject) -> None:
    names: set[str] = set()
    for action in vault_object.actions:
        path = f"Objectaction.{vault_object.name}.{action.name}"
        if action.name in names:
            raise ComponentError(
                f"{path} is there twice: within its object and beside it.", Code.EXISTS
            )
        names.add(action.name)
        for prompt in action.prompts:
            if prompt not in vault_object.fields or vault_object.fields[prompt].system:
                raise _broken(
                    f"{path}: prompts: Object.{vault_object.name} has no such field {prompt}."
                )


def _check_prompts(lifecycle: Lifecycle, vault_object: VaultObject) -> None:
    for state in lifecycle.states.values():
        for action in state.user_actions:
            for prompt in action.prompts:
                if (
                    prompt not in vault_object.fields
                    or vault_object.fields[prompt].system
                ):
                    raise _broken(
                        f"Objectlifecycle.{lifecycle.name}: {state.name}: {action.name}: prompts: "
                        f"Object.{vault_object.name} has no such field {prompt}."
                    )


def _check_relationship_names(objects: Mapping[str, VaultObject]) -> None:
    """A relationship name means one thing on an object, be it to-one or to-many."""
    taken: set[tuple[str, str]] = set()
    for vault_object in objects.values():
        for field in vault_object.fields.values():
            path = f"Object.{vault_object.name}: Field {field.name}"
            claims = [(vault_object.name, field.relationship_outbound_name)]
            if field.object is not None:
                claims.append((field.object, field.relationship_inbound_name))
            for owner, name in claims:
                if name is not None and (owner, name) in taken:
                    raise _broken(
                        f"{path}: Object.{owner} already has a relationship {name}."
                    )
                if name is not None:
                    taken.add((owner, name))


def _check_object_type(
    object_type: ObjectType, objects: Mapping[str, VaultObject]
) -> None:
    path = f"Objecttype.{object_type.object}.{object_type.name}"
    owner = objects.get(object_type.object)
    if owner is None:
        raise _broken(f"{path}: there is no Object.{object_type.object}.")
    if not owner.allow_types:
        raise _broken(f"{path}: Object.{object_type.object} does not allow types.")


def _check_integration_rule(
    rule: Component, objects: Mapping[str, VaultObject]
) -> None:
    for field_rule in rule.children_of("Fieldrule"):
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
        _check_lookup(field_rule, field, objects, path)


def _check_lookup(
    rule: Component, field: Field, objects: Mapping[str, VaultObject], path: str
) -> None:
    referenced, lookup = (
        rule.reference("target_obj_field_ref_obj"),
        rule.optional_text("target_field_lookup"),
    )
    if field.object is None and (referenced or lookup):
        raise _broken(
            f"{path}: {field.name} refers to no object, so it takes no target_field_lookup."
        )
    if referenced is not None and referenced != field.object:
        raise _broken(
            f"{path}: target_obj_field_ref_obj: {field.name} refers to Object.{field.object}."
        )
    if lookup is not None and field.object is not None:
        key = objects[field.object].fields.get(lookup)
        if key is None or not key.unique:
            raise _broken(
                f"{path}: target_field_lookup: Object.{field.object} has no unique field {lookup}."
            )
