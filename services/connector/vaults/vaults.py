"""Manages the Vaults that this connector serves, by Vault id, and waits while one of them is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from services.connector.vaults.configuration import Connection
from services.connector.vaults.configuration_reader import ConfigurationReader
from shared.client.client import VaultClient
from shared.client.errors import (
    ExpiredPage,
    QueryTimeout,
    VaultRefused,
    VaultUnavailable,
)
from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import DOUBTFUL_REFUSAL, PEER_AWAY
from shared.runtime.waiting import state_log
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.connection import BrokerConnection
from shared.spark.publisher import Publisher

T = TypeVar("T")
PASSING = (VaultUnavailable, BrokerUnavailable)
"""What is waited for, with growing delays, and makes no exception record."""


# The connection's own user is shut out, or the Vault is busy with itself: no message is to blame, and none
# could be recorded as an exception meanwhile.
_REFUSALS_THAT_PASS = frozenset(
    {
        ErrorType.INVALID_SESSION_ID,
        ErrorType.USERNAME_OR_PASSWORD_INCORRECT,
        ErrorType.NO_PASSWORD_PROVIDED,
        ErrorType.INACTIVE_USER,
        ErrorType.USER_LOCKED_OUT,
        ErrorType.PASSWORD_CHANGE_REQUIRED,
        ErrorType.CONFIGURATION_MODE_ENABLED,
        ErrorType.API_LIMIT_EXCEEDED,
        ErrorType.RACE_CONDITION,
    }
)


@contextmanager
def passing_refusals() -> Iterator[None]:
    """Convert refusals that concern no message, such as a failed sign-in.

    :raises VaultUnavailable: the block raises such a refusal.
    """
    try:
        yield
    except VaultRefused as refused:
        if refused.type not in _REFUSALS_THAT_PASS:
            raise
        raise VaultUnavailable(f"refused: {refused.type}") from refused


class Interrupted(Exception):
    """Raised when the process stops; the waiting handler returns its messages to the broker."""


class Patience:
    """Waits for Vaults and brokers that are away, until the process stops."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Stop all waiting: no more attempts begin, attempts under way may finish."""
        self._ending.set()

    async def wait_for(
        self,
        name: str,
        attempt: Callable[[], Awaitable[T]],
    ) -> T:
        """Call ``attempt`` again, after growing pauses, while it fails with a fault that will pass.

        ``name`` is the name of the peer in the log.

        :raises Interrupted: the process stops first.
        """
        # Hardly a call needs any.
        pauses: Iterator[float] | None = None
        while True:
            self.proceed()
            try:
                with passing_refusals():
                    result = await attempt()
            # Logged once when the peer goes away and once when it is back, however many wait for it.
            except PASSING as error:
                state_log.failed(name, error)
            else:
                state_log.succeeded(name)
                return result
            pauses = pauses or PEER_AWAY.pauses()
            await self.pause(next(pauses))

    async def pause(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the process stops.

        :raises Interrupted: the process stops.
        """
        # A plain sleep would hold up the process's stop until the pause is over.
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            return
        raise Interrupted("the process stops")

    def proceed(self) -> None:
        """Check that the process is not stopping.

        :raises Interrupted: the process is stopping.
        """
        if self._ending.is_set():
            raise Interrupted("the process stops")


class Impatience(Patience):
    """A patience that never waits: reports an outage to the caller at once."""

    async def wait_for(
        self,
        name: str,
        attempt: Callable[[], Awaitable[T]],
    ) -> T:
        """Call ``attempt`` once; ``name`` is not used.

        :raises VaultUnavailable: a Vault is away, or refuses for a reason that will pass.
        :raises BrokerUnavailable: the broker is away.
        """
        del name
        with passing_refusals():
            return await attempt()


@dataclass(frozen=True, slots=True)
class KnownVault:
    """One Vault after sign-in; its queues may be at another broker, which this connector does not use."""

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
    """Stores all Vaults by id, with the configuration between each source and target."""

    by_id: dict[int, KnownVault]
    _readers: dict[tuple[int, int], ConfigurationReader] = field(default_factory=dict)
    _sources: dict[tuple[int, str], VaultClient] = field(default_factory=dict)

    def join(self, vault: KnownVault) -> None:
        """Add a Vault to those that the connector serves."""
        self.by_id[vault.vault_id] = vault

    def get(self, vault_id: int | None) -> KnownVault | None:
        """Return the Vault with this id, None when the connector does not serve it."""
        return None if vault_id is None else self.by_id.get(vault_id)

    @property
    def connected(self) -> tuple[ConnectedVault, ...]:
        """Return the Vaults whose queues are at the connector's broker."""
        known = self.by_id.values()
        return tuple(vault for vault in known if isinstance(vault, ConnectedVault))

    def remotes(self, vault: KnownVault) -> tuple[KnownVault, ...]:
        """Return all Vaults except ``vault``."""
        return tuple(other for other in self.by_id.values() if other is not vault)

    async def source(
        self,
        vault: KnownVault,
        connection: Connection,
    ) -> VaultClient:
        """Return the client of a connection's source Vault, in the session that this Vault opens for the target.

        :raises ClientError: a call fails, for example because the connection is not Active in the source Vault.
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
        """Return the client of a Vault, in the session that it opens for the remote Vault of ``connection``.

        :raises ClientError: the sign-in fails.
        """
        key = (vault.vault_id, connection)
        # Cached, so that a unit need not sign in again.
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


def is_doubtful(refused: VaultRefused) -> bool:
    """Return whether a refusal may be either a passing fault of the Vault or a lasting fault of the work."""
    if isinstance(refused, ExpiredPage | QueryTimeout):
        return True
    return refused.type == ErrorType.UNEXPECTED_ERROR


@dataclass(slots=True)
class Doubts:
    """The doubtful refusals that one piece of work has met so far."""

    count: int = 0

    @property
    def is_last(self) -> bool:
        """Return whether a doubtful refusal counts from now on as caused by the work itself."""
        return self.count >= DOUBTFUL_REFUSAL.attempts - 1

    def begin_again(self, refused: VaultRefused) -> None:
        """Count a doubtful refusal, and have the work begun again from its start, unless this is the last time.

        :raises VaultUnavailable: the refusal is doubtful, and the work is to be begun again.
        """
        if self.is_last or not is_doubtful(refused):
            return
        self.count += 1
        text = f"refused: {refused.type}, time {self.count}"
        raise VaultUnavailable(text) from refused
