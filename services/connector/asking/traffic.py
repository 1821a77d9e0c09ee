"""What a question is about: the records that one Vault takes from another, over one of its connections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Connection,
)
from services.connector.vaults.vaults import ConnectedVault, KnownVault, Vaults
from shared.client.client import VaultClient


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one Vault has configured for the records of another, which is read over a connection."""

    own: ConnectedVault
    source: VaultClient
    configuration: Configuration
    connection: Connection


async def traffic(
    vaults: Vaults, own: ConnectedVault, *, connection: str = "", integration: str = ""
) -> Traffic:
    """The traffic of a connection, or of the connection that an integration belongs to, by API name.

    Raises ClientError, and ConfigurationFault when there is none.
    """
    fault = ConfigurationFault(
        "The connection or integration belongs to no Vault that the connector has access to"
    )
    for remote in vaults.remotes(own):
        configuration = await vaults.configuration(remote, own).since(datetime.now(UTC))
        found = _connection(configuration, remote, connection, integration)
        if found is not None:
            return Traffic(
                own, await vaults.source(remote, found), configuration, found
            )
    raise fault


def _connection(
    configuration: Configuration, remote: KnownVault, name: str, integration: str
) -> Connection | None:
    above = {
        i.connection
        for i in configuration.integrations.values()
        if i.api_name == integration
    }
    for connection in configuration.connections.values():
        if connection.remote_vault_id == remote.vault_id and (
            connection.api_name == name or connection.id in above
        ):
            return connection
    return None
