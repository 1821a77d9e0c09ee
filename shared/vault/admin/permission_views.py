"""Describes in plain words what a security profile or a permission set allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.caller import SUPPLIED, Caller
from shared.vault.access.grant_labels import GRANT_LABELS
from shared.vault.access.permissions import Operation, allowed
from shared.vault.access.profiles import permission_set_of
from shared.vault.admin.navigation import menu_of
from shared.vault.components.permission_types import Grant
from shared.vault.components.registry import is_business

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.vault.access.caller import PermissionSet, SecurityProfile
    from shared.vault.components.component_tree import Component
    from shared.vault.model.component_model import VaultObject

NOTHING = "Nothing"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The permissions on some objects, in words: operations, and labels of the objects in two groups."""

    operations: str
    business: list[str]
    platform: list[str]


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that a profile allows: operations on objects, grants, and the pages that its users see."""

    objects: list[Allowed]
    grants: list[str]
    pages: list[str]


def access_of(profile: SecurityProfile, objects: Iterable[VaultObject]) -> Access:
    """Return what a profile allows: its operations on ``objects``, its grants, and its pages."""
    found: dict[frozenset[Operation], list[VaultObject]] = {}
    for each in sorted(objects, key=lambda each: each.label_plural.lower()):
        found.setdefault(allowed(profile, each.name), []).append(each)
    # The most permissions come first.
    ordered = sorted(found.items(), key=lambda item: -len(item[0]))
    return Access(
        [_allowed(operations, group) for operations, group in ordered],
        [label for grant, label in GRANT_LABELS.items() if grant in profile.grants],
        [entry.label for entry, _ in menu_of(Caller(0, "", profile), "")],
    )


def _allowed(operations: frozenset[Operation], objects: list[VaultObject]) -> Allowed:
    words = ", ".join(each.value for each in Operation if each in operations)
    return Allowed(
        words.capitalize() or NOTHING,
        [each.label_plural for each in objects if is_business(each.name)],
        [each.label_plural for each in objects if not is_business(each.name)],
    )


def set_of(component: Component) -> PermissionSet:
    """Return the permission set that a component defines; those that every Vault has are defined in code."""
    supplied = SUPPLIED.get(component.name)
    if supplied:
        return supplied.sets[0]
    return permission_set_of(component)


def profiles_with(
    set_name: str, components: Mapping[tuple[str, str], Component]
) -> list[Component]:
    """Return the security profiles that have a permission set."""
    return [
        each
        for each in components.values()
        if set_name in each.references("permission_sets")
    ]


def grants_of(component: Component) -> set[str]:
    """Return the names of the grants that a permission set contains directly."""
    known = {grant.value for grant in Grant}
    return known.intersection(component.texts("permissions"))
