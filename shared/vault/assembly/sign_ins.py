"""Stores at every start what the settings define: the users, and the remote Vault id of the connection."""

from __future__ import annotations

from dataclasses import dataclass
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
    from pydantic import SecretStr

    from shared.vault.access.caller import SecurityProfile
    from shared.vault.assembly.vault_settings import VaultSettings
    from shared.vault.records.record_service import RecordService
    from shared.vault.security.sign_in_service import SignInService
    from shared.vault.storage.database import Database

# The record service refuses to change the Vault's own user, so its row is written here. The table's
# trigger makes the credential.
STORE_USER = """
INSERT INTO records.user__sys AS u (id, global_id__sys, name__v, status__v, username__sys, first_name__sys,
    last_name__sys, email__sys, security_profile__sys, created_by__v, created_date__v, modified_by__v, modified_date__v)
SELECT $1, $2, $3, 'active__v', $3, $4, $5, $3, $6, 1, now, 1, now FROM platform.change_date() AS now
ON CONFLICT (id) DO UPDATE SET status__v = 'active__v', name__v = excluded.name__v,
    username__sys = excluded.username__sys, security_profile__sys = excluded.security_profile__sys, modified_by__v = 1,
    modified_date__v = excluded.modified_date__v
WHERE (u.status__v, u.username__sys, u.security_profile__sys)
    IS DISTINCT FROM ('active__v', excluded.username__sys, excluded.security_profile__sys)
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A user that every Vault has."""

    user_id: int
    username: str
    first_name: str
    last_name: str
    profile: SecurityProfile
    password: SecretStr | None = None


class SignIns:
    """Stores the users of the settings, in a Vault with the id ``vault_id``."""

    def __init__(
        self,
        settings: VaultSettings,
        vault_id: int,
        database: Database,
        security: SignInService,
        records: RecordService,
    ) -> None:
        self._settings = settings
        self._vault_id = vault_id
        self._database = database
        self._security = security
        self._records = records

    async def ensure(self) -> None:
        """Store the users of the settings with their passwords, and the remote Vault's id.

        :raises ValueError: a name belongs to another user, or a password is empty or too long.
        """
        await follow_user_records(self._database)
        for person in self._people():
            await self._store(person)
            if person.password is not None:
                password = person.password.get_secret_value()
                await self._security.ensure_password(person.user_id, password)
        await self._connect()

    def _people(self) -> tuple[Person, ...]:
        """Return the Vault's own user, who cannot sign in, and the three of the settings."""
        settings = self._settings
        return (
            Person(
                user_id=SYSTEM.user_id,
                username=SYSTEM.username,
                first_name="Vault",
                last_name="System",
                profile=SYSTEM.profile,
            ),
            Person(
                user_id=2,
                username=settings.admin_username,
                first_name="Vault",
                last_name="Administrator",
                profile=SYSTEM_ADMIN,
                password=settings.admin_password,
            ),
            Person(
                user_id=3,
                username=settings.integration_username,
                first_name="Connection",
                last_name="User",
                profile=INTEGRATION_USER,
                password=settings.integration_password,
            ),
            Person(
                user_id=4,
                username=settings.business_username,
                first_name="Business",
                last_name="User",
                profile=BUSINESS_USER,
                password=settings.business_password,
            ),
        )

    async def _store(self, person: Person) -> None:
        """Store a user's record.

        :raises ValueError: the name belongs to another user.
        """
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    STORE_USER,
                    str(person.user_id),
                    f"{self._vault_id}_{person.user_id}",
                    person.username,
                    person.first_name,
                    person.last_name,
                    person.profile.name,
                )
        except asyncpg.UniqueViolationError as error:
            message = "the username is another user's"
            raise ValueError(message) from error

    async def _connect(self) -> None:
        """Store the id of the Vault at the other end of the connection, if the settings have one."""
        remote_vault_id = self._settings.remote_vault_id
        if remote_vault_id is None:
            return
        row = {
            "api_name__sys": "medical_crm__v",
            "remote_vault_id__sys": str(remote_vault_id),
        }
        await self._records.update(SYSTEM, "connection__sys", [row], "api_name__sys")
