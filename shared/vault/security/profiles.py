"""Security profiles and permission sets as components to be read, and a user's permissions object by object.

All of it is told from :mod:`shared.vault.security.permissions`; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from shared.vault.components.tree import Component
from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.caller import Caller, SecurityProfile
from shared.vault.security.permissions import Grant, Operation, granted, may

if TYPE_CHECKING:
    from shared.vault.components.model import Field, VaultObject
    from shared.vault.components.registry import Registry

PROFILE = "Securityprofile"
PERMISSION_SET = "Permissionset"
SECURITY_TYPES = frozenset({PROFILE, PERMISSION_SET})
FILTER = "name__v::"
LABELS = {
    SecurityProfile.SYSTEM_ADMIN: "System Admin",
    SecurityProfile.INTEGRATION_USER: "Integration User",
    SecurityProfile.BUSINESS_USER: "Business User",
}


def security_components(registry: Registry) -> list[Component]:
    """Each security profile and its permission set; they belong to the Vault and cannot be changed."""
    return [component for profile in SecurityProfile for component in _of(profile, registry)]


def _of(profile: SecurityProfile, registry: Registry) -> Iterator[Component]:
    label = LABELS[profile]
    permissions = f"{PERMISSION_SET}.{profile}"
    yield Component(PROFILE, profile, {"label": (label,), "active": (True,), "permission_sets": (permissions,)})
    holder = Caller(0, "", profile)
    grants = tuple(str(grant) for grant in Grant if granted(holder, grant))
    objects = tuple(
        Component("Objectpermission", name, {str(o): (may(holder, name, o),) for o in Operation})
        for name in sorted(registry.objects)
    )
    yield Component(PERMISSION_SET, profile, {"label": (label,), "active": (True,), "permissions": grants}, objects)


def permissions_json(holder: Caller, objects: Iterable[VaultObject], only: str = "") -> list[dict[str, object]]:
    """Permissions of a user on objects and their fields; ``only`` is ``name__v::{permission name}``, or empty.

    :raises VaultFault: INVALID_FILTER.
    """
    if only and not only.startswith(FILTER):
        raise VaultFault(ErrorType.INVALID_FILTER, f"[filter] takes {FILTER}{{permission name}}")
    name = only.removeprefix(FILTER)
    listed = [entry for target in sorted(objects, key=lambda o: o.name) for entry in _entries(holder, target)]
    return [{"name__v": n, "permissions": p} for n, p in listed if not name or n == name]


def _entries(holder: Caller, target: VaultObject) -> Iterator[tuple[str, dict[str, bool]]]:
    yield f"object.{target.name}.object_actions", {str(o): may(holder, target.name, o) for o in Operation}
    reads, edits = may(holder, target.name, Operation.READ), may(holder, target.name, Operation.EDIT)
    for field in target.fields.values():
        yield f"object.{target.name}.{field.name}_actions", {"read": reads, "edit": edits and _is_editable(field)}


def _is_editable(field: Field) -> bool:
    return field.editable and not field.system
