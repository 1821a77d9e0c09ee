"""The three sign-ins of the settings, and the connection's remote Vault id, made so on every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.security.caller import SYSTEM, SecurityProfile

if TYPE_CHECKING:
    from shared.vault.vault import Vault

STORE_USER = """
INSERT INTO records.user__sys (id, global_id__sys, name__v, status__v, username__sys, first_name__sys, last_name__sys,
    email__sys, security_profile__sys, created_by__v, created_date__v, modified_by__v, modified_date__v)
VALUES ($1, $2, $3, 'active__v', $3, $4, $5, $3, $6, 1, date_trunc('milliseconds', now()), 1,
    date_trunc('milliseconds', now()))
ON CONFLICT (id) DO UPDATE SET name__v = excluded.name__v, username__sys = excluded.username__sys
WHERE user__sys.username__sys <> excluded.username__sys
"""


async def ensure_sign_ins(vault: Vault) -> None:
    """Administrator, connection's user and business user, with the passwords that the settings hold."""
    settings = vault.settings
    people = (
        (2, settings.admin_username, settings.admin_password, SecurityProfile.SYSTEM_ADMIN, "Vault", "Administrator"),
        (
            3,
            settings.integration_username,
            settings.integration_password,
            SecurityProfile.INTEGRATION_USER,
            "Connection",
            "User",
        ),
        (4, settings.business_username, settings.business_password, SecurityProfile.BUSINESS_USER, "Business", "User"),
    )
    for user_id, username, password, profile, first, last in people:
        await vault.security.ensure_user(username, password.get_secret_value(), profile, user_id=user_id)
        async with vault.database.connection() as connection:
            global_id = f"{vault.vault_id}_{user_id}"
            await connection.execute(STORE_USER, str(user_id), global_id, username, first, last, profile.value)
    if settings.remote_vault_id is not None:
        row = {"api_name__sys": "medical_crm__v", "remote_vault_id__sys": str(settings.remote_vault_id)}
        await vault.records.update(SYSTEM, "connection__sys", [row], "api_name__sys")
