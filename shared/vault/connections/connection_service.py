"""Constructs the services of a Vault's connections, and opens the sessions of remote Vaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize, in_person
from shared.vault.connections.connection_rules import OBJECT, DomainType, State
from shared.vault.connections.duplication import Duplication
from shared.vault.connections.handshake import Handshake, Identity
from shared.vault.connections.signing import MessageSigning, Signing
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller, SecurityProfile
    from shared.vault.audit.sign_in_entries import SignInClient
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.connections.allowed_addresses import AllowedAddresses
    from shared.vault.records.record_service import RecordService
    from shared.vault.security.sessions import SecurityProfiles, Session, Sessions
    from shared.vault.security.sign_in_service import SignInService
    from shared.vault.storage.database import Database

# A connection and the user as whom its remote Vault works. Locked against changes of the connection, which end its
# sessions: one that is opened meanwhile would go on.
FIND = f"""
SELECT c.id AS connection_id, c.state__v = '{State.ACTIVE}' AND c.status__v = 'active__v' AS active,
    c.domain_type__sys, c.remote_domain_type__sys, u.user_id, u.active AS user_active, u.security_profile
FROM records.{OBJECT} c
LEFT JOIN platform.credential u ON u.user_id::text = coalesce(c.authorized_connection_user__sys, $2)
WHERE c.api_name__sys = $1 FOR SHARE OF c
"""

SANDBOX_IN_PRODUCTION = (
    DomainType.PRODUCTION.value_name,
    DomainType.SANDBOX.value_name,
)
"""The domain types of a Vault and of a remote Vault that may only read there."""


class Connections:
    """The services of one Vault's connections."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        security: SignInService,
        identity: Identity,
        addresses: AllowedAddresses,
    ) -> None:
        """Construct the services; ``addresses`` are those to which messages of External connections may be sent."""
        self.signing = Signing(database, identity.vault_id)
        self.handshake = Handshake(
            database, components, records, self.signing, identity
        )
        self.sessions = ConnectionSessions(
            database, security.sessions, security.profiles
        )
        self.duplication = Duplication(database, components, records)
        self.messages = MessageSigning(
            database, self.signing, identity.vault_id, addresses
        )


class ConnectionSessions:
    """Opens the sessions in which remote Vaults' connectors call this Vault."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        profiles: SecurityProfiles,
    ) -> None:
        self._database = database
        self._profiles = profiles
        self._sessions = sessions

    async def open(
        self, caller: Caller, api_name: str, client: SignInClient
    ) -> Session:
        """Open a session of the Authorized Connection User, or of the caller if the connection has no such user.

        The session ends when the connection is no longer Active, or has another user. In a production Vault, the
        session of a sandbox Vault may only read.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not open it; INVALID_DATA for an unknown connection;
            OPERATION_NOT_ALLOWED for one that is not Active, or whose user is inactive or may execute MDL.
        """
        authorize(caller, Grant.OPEN_CONNECTION_SESSIONS)
        in_person(caller)
        async with self._database.transaction() as connection:
            possible = "\x00" not in api_name
            own_id = str(caller.user_id)
            row = (
                await connection.fetchrow(FIND, api_name, own_id) if possible else None
            )
            if row is None:
                raise VaultFault(
                    ErrorType.INVALID_DATA, f"There is no connection [{api_name[:40]}]"
                )
            profile = self._profiles.named(row["security_profile"] or "")
            refusal = _refusal(row, profile)
            if refusal is not None:
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"Connection [{api_name}] {refusal}",
                )
            domains = row["domain_type__sys"], row["remote_domain_type__sys"]
            return await self._sessions.open_for(
                connection,
                caller,
                row["user_id"],
                row["connection_id"],
                client,
                read_only=domains == SANDBOX_IN_PRODUCTION,
            )


def _refusal(row: Record, profile: SecurityProfile) -> str | None:
    """Return why a connection cannot be used, as the end of a sentence; None when it can."""
    if not row["active"]:
        return "is not Active"
    if not row["user_active"]:
        return "has an Authorized Connection User who is inactive"
    # A remote Vault must not come to change this Vault's configuration, permissions among it.
    if Grant.EXECUTE_MDL in profile.grants:
        return "cannot be used by a System Admin or another user who may execute MDL; set another one in the connection"
    return None
