"""Validates a package: tries every step on the components of a Vault, and carries none out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from shared.vault.components import evolution
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
from shared.vault.components.registry import Registry
from shared.vault.components.statement import Command, Statement
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.components.uses import Dependency, dependencies_of
from shared.vault.model.component_model import FieldType
from shared.vault.packages.deployment import Action, actions
from shared.vault.packages.package_model import (
    ComponentStep,
    DataAction,
    DataStep,
    Declared,
    Package,
    Step,
)


class DependencyStatus(StrEnum):
    """Where what a step refers to is found."""

    IN_TARGET = "In Target"
    IN_PACKAGE = "In Package"
    MISSING_BLOCK = "Missing - Block"
    MISSING_IGNORE = "Missing - Ignore"


@dataclass(frozen=True, slots=True)
class StepValidation:
    """What one step came to; ``errors`` are what blocks it."""

    step: Step
    action: str
    dependencies: Sequence[tuple[Dependency, DependencyStatus]]
    errors: Sequence[str]

    @property
    def blocked(self) -> bool:
        """Return whether the step cannot be deployed."""
        return bool(self.errors)


@dataclass(frozen=True, slots=True)
class Validation:
    """What a package came to, step by step in the package's order."""

    steps: Sequence[StepValidation] = field(default_factory=tuple)

    @property
    def blocked(self) -> int:
        """Return how many steps cannot be deployed."""
        return sum(step.blocked for step in self.steps)


def validate(package: Package, registry: Registry) -> Validation:
    """Try the package on the components of a Vault."""
    refusals = _Trial(registry).run(package)
    inside = {
        step.key: step for step in package.steps if isinstance(step, ComponentStep)
    }
    return Validation(
        tuple(
            _validated(step, registry, inside, refusals.get(step.identity))
            for step in package.steps
        )
    )


def _validated(
    step: Step,
    registry: Registry,
    inside: Mapping[tuple[str, str], ComponentStep],
    refusal: str | None,
) -> StepValidation:
    dependencies = [
        (d.dependency, _status(d, registry, inside)) for d in _dependencies(step)
    ]
    errors = [step.error] if step.error else []
    errors += [
        f"{d.type} {d.name} is missing"
        + (f" its {d.subtype} {d.subname}" if d.subname else "")
        for d, status in dependencies
        if status is DependencyStatus.MISSING_BLOCK
    ]
    if refusal and not errors:
        errors.append(refusal)
    return StepValidation(step, _action(step, registry), dependencies, errors)


def _action(step: Step, registry: Registry) -> str:
    if isinstance(step, DataStep):
        return str(step.action)
    if step.statement is not None and step.statement.command is Command.DROP:
        return "Delete"
    return "Update" if step.key in registry.components else "Add (missing in Vault)"


def _dependencies(step: Step) -> list[Declared]:
    """Return what the step's file of dependencies says, and what its MDL shows beside that."""
    if isinstance(step, DataStep):
        return [
            Declared(Dependency(ComponentKind.OBJECT, step.object_name), blocking=True)
        ]
    declared = {d.dependency: d for d in step.declared}
    component = step.statement.component if step.statement else None
    for dependency in dependencies_of(component) if component else ():
        declared.setdefault(
            dependency, Declared(dependency, blocking=_blocks(component, dependency))
        )
    return [declared[dependency] for dependency in sorted(declared)]


def _blocks(component: Component | None, dependency: Dependency) -> bool:
    """Return whether the Vault would refuse the component without this."""
    types = [
        COMPONENT_TYPES.get(name)
        for name in (dependency.type, component.type if component else "")
    ]
    return all(kind is not None and not kind.kept for kind in types)


def _status(
    declared: Declared,
    registry: Registry,
    inside: Mapping[tuple[str, str], ComponentStep],
) -> DependencyStatus:
    dependency = declared.dependency
    if exists(registry, dependency):
        return DependencyStatus.IN_TARGET
    step = inside.get(dependency.key)
    component = step.statement.component if step and step.statement else None
    if component and _has_part(component, dependency):
        return DependencyStatus.IN_PACKAGE
    return (
        DependencyStatus.MISSING_BLOCK
        if declared.blocking
        else DependencyStatus.MISSING_IGNORE
    )


def _has_part(component: Component, dependency: Dependency) -> bool:
    """Return whether a component of the package will have this part."""
    if not dependency.subname or component.child(
        dependency.subtype, dependency.subname
    ):
        return True
    return (
        dependency.type == ComponentKind.OBJECT
        and dependency.subtype == PartKind.FIELD
        and dependency.subname in PLATFORM_FIELD_TYPES
    )


def exists(registry: Registry, dependency: Dependency) -> bool:
    """Return whether a Vault has a component, including those that the platform supplies."""
    component = registry.components.get(dependency.key)
    owner = (
        registry.objects.get(dependency.name)
        if dependency.type == ComponentKind.OBJECT
        else None
    )
    if component is None:
        object_name, _, type_name = dependency.name.partition(".")
        return (
            dependency.type == ComponentKind.PICKLIST
            and dependency.name in registry.picklists
        ) or (
            dependency.type == ComponentKind.OBJECT_TYPE
            and (object_name, type_name) in registry.object_types
        )
    if not dependency.subname or (
        dependency.subtype == PartKind.FIELD
        and owner
        and dependency.subname in owner.fields
    ):
        return True
    return component.child(dependency.subtype, dependency.subname) is not None


class _Trial:
    """Carries statements out on a registry of its own, step after step."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def run(self, package: Package) -> dict[str, str]:
        """Return why steps are refused, by the identity of the step."""
        refusals: dict[str, str] = {}
        for action in self._actions(package.steps):
            try:
                if action.statement is not None:
                    self._carry_out(action.statement)
                elif isinstance(action.step, DataStep):
                    _check_data(action.step, self._registry)
            except ComponentError as error:
                refusals.setdefault(action.step.identity, error.message)
        return refusals

    def _actions(self, steps: Iterable[Step]) -> list[Action]:
        return actions(tuple(steps), self._registry.components.keys())

    def _carry_out(self, statement: Statement) -> None:
        self._registry = evolution.after(statement, self._registry)


def _check_data(step: DataStep, registry: Registry) -> None:
    """Check that the object accepts such rows; their values are checked when they are saved."""
    target = registry.objects.get(step.object_name)
    if target is None:
        raise ComponentError(f"There is no object {step.object_name[:100]}.")
    key = step.id_param or (
        "id" if step.action in (DataAction.UPDATE, DataAction.DELETE) else None
    )
    if key is None and step.action is DataAction.UPSERT:
        raise ComponentError(
            "The action Upsert needs the field that identifies a record."
        )
    if key is None:
        return
    named = target.fields.get(key)
    if named is None or not (named.unique or named.type is FieldType.ID):
        raise ComponentError(
            f"{key[:100]} is not a unique field of {step.object_name}."
        )
    if key not in step.header:
        raise ComponentError(f"The data have no column {key[:100]}.")
