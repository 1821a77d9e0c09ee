"""Finds the records that a question is about: those that one Vault takes from another over one connection."""

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
    """The configuration of one Vault for the records that it takes from another over a connection."""

    own: ConnectedVault
    source: VaultClient
    configuration: Configuration
    connection: Connection


async def traffic(
    vaults: Vaults,
    own: ConnectedVault,
    *,
    connection: str = "",
    integration: str = "",
) -> Traffic:
    """Return the traffic of a connection, or of the connection that an integration belongs to, by API name.

    :raises ConfigurationFault: no Vault that the connector serves has such a connection or integration.
    :raises ClientError: a Vault is away or refuses.
    """
    for remote in vaults.remotes(own):
        # As of now, because the caller may just have changed the configuration that the question is about.
        reader = vaults.configuration(remote, own)
        configuration = await reader.since(datetime.now(UTC))
        found = _connection(configuration, remote, connection, integration)
        if found is not None:
            source = await vaults.source(remote, found)
            return Traffic(own, source, configuration, found)
    raise ConfigurationFault(
        "The connection or integration belongs to no Vault that the connector has access to"
    )


def _connection(
    configuration: Configuration,
    remote: KnownVault,
    name: str,
    integration: str,
) -> Connection | None:
    integrations = configuration.integrations.values()
    owners = {each.connection for each in integrations if each.api_name == integration}
    for connection in configuration.connections.values():
        if connection.remote_vault_id != remote.vault_id:
            continue
        if connection.api_name == name or connection.id in owners:
            return connection
    return None
