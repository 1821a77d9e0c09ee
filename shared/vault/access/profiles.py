"""Reads security profiles and permission sets out of components, and checks changes of them."""

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
from shared.vault.access.permissions import allowed, holds_all_of, may_set
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
    from shared.vault.model.component_model import VaultObject


FILTER = "name__v::"

Components = Mapping["Key", Component]


def active_profiles(components: Components) -> dict[str, SecurityProfile]:
    """Return all active profiles by name, also those that every Vault has; inactive permission sets allow nothing."""
    active = {key: c for key, c in components.items() if c.flag("active", True)}
    profiles: dict[str, SecurityProfile] = {}
    for component in active.values():
        if component.type == PROFILE and not is_supplied(component.key):
            profiles[component.name] = profile_of(component, active)
    return profiles | dict(SUPPLIED)


def profile_of(component: Component, components: Components) -> SecurityProfile:
    """Return the profile that a ``Securityprofile`` defines, active or not, with its existing permission sets."""
    sets: list[PermissionSet] = []
    for name in component.references("permission_sets"):
        named = components.get((PERMISSION_SET, name))
        if name in SUPPLIED:
            # The code defines these profiles: a component of the same name does not change them.
            sets += SUPPLIED[name].sets
        # A set that was dropped, or is left out as inactive, allows nothing.
        elif named is not None:
            sets.append(permission_set_of(named))
    return SecurityProfile(component.name, tuple(sets))


def permission_set_of(component: Component) -> PermissionSet:
    """Return the permission set that a ``Permissionset`` defines; permissions unknown to this Vault are ignored."""
    # A component of another Vault may name permissions that this one does not have.
    known = {grant.value: grant for grant in Grant}
    names = component.texts("permissions")
    grants = frozenset(known[name] for name in names if name in known)
    objects: dict[str, frozenset[Operation]] = {}
    for entry in component.children_of(OBJECT_PERMISSION):
        objects[object_of(entry)] = _operations(entry)
    return PermissionSet(grants, objects)


def _operations(entry: Component) -> frozenset[Operation]:
    operations = frozenset(o for o in Operation if entry.flag(o))
    if not operations:
        return NONE
    # Records that may be written may be read.
    return operations | READ


def supplied_components() -> dict[Key, Component]:
    """Return the security profiles that every Vault has, and the permission set of each; they cannot be changed."""
    components: dict[Key, Component] = {}
    for profile in SUPPLIED.values():
        for component in _components_of(profile):
            components[component.key] = component
    return components


def _components_of(profile: SecurityProfile) -> Iterator[Component]:
    label = SECURITY_PROFILES.entries[profile.name].label
    set_name = f"{PERMISSION_SET}.{profile.name}"
    yield Component(
        PROFILE,
        profile.name,
        {"label": (label,), "active": (True,), "permission_sets": (set_name,)},
    )
    for permissions in profile.sets:
        grants: tuple[Scalar, ...] = tuple(
            g.value for g in Grant if g in permissions.grants
        )
        entries = [_entry(*item) for item in permissions.objects.items()]
        yield Component(
            PERMISSION_SET,
            profile.name,
            {"label": (label,), "active": (True,), "permissions": grants},
            tuple(entries),
        )


def _entry(object_name: str, operations: frozenset[Operation]) -> Component:
    flags: dict[str, tuple[Scalar, ...]] = {}
    for operation in Operation:
        flags[operation.value] = (operation in operations,)
    return Component(OBJECT_PERMISSION, object_name, flags)


def permissions_json(
    holder: Caller,
    objects: Iterable[VaultObject],
    only: str = "",
) -> list[dict[str, object]]:
    """Return a user's permissions on objects and their fields; ``only`` is ``name__v::{permission name}``, or empty.

    :raises VaultFault: INVALID_FILTER when ``only`` has another form.
    """
    if only and not only.startswith(FILTER):
        message = f"[filter] takes {FILTER}{{permission name}}"
        raise VaultFault(ErrorType.INVALID_FILTER, message)
    wanted = only.removeprefix(FILTER)
    listed: list[dict[str, object]] = []
    for target in sorted(objects, key=lambda o: o.name):
        for name, permissions in _permissions(holder, target):
            if not wanted or name == wanted:
                listed.append({"name__v": name, "permissions": permissions})
    return listed


def _permissions(
    holder: Caller,
    target: VaultObject,
) -> Iterator[tuple[str, dict[str, bool]]]:
    head = f"object.{target.name}"
    operations = allowed(holder.profile, target.name)
    actions = {str(o): o in operations for o in Operation}
    yield f"{head}.object_actions", actions
    reads = Operation.READ in operations
    edits = Operation.EDIT in operations
    for field in target.fields.values():
        yield (
            f"{head}.{field.name}_actions",
            {"read": reads, "edit": edits and may_set(holder, target.name, field)},
        )


# Nobody may grant permissions that they do not have themselves.


def check_change(caller: Caller, step: Step) -> None:
    """Check that no permission set or profile in a change allows more than the caller may do.

    Permissions before and after the change count: a caller who drops a set takes permissions from others.

    :raises ComponentError: NOT_PERMITTED when a permission set or profile allows more.
    """
    for key, component in step.changes.items():
        before = step.before.components.get(key)
        _check(caller, before, step.before.components)
        _check(caller, component, step.after.components)


def _check(
    caller: Caller,
    component: Component | None,
    components: Components,
) -> None:
    if component is None or holds_all_of(
        caller, _profile_defined_by(component, components)
    ):
        return
    message = (
        f"{component.full_name} allows more than the user's own security profile does."
    )
    raise ComponentError(message, Code.NOT_PERMITTED)


def _profile_defined_by(
    component: Component, components: Components
) -> SecurityProfile:
    """Return the profile that a component defines; also of an inactive component, which may become active."""
    if component.type == PROFILE:
        return profile_of(component, components)
    if component.type == PERMISSION_SET:
        permissions = permission_set_of(component)
        return SecurityProfile(component.name, (permissions,))
    return SecurityProfile(component.name)
