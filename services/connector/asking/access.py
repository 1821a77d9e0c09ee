"""Who may ask the connector: whoever holds a permission at the Vault that the question is about."""

from __future__ import annotations

from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import text
from shared.protocol.error_types import ErrorType
from shared.runtime.waiting import concurrently

MANAGE_INTEGRATIONS, LOOK_UP_ACCOUNTS = "manage_integrations", "look_up_accounts"
PERMISSION_SET = (
    "Permissionset."  # before the name of one, where it is written with its type
)


async def require_permission(
    vault: VaultClient, session_id: str, permission: str
) -> None:
    """Have the Vault say whose session this is and what their security profile may do.

    :raises VaultRefused: it is no session of this Vault, or its user lacks the permission.
    :raises VaultUnavailable: the Vault is away.
    """
    user = await vault.user_of(session_id)
    async with concurrently() as group:
        profiles = group.create_task(vault.configuration("Securityprofile"))
        sets = group.create_task(vault.configuration("Permissionset"))
    held = {
        name.removeprefix(PERMISSION_SET)
        for profile in profiles.result()
        if profile.get("name") == text(user, "security_profile__v")
        for name in _listed(profile.get("permission_sets"))
    }
    granted = {
        grant
        for permissions in sets.result()
        if permissions.get("name") in held and permissions.get("active") is not False
        for grant in _listed(permissions.get("permissions"))
    }
    if permission not in granted:
        raise VaultRefused(
            ErrorType.INSUFFICIENT_ACCESS,
            f"The user's security profile lacks the permission [{permission}]",
        )


def _listed(value: object) -> list[str]:
    """The values of an attribute, which the Vault writes bare when there is one."""
    values = value if isinstance(value, list) else [value]
    return [str(element) for element in values if element is not None]
