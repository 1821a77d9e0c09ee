"""Checks changes of permission sets and security profiles, whoever makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_validation import check_declared
from shared.vault.components.permission_types import (
    ALL_OBJECTS,
    BUSINESS_OBJECTS,
    OBJECT_PERMISSION,
    PERMISSION_SET,
    PROFILE,
)
from shared.vault.components.platform import SECURITY_PROFILES

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Key, Registry

__all__ = ["check_permissions", "is_supplied", "object_of", "refuse_supplied"]

# Objects that MDL makes have names that end so; others may be the platform's own.
_STORED = ("__v", "__c")


def is_supplied(key: Key) -> bool:
    """Return whether a key is that of a security profile that every Vault has, or of its permission set."""
    kind, name = key
    return kind in (PROFILE, PERMISSION_SET) and name in SECURITY_PROFILES.entries


def object_of(entry: Component) -> str:
    """Return the name of the object of an ``Objectpermission``."""
    return entry.reference("object") or entry.name


def refuse_supplied(key: Key) -> None:
    """Check that a component is not one that every Vault has.

    :raises ComponentError: LOCKED when it is.
    """
    if is_supplied(key):
        message = f"{'.'.join(key)} belongs to the Vault and cannot be changed."
        raise ComponentError(message, Code.LOCKED)


def check_permissions(
    component: Component,
    registry: Registry,
) -> None:
    """Check a permission set or security profile against ``registry``.

    Vaults export further attributes that are unknown here: only the declared ones are checked.

    :raises ComponentError: if a declared attribute is invalid, or names a missing component.
    """
    # The general check of such types looks at their form alone.
    check_declared(component)
    for name in component.references("permission_sets"):
        used = PERMISSION_SET, name
        if used not in registry.components and not is_supplied(used):
            path = component.full_name
            raise _broken(f"{path}: there is no {PERMISSION_SET}.{name}.")
    _check_objects(component, registry)


def _check_objects(
    component: Component,
    registry: Registry,
) -> None:
    seen: set[str] = set()
    for entry in component.children_of(OBJECT_PERMISSION):
        name = object_of(entry)
        path = f"{component.full_name}: {OBJECT_PERMISSION} {entry.name}"
        # Two entries for one object would leave open which of them holds.
        if name in seen:
            message = f"{path}: {name} has another object permission in this set."
            raise ComponentError(message, Code.EXISTS)
        seen.add(name)
        known = name in registry.objects or name in (ALL_OBJECTS, BUSINESS_OBJECTS)
        if not known and name.endswith(_STORED):
            raise _broken(f"{path}: there is no Object.{name}.")


def _broken(message: str) -> ComponentError:
    return ComponentError(message, Code.BROKEN_REFERENCE)
