"""Asks the connector, which reads both Vaults, for data that a page shows to a visitor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shared.client.errors import VaultRefused, VaultUnavailable
from shared.client.results import SeenRevision
from shared.client.transport import Request, Transport
from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

CLIENT_ID = "vault-pages"
# An answer takes the connector a minute at most.
SECONDS = 65.0
AT_ONCE = 8
# For so long a picture of the other Vaults is shown to all who look.
SEEN_SECONDS = 5.0
# A look takes no longer, however many wait for the same answer.
LOOK_SECONDS = 5.0
SOURCE_SESSION = "X-Source-Authorization"
NOT_SET = "This Vault does not know where its connector is: set VAULT_CONNECTOR_URL"
AWAY = (
    "The connector does not answer, or a Vault is away; look whether both run, and try again"
    " in a minute"
)


@dataclass(frozen=True, slots=True)
class AskerSessions:
    """A visitor's sessions: of this Vault, and of the source Vault, empty without one."""

    own: str
    source: str = ""


class ConnectorQuestions:
    """Asks one connector about this Vault; the connector checks the sessions' rights."""

    def __init__(self, url: str | None, vault_id: int) -> None:
        """Take the connector's address, None when it is not known.

        :raises ValueError: it is no http or https address.
        """
        self._vault_id = vault_id
        self._transport: Transport | None = None
        self._looking = asyncio.Lock()
        self._seen: Mapping[str, Any] | None = None
        self._seen_at = 0.0
        if url:
            self._transport = Transport(
                url, CLIENT_ID, SECONDS, AT_ONCE, SeenRevision()
            )

    async def ask(
        self,
        question: str,
        *names: str,
        sessions: AskerSessions,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
    ) -> Any:
        """Return the data of the connector's answer to ``question``, for example ``readiness`` of a connection's name.

        With ``json`` it is posted.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the connector's address is not known, UNEXPECTED_ERROR when it is
            away, else whatever it refused.
        """
        if self._transport is None:
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, NOT_SET)
        parts = [question, str(self._vault_id), *names]
        path = "/".join(quote(part, safe="") for part in parts)
        headers = {SOURCE_SESSION: sessions.source} if sessions.source else {}
        request = Request(
            call=question,
            method="GET" if json is None else "POST",
            path=f"/{path}",
            json=json,
            headers=headers,
            params=params or {},
        )
        try:
            answer = await self._transport.send(request, sessions.own)
        except VaultRefused as refused:
            raise _fault(refused) from None
        except VaultUnavailable:
            raise VaultFault(ErrorType.UNEXPECTED_ERROR, AWAY) from None
        return answer.get("data")

    async def traffic(self, sessions: AskerSessions) -> Mapping[str, Any]:
        """Return the connector's data on the other Vaults' queues, at most 5 seconds old.

        One answer is shared by all visitors; the caller checks their rights.

        :raises VaultFault: as ``ask``.
        """
        try:
            async with asyncio.timeout(LOOK_SECONDS), self._looking:
                now = time.monotonic()
                if self._seen is None or now - self._seen_at >= SEEN_SECONDS:
                    self._seen = await self.ask("traffic", sessions=sessions)
                    self._seen_at = now
                return self._seen
        except TimeoutError:
            raise VaultFault(ErrorType.UNEXPECTED_ERROR, AWAY) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.close()


def _fault(refused: VaultRefused) -> VaultFault:
    """Return the fault of this Vault for an error of the connector."""
    # A type that this version does not know, or an answer that is none, is the connector's fault.
    known = {each.value: each for each in ErrorType}
    error_type = known.get(refused.type, ErrorType.UNEXPECTED_ERROR)
    # The asker's session of this Vault was live when they asked: it is the other one that is not.
    if error_type is ErrorType.INVALID_SESSION_ID:
        error_type = ErrorType.INSUFFICIENT_ACCESS
    return VaultFault(error_type, refused.message)
