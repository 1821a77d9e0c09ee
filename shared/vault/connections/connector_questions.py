"""Requests data for pages from the connector, which reads both Vaults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.protocol.error_types import ErrorType
from shared.vault.connections import AWAY
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.connections.connector_link import ConnectorLink

# For so long a picture of the other Vaults is shown to all who look.
CACHE_SECONDS = 5.0
# A look takes no longer, however many wait for the same answer.
LOOK_SECONDS = 5.0
SOURCE_SESSION = "X-Source-Authorization"
NOT_SET = "This Vault has no address of its connector: set VAULT_CONNECTOR_URL"


@dataclass(frozen=True, slots=True)
class PageSessions:
    """The session ids of a page's user: in this Vault, and in the source Vault, empty when there is none."""

    own: str
    source: str = ""


class ConnectorQuestions:
    """Requests data about this Vault from one connector, which checks the rights of the sessions."""

    def __init__(self, url: str | None, vault_id: int) -> None:
        """Store the connector's address; None when it is not configured."""
        self._url = url
        self._vault_id = vault_id
        self._link: ConnectorLink | None = None
        self._looking = asyncio.Lock()
        self._cached: Mapping[str, Any] | None = None
        self._cached_at = 0.0

    async def ask(
        self,
        question: str,
        *names: str,
        sessions: PageSessions,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
    ) -> Any:
        """Return the data of the connector's answer to ``question`` (for example ``readiness``) about the named object.

        The request is a POST with ``json``, a GET when that is None.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the connector's address is not configured, UNEXPECTED_ERROR when
            it cannot be reached, else the fault with which it refuses.
        """
        if not self._url:
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, NOT_SET)
        if self._link is None:
            self._link = _link(self._url)
        parts = [question, str(self._vault_id), *names]
        path = "/".join(quote(part, safe="") for part in parts)
        headers = {SOURCE_SESSION: sessions.source} if sessions.source else {}
        return await self._link.send(
            question,
            f"/{path}",
            sessions.own,
            json=json,
            headers=headers,
            params=params,
        )

    async def traffic(self, sessions: PageSessions) -> Mapping[str, Any]:
        """Return the connector's data on the other Vaults' queues, at most 5 seconds old.

        All users share one answer; the caller of this function checks their rights.

        :raises VaultFault: as ``ask`` does; UNEXPECTED_ERROR also when there is no answer in time.
        """
        try:
            async with asyncio.timeout(LOOK_SECONDS), self._looking:
                now = time.monotonic()
                if self._cached is None or now - self._cached_at >= CACHE_SECONDS:
                    self._cached = await self.ask("traffic", sessions=sessions)
                    self._cached_at = now
                return self._cached
        except TimeoutError:
            raise VaultFault(ErrorType.UNEXPECTED_ERROR, AWAY) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._link is not None:
            await self._link.close()


def _link(url: str) -> ConnectorLink:
    """Return the link to the connector; the client is imported only here, as that takes a tenth of a Vault's start."""
    from shared.vault.connections.connector_link import ConnectorLink  # noqa: PLC0415

    return ConnectorLink(url)
