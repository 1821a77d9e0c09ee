"""Security profiles and permission sets as components, and the profiles that a Vault's users have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import (
    NONE,
    READ,
    SUPPLIED,
    PermissionSet,
    SecurityProfile,
)
from shared.vault.access.permissions import allowed, holds_all_of
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.permission_changes import is_supplied, object_of
from shared.vault.components.permission_types import (
    OBJECT_PERMISSION,
    PERMISSION_SET,
    PROFILE,
    Grant,
    Operation,
)
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.evolution import Step
    from shared.vault.components.registry import Key
    from shared.vault.model.component_model import Field, VaultObject


FILTER = "name__v::"

Components = Mapping["Key", Component]


def active_profiles(components: Components) -> dict[str, SecurityProfile]:
    """Every active profile by name, those of every Vault among them; sets that are inactive allow nothing."""
    active = {
        key: component
        for key, component in components.items()
        if component.flag("active", True)
    }
    own = (c for c in active.values() if c.type == PROFILE and not is_supplied(c.key))
    return {component.name: profile_of(component, active) for component in own} | dict(
        SUPPLIED
    )


def profile_of(component: Component, components: Components) -> SecurityProfile:
    """The profile that a ``Securityprofile`` makes, active or not, of those of its sets that are there."""
    sets: list[PermissionSet] = []
    for name in component.references("permission_sets"):
        named = components.get((PERMISSION_SET, name))
        if name in SUPPLIED:
            sets += SUPPLIED[name].sets
        elif named is not None:
            sets.append(permission_set_of(named))
    return SecurityProfile(component.name, tuple(sets))


def permission_set_of(component: Component) -> PermissionSet:
    """What a ``Permissionset`` allows; what this Vault does not know of it allows nothing."""
    known = {grant.value: grant for grant in Grant}
    grants = frozenset(
        known[name] for name in component.texts("permissions") if name in known
    )
    return PermissionSet(
        grants,
        {
            object_of(entry): _operations(entry)
            for entry in component.children_of(OBJECT_PERMISSION)
        },
    )


def _operations(entry: Component) -> frozenset[Operation]:
    """Records that may be written may be read."""
    held = frozenset(operation for operation in Operation if entry.flag(operation))
    return held | READ if held else NONE


def supplied_components() -> dict[Key, Component]:
    """The security profiles that every Vault has, and the permission set of each; they cannot be changed."""
    return {
        component.key: component
        for profile in SUPPLIED.values()
        for component in _components_of(profile)
    }


def _components_of(profile: SecurityProfile) -> Iterator[Component]:
    label = SECURITY_PROFILES.entries[profile.name].label
    named = f"{PERMISSION_SET}.{profile.name}"
    yield Component(
        PROFILE,
        profile.name,
        {"label": (label,), "active": (True,), "permission_sets": (named,)},
    )
    for held in profile.sets:
        grants: tuple[Scalar, ...] = tuple(
            grant.value for grant in Grant if grant in held.grants
        )
        entries = tuple(
            Component(
                OBJECT_PERMISSION,
                name,
                {o.value: (o in operations,) for o in Operation},
            )
            for name, operations in held.objects.items()
        )
        yield Component(
            PERMISSION_SET,
            profile.name,
            {"label": (label,), "active": (True,), "permissions": grants},
            entries,
        )


def permissions_json(
    holder: SecurityProfile, objects: Iterable[VaultObject], only: str = ""
) -> list[dict[str, object]]:
    """Permissions on objects and their fields; ``only`` is ``name__v::{permission name}``, or empty.

    :raises VaultFault: INVALID_FILTER.
    """
    if only and not only.startswith(FILTER):
        raise VaultFault(
            ErrorType.INVALID_FILTER, f"[filter] takes {FILTER}{{permission name}}"
        )
    name = only.removeprefix(FILTER)
    listed = [
        entry
        for target in sorted(objects, key=lambda o: o.name)
        for entry in _entries(holder, target)
    ]
    return [
        {"name__v": n, "permissions": p} for n, p in listed if not name or n == name
    ]


def _entries(
    holder: SecurityProfile, target: VaultObject
) -> Iterator[tuple[str, dict[str, bool]]]:
    held = allowed(holder, target.name)
    yield f"object.{target.name}.object_actions", {str(o): o in held for o in Operation}
    for field in target.fields.values():
        edits = Operation.EDIT in held and _is_editable(field)
        yield (
            f"object.{target.name}.{field.name}_actions",
            {"read": Operation.READ in held, "edit": edits},
        )


def _is_editable(field: Field) -> bool:
    return field.editable and not field.system


def check_change(caller: Caller, step: Step) -> None:
    """Refuse to make, change or drop what allows more than the caller may do, before or after it.

    :raises ComponentError: of the code INSUFFICIENT_ACCESS.
    """
    for key, component in step.changes.items():
        for state, registry in (
            (step.before.components.get(key), step.before),
            (component, step.after),
        ):
            if state is not None and not holds_all_of(
                caller, _made(state, registry.components)
            ):
                message = f"{state.full_name} allows more than the user's own security profile does."
                raise ComponentError(message, Code.NOT_PERMITTED)


def _made(component: Component, components: Components) -> SecurityProfile:
    """What a component allows, active or not: it may become so."""
    if component.type == PROFILE:
        return profile_of(component, components)
    sets = (permission_set_of(component),) if component.type == PERMISSION_SET else ()
    return SecurityProfile(component.name, sets)
