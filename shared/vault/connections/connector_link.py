"""Sends the questions of a Vault's pages to the connector, and says what it refuses as this Vault would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.client.errors import VaultRefused, VaultUnavailable
from shared.client.results import LatestRevision
from shared.client.transport import Request, Transport
from shared.protocol.error_types import ErrorType
from shared.vault.connections import AWAY
from shared.vault.errors import VaultFault

CLIENT_ID = "vault-pages"
# An answer takes the connector a minute at most.
SECONDS = 65.0
AT_ONCE = 8


class ConnectorLink:
    """The connections to one connector, which are opened as they are needed."""

    def __init__(self, url: str) -> None:
        """Take the connector's address.

        :raises ValueError: it is no http or https address.
        """
        self._transport = Transport(url, CLIENT_ID, SECONDS, AT_ONCE, LatestRevision())

    async def send(
        self,
        question: str,
        path: str,
        session_id: str,
        *,
        json: object | None,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None,
    ) -> Any:
        """Return the data of the connector's answer to a question; with ``json`` it is posted.

        :raises VaultFault: UNEXPECTED_ERROR when the connector is away, else whatever it refused.
        """
        request = Request(
            call=question,
            method="GET" if json is None else "POST",
            path=path,
            json=json,
            headers=headers,
            params=params or {},
        )
        try:
            answer = await self._transport.send(request, session_id)
        except VaultRefused as refused:
            raise _fault(refused) from None
        except VaultUnavailable:
            raise VaultFault(ErrorType.UNEXPECTED_ERROR, AWAY) from None
        return answer.get("data")

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()


def _fault(refused: VaultRefused) -> VaultFault:
    """Return what the connector refused, as this Vault would say it."""
    # A type that this version does not know, or an answer that is none, is the connector's fault.
    known = {each.value: each for each in ErrorType}
    error_type = known.get(refused.type, ErrorType.UNEXPECTED_ERROR)
    # The asker's session of this Vault was live when they asked: it is the other one that is not.
    if error_type is ErrorType.INVALID_SESSION_ID:
        error_type = ErrorType.INSUFFICIENT_ACCESS
    return VaultFault(error_type, refused.message)
