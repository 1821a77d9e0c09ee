"""The three sign-ins of the settings, and the connection's remote Vault id, made so on every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from shared.vault.access.caller import (
    BUSINESS_USER,
    INTEGRATION_USER,
    SYSTEM,
    SYSTEM_ADMIN,
)
from shared.vault.security.user_records import follow_user_records

if TYPE_CHECKING:
    from shared.vault.access.caller import SecurityProfile
    from shared.vault.assembly.vault import Vault

# The records' triggers make the credentials.
STORE_USER = """
INSERT INTO records.user__sys AS u (id, global_id__sys, name__v, status__v, username__sys, first_name__sys,
    last_name__sys, email__sys, security_profile__sys, created_by__v, created_date__v, modified_by__v, modified_date__v)
VALUES ($1, $2, $3, 'active__v', $3, $4, $5, $3, $6, 1, date_trunc('milliseconds', now()), 1,
    date_trunc('milliseconds', now()))
ON CONFLICT (id) DO UPDATE SET status__v = 'active__v', name__v = excluded.name__v,
    username__sys = excluded.username__sys, security_profile__sys = excluded.security_profile__sys, modified_by__v = 1,
    modified_date__v = excluded.modified_date__v
WHERE (u.status__v, u.username__sys, u.security_profile__sys)
    IS DISTINCT FROM ('active__v', excluded.username__sys, excluded.security_profile__sys)
"""


async def ensure_sign_ins(vault: Vault) -> None:
    """The Vault's own user, and administrator, connection's user and business user as the settings have them.

    :raises ValueError: a name is another user's, or a password is empty or too long.
    """
    settings = vault.settings
    people = (
        (
            2,
            settings.admin_username,
            settings.admin_password,
            SYSTEM_ADMIN,
            "Vault",
            "Administrator",
        ),
        (
            3,
            settings.integration_username,
            settings.integration_password,
            INTEGRATION_USER,
            "Connection",
            "User",
        ),
        (
            4,
            settings.business_username,
            settings.business_password,
            BUSINESS_USER,
            "Business",
            "User",
        ),
    )
    await follow_user_records(vault.database)
    await _store(
        vault, SYSTEM.user_id, SYSTEM.username, "Vault", "System", SYSTEM.profile
    )
    for user_id, username, password, profile, first, last in people:
        await _store(vault, user_id, username, first, last, profile)
        await vault.security.ensure_password(user_id, password.get_secret_value())
    if settings.remote_vault_id is not None:
        row = {
            "api_name__sys": "medical_crm__v",
            "remote_vault_id__sys": str(settings.remote_vault_id),
        }
        await vault.records.update(SYSTEM, "connection__sys", [row], "api_name__sys")


async def _store(
    vault: Vault,
    user_id: int,
    username: str,
    first: str,
    last: str,
    profile: SecurityProfile,
) -> None:
    global_id = f"{vault.vault_id}_{user_id}"
    try:
        async with vault.database.connection() as connection:
            await connection.execute(
                STORE_USER, str(user_id), global_id, username, first, last, profile.name
            )
    except asyncpg.UniqueViolationError as error:
        message = "the username is another user's"
        raise ValueError(message) from error
