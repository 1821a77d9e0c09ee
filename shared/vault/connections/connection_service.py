"""A Vault's connections: what signs for them, what establishes them, and the sessions of their remote Vaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.connections.duplication import Duplication
from shared.vault.connections.handshake import Handshake, Identity
from shared.vault.connections.message_signatures import MessageSigning
from shared.vault.connections.remote_sessions import ConnectionSessions
from shared.vault.connections.signing import Signing

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.security.sign_in_service import SecurityService
    from shared.vault.storage.database import Database


class Connections:
    """The services of one Vault's connections."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        security: SecurityService,
        identity: Identity,
    ) -> None:
        self.signing = Signing(database, identity.vault_id)
        self.handshake = Handshake(
            database, components, records, self.signing, identity
        )
        self.sessions = ConnectionSessions(
            database, security.sessions, security.profiles
        )
        self.duplication = Duplication(database, components, records)
        self.messages = MessageSigning(database, self.signing, identity.vault_id)
