"""Knows the Vaults that this connector serves, by Vault id: a client each, and broker connections."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.connector.vaults.configuration import Connection
from services.connector.vaults.configuration_reader import ConfigurationReader
from shared.client.client import VaultClient
from shared.spark.connection import BrokerConnection
from shared.spark.publisher import Publisher


@dataclass(frozen=True, slots=True)
class KnownVault:
    """One Vault after sign-in; one that is elsewhere has a broker of its own, which this connector does not use."""

    name: str
    vault_id: int
    client: VaultClient


@dataclass(frozen=True, slots=True)
class ConnectedVault(KnownVault):
    """One Vault whose queues are at the connector's broker; ``publisher`` writes to its inbound queues."""

    consuming: BrokerConnection
    publisher: Publisher


@dataclass(frozen=True)
class Vaults:
    """All Vaults by id, with the configuration between each source and target."""

    by_id: dict[int, KnownVault]
    _readers: dict[tuple[int, int], ConfigurationReader] = field(default_factory=dict)
    _sources: dict[tuple[int, str], VaultClient] = field(default_factory=dict)

    def join(self, vault: KnownVault) -> None:
        """Add one more Vault."""
        self.by_id[vault.vault_id] = vault

    def get(self, vault_id: int | None) -> KnownVault | None:
        """Return the Vault with this id, when it is one of the connector's."""
        return None if vault_id is None else self.by_id.get(vault_id)

    @property
    def connected(self) -> tuple[ConnectedVault, ...]:
        """Return those whose queues are at the connector's broker."""
        known = self.by_id.values()
        return tuple(vault for vault in known if isinstance(vault, ConnectedVault))

    def remotes(self, vault: KnownVault) -> tuple[KnownVault, ...]:
        """Return all the other Vaults."""
        return tuple(other for other in self.by_id.values() if other is not vault)

    async def source(
        self,
        vault: KnownVault,
        connection: Connection,
    ) -> VaultClient:
        """Return a source Vault as it lets the target Vault use it, in which this connection is configured.

        :raises ClientError: a call fails, among others as the connection is not Active in the source Vault.
        """
        # A Vault at the other end of an External connection knows no connection of ours: there the connector's own
        # user reads.
        if connection.external:
            return vault.client
        return await self.session(vault, connection.remote_name)

    async def session(
        self,
        vault: KnownVault,
        connection: str,
    ) -> VaultClient:
        """Return a Vault as it lets the Vault at the other end of its connection ``connection`` use it.

        :raises ClientError: the sign-in fails.
        """
        key = (vault.vault_id, connection)
        # Kept, so that a unit need not sign in anew.
        if key not in self._sources:
            self._sources[key] = vault.client.for_connection(connection)
        client = self._sources[key]
        await client.sign_in()
        return client

    def configuration(
        self,
        source: KnownVault,
        target: KnownVault,
    ) -> ConfigurationReader:
        """Return the reader of the target Vault's configuration for messages from the source Vault."""
        key = (source.vault_id, target.vault_id)
        if key not in self._readers:
            self._readers[key] = ConfigurationReader(source.client, target.client)
        return self._readers[key]
