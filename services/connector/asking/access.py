"""Decides who may ask the connector: holders of a permission at the Vault that the question is about."""

from __future__ import annotations

from collections.abc import Container, Iterable

from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row, text
from shared.protocol.error_types import ErrorType
from shared.runtime.waiting import concurrently

MANAGE_INTEGRATIONS = "manage_integrations"
LOOK_UP_ACCOUNTS = "look_up_accounts"
# A security profile may name a permission set with its type, as MDL does, or without.
PERMISSION_SET = "Permissionset."


async def require_permission(
    vault: VaultClient,
    session_id: str,
    permission: str,
) -> None:
    """Check that the security profile of a session's user has a permission in the Vault.

    :raises VaultRefused: INVALID_SESSION_ID when ``session_id`` is no session of this Vault,
        INSUFFICIENT_ACCESS when its user lacks the permission.
    :raises VaultUnavailable: the Vault is away.
    """
    # The session first: for a caller without one, no configuration is read.
    user = await vault.user_of(session_id)
    # Read by the connector's own user, because not every user may read the configuration.
    async with concurrently() as group:
        profiles = group.create_task(vault.configuration("Securityprofile"))
        sets = group.create_task(vault.configuration("Permissionset"))
    profile = text(user, "security_profile__v")
    names = _permission_sets(profiles.result(), profile)
    granted = _permissions(sets.result(), names)
    if permission not in granted:
        raise VaultRefused(
            ErrorType.INSUFFICIENT_ACCESS,
            f"The user's security profile lacks the permission [{permission}]",
        )


def _permission_sets(profiles: Iterable[Row], name: str) -> set[str]:
    """Return the names of the permission sets of the security profile ``name``."""
    names: set[str] = set()
    for profile in profiles:
        if profile.get("name") == name:
            listed = _listed(profile.get("permission_sets"))
            names.update(each.removeprefix(PERMISSION_SET) for each in listed)
    return names


def _permissions(sets: Iterable[Row], names: Container[object]) -> set[str]:
    """Return the permissions of the active permission sets among ``names``."""
    granted: set[str] = set()
    for permissions in sets:
        # Only an explicit false deactivates a set; one without the attribute is active.
        is_active = permissions.get("active") is not False
        if is_active and permissions.get("name") in names:
            granted.update(_listed(permissions.get("permissions")))
    return granted


def _listed(value: object) -> list[str]:
    """Return the values of an attribute as a list; the Vault writes a single value without one."""
    values = value if isinstance(value, list) else [value]
    return [str(element) for element in values if element is not None]
