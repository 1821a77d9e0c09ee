"""Validates a package: tries every step on the components of a Vault, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from shared.vault.components import evolution
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.object_types import is_other_system_object
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
from shared.vault.components.registry import Registry
from shared.vault.components.statement import Command, Statement
from shared.vault.components.uses import Dependency, dependencies_of
from shared.vault.model.component_model import FieldType
from shared.vault.packages.deployment_plan import (
    Action,
    actions,
    blocks,
    is_acted_on,
)
from shared.vault.packages.package_model import (
    ComponentStep,
    DataAction,
    DataStep,
    DeclaredDependency,
    Package,
    Step,
)
from shared.vault.records.row_reader import RowReader
from shared.vault.records.rows import WriteMode


class DependencyStatus(StrEnum):
    """Where the component that a step refers to is found."""

    IN_TARGET = "In Target"
    IN_PACKAGE = "In Package"
    MISSING_BLOCK = "Missing - Block"
    MISSING_IGNORE = "Missing - Ignore"


@dataclass(frozen=True, slots=True)
class StepValidation:
    """The result of validating one step; ``errors`` are the reasons that block it."""

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
    """The result of validating a package, step by step in the package's order."""

    steps: Sequence[StepValidation] = field(default_factory=tuple)

    @property
    def blocked(self) -> int:
        """Return the number of steps that cannot be deployed."""
        return sum(step.blocked for step in self.steps)


def validate(package: Package, registry: Registry) -> Validation:
    """Return the result of trying the package on the components of a Vault."""
    refusals = _Trial(registry).run(package)
    inside = _inside(package)
    validated = [
        _validated(step, registry, inside, refusals.get(step.identity))
        for step in package.steps
    ]
    return Validation(tuple(validated))


def missing(package: Package, registry: Registry) -> dict[str, list[str]]:
    """Return the components that steps need and that neither the package nor a Vault has, by the identity of the step.

    A Vault could store the components of such steps, but not act on them: so the steps are blocked.
    """
    inside = _inside(package)
    found: dict[str, list[str]] = {}
    for step in package.steps:
        for declared in _dependencies(step):
            status = _status(step, declared, registry, inside)
            if status is DependencyStatus.MISSING_BLOCK:
                lines = found.setdefault(step.identity, [])
                lines.append(_missing(declared.dependency))
    return found


def _inside(package: Package) -> Mapping[tuple[str, str], ComponentStep]:
    """Return the steps of a package that define a component completely, by its type and name."""
    steps = (step for step in package.steps if isinstance(step, ComponentStep))
    brought = (step for step in steps if step.statement and step.statement.component)
    return {step.key: step for step in brought}


def _validated(
    step: Step,
    registry: Registry,
    inside: Mapping[tuple[str, str], ComponentStep],
    refusal: str | None,
) -> StepValidation:
    dependencies = []
    errors = [step.error] if step.error else []
    for declared in _dependencies(step):
        status = _status(step, declared, registry, inside)
        dependencies.append((declared.dependency, status))
        if status is DependencyStatus.MISSING_BLOCK:
            errors.append(_missing(declared.dependency))
    # What is missing explains the refusal better than the refusal does.
    if refusal and not errors:
        errors.append(refusal)
    return StepValidation(step, _action(step, registry), dependencies, errors)


def _missing(dependency: Dependency) -> str:
    text = f"{dependency.type} {dependency.name} is missing"
    if not dependency.subname:
        return text
    return f"{text} its {dependency.subtype} {dependency.subname}"


def _action(step: Step, registry: Registry) -> str:
    if isinstance(step, DataStep):
        return str(step.action)
    if step.statement is not None and step.statement.command is Command.DROP:
        return "Delete"
    if step.key in registry.components:
        return "Update"
    return "Add (missing in Vault)"


def _dependencies(step: Step) -> list[DeclaredDependency]:
    """Return the components in the step's file of dependencies, and the others that its MDL refers to."""
    if isinstance(step, DataStep):
        target = Dependency(ComponentKind.OBJECT, step.object_name)
        return [DeclaredDependency(target, blocking=True)]
    declared = {each.dependency: each for each in step.declared}
    component = step.statement.component if step.statement else None
    if component is not None:
        for dependency in dependencies_of(component):
            # The file goes first: its writer may know that a dependency can be ignored.
            found = DeclaredDependency(
                dependency, blocking=blocks(component, dependency)
            )
            declared.setdefault(dependency, found)
    return [declared[dependency] for dependency in sorted(declared)]


def _status(
    step: Step,
    declared: DeclaredDependency,
    registry: Registry,
    inside: Mapping[tuple[str, str], ComponentStep],
) -> DependencyStatus:
    dependency = declared.dependency
    if exists(registry, dependency):
        return DependencyStatus.IN_TARGET
    bringing = inside.get(dependency.key)
    component = (
        bringing.statement.component if bringing and bringing.statement else None
    )
    if component is not None and _has_part(component, dependency):
        return DependencyStatus.IN_PACKAGE
    # Components are kept without what only other platforms have; rows have nowhere to go without their object.
    kept = isinstance(step, ComponentStep) and _is_of_other_platforms(dependency)
    if declared.blocking and not kept:
        return DependencyStatus.MISSING_BLOCK
    return DependencyStatus.MISSING_IGNORE


def _is_of_other_platforms(dependency: Dependency) -> bool:
    """Return whether the platform of other Vaults supplies this component, so that packages need not contain it.

    Nobody can add such a component, even if a package lists it; a reference to it is stored without effect.
    """
    if dependency.type == ComponentKind.OBJECT:
        return is_other_system_object(dependency.name)
    return dependency.name.endswith("__sys") and not is_acted_on(dependency.type)


def _has_part(component: Component, dependency: Dependency) -> bool:
    """Return whether a component of the package has the part that a dependency names, if it names one."""
    if not dependency.subname:
        return True
    if component.child(dependency.subtype, dependency.subname) is not None:
        return True
    # Every object gets the platform's fields, which no MDL needs to name.
    return _is_field(dependency) and dependency.subname in PLATFORM_FIELD_TYPES


def _is_field(dependency: Dependency) -> bool:
    kinds = (dependency.type, dependency.subtype)
    return kinds == (ComponentKind.OBJECT, PartKind.FIELD)


def exists(registry: Registry, dependency: Dependency) -> bool:
    """Return whether a Vault has a component, also one that the platform supplies."""
    component = registry.components.get(dependency.key)
    if component is None:
        return _is_supplied(registry, dependency)
    if not dependency.subname:
        return True
    if _is_field(dependency):
        owner = registry.objects.get(dependency.name)
        if owner is not None and dependency.subname in owner.fields:
            return True
    return component.child(dependency.subtype, dependency.subname) is not None


def _is_supplied(registry: Registry, dependency: Dependency) -> bool:
    """Return whether the model has the target without a component: the platform's picklists, base types of objects."""
    if dependency.type == ComponentKind.PICKLIST:
        return dependency.name in registry.picklists
    if dependency.type == ComponentKind.OBJECT_TYPE:
        object_name, _, type_name = dependency.name.partition(".")
        return (object_name, type_name) in registry.object_types
    return False


class _Trial:
    """Executes statements on a registry of its own, step after step."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def run(self, package: Package) -> dict[str, str]:
        """Return the reasons why steps are refused, by the identity of the step."""
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
    """Check that the object has the step's columns and key field; values are checked when rows are saved.

    :raises ComponentError: INVALID_ATTRIBUTE.
    """
    target = registry.objects.get(step.object_name)
    if target is None:
        raise ComponentError(f"There is no object {step.object_name[:100]}.")
    reader = RowReader(target, registry, WriteMode(migration=step.migration_mode))
    # The id finds a record, and is none of the fields that can be set.
    unknown = [each for each in step.header if each != "id" and not reader.takes(each)]
    if unknown:
        names = ", ".join(unknown)[:200]
        raise ComponentError(f"{step.object_name} takes no column {names}.")
    key = _key_field(step)
    if key is None:
        return
    field = target.fields.get(key)
    if field is None or not (field.unique or field.type is FieldType.ID):
        message = f"{key[:100]} is not a unique field of {step.object_name}."
        raise ComponentError(message)
    if key not in step.header:
        raise ComponentError(f"The data have no column {key[:100]}.")


def _key_field(step: DataStep) -> str | None:
    """Return the field by which rows find existing records; None if they only create records."""
    if step.id_param:
        return step.id_param
    match step.action:
        case DataAction.UPDATE | DataAction.DELETE:
            return "id"
        case DataAction.CREATE:
            return None
        case DataAction.UPSERT:
            message = "The action Upsert needs the field that identifies a record."
            raise ComponentError(message)
        case _:
            assert_never(step.action)
