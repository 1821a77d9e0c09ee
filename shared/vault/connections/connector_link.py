"""Sends the requests of a Vault's pages to the connector, and converts its refusals to faults of this Vault."""

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
    """The HTTP connections to one connector, which are opened when they are needed."""

    def __init__(self, url: str) -> None:
        """Store the connector's address.

        :raises ValueError: when it is not an http or https address.
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
        """Return the data of the connector's answer to a request: a POST with ``json``, a GET when that is None.

        :raises VaultFault: UNEXPECTED_ERROR when the connector cannot be reached, else the fault with which it refuses.
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
    """Return the fault of this Vault for a request that the connector has refused."""
    # A type that this version does not know, or an answer that is none, is the connector's fault.
    known = {each.value: each for each in ErrorType}
    error_type = known.get(refused.type, ErrorType.UNEXPECTED_ERROR)
    # The asker's session of this Vault was live when they asked: it is the other one that is not.
    if error_type is ErrorType.INVALID_SESSION_ID:
        error_type = ErrorType.INSUFFICIENT_ACCESS
    return VaultFault(error_type, refused.message)
