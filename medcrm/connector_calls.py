"""Makes the calls of a connector, with sessions of the Vaults that it connects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from medcrm.console_session import Account, addressed, reaching, signed_in
from shared.client.results import LatestRevision, Row, mapping, rows_of
from shared.client.transport import Request, Transport, path_part

OPTION = "--connector"
# A preview is stopped after a minute.
TIMEOUT_SECONDS = 90.0

ConnectorUrl = Annotated[
    str,
    typer.Option(OPTION, envvar="MEDCRM_CONNECTOR", help="Address of the connector."),
]
VaultName = Annotated[
    str,
    typer.Option(
        "--vault",
        envvar="MEDCRM_VAULT",
        help="Name of the Vault in the connector's CONNECTOR_VAULTS.",
    ),
]
MEDICAL = "medical"


class Connector:
    """The connector at an address, for calls about one of its Vaults."""

    def __init__(
        self,
        transport: Transport,
        vault: str,
        session: str,
        source_session: str | None,
    ) -> None:
        """Take the Vault's name, a session there and, for calls that read source records, one of the source Vault."""
        self._transport = transport
        self._vault = path_part(vault)
        self._session = session
        self._headers: dict[str, str] = {}
        if source_session is not None:
            self._headers["X-Source-Authorization"] = source_session

    async def readiness(self, connection: str) -> Row:
        """Return what still keeps a connection from working: ``ready``, and ``findings`` in the order of correction."""
        path = f"/readiness/{self._vault}/{path_part(connection)}"
        answer = await self._send(Request("readiness", "GET", path))
        return mapping(answer.get("data"), "data")

    async def preview(self, question: Mapping[str, object]) -> list[Row]:
        """Return the result that a transfer would have for each record of the question."""
        path = f"/previews/{self._vault}"
        request = Request("preview", "POST", path, json=question, headers=self._headers)
        return rows_of((await self._send(request)).get("data"), "data")

    async def missing_lookups(
        self, connection: str, params: Mapping[str, str]
    ) -> list[Row]:
        """Return the source keys that lookups of a connection lack, with the number of records of each."""
        path = f"/missing-lookups/{self._vault}/{path_part(connection)}"
        request = Request(
            "missing_lookups", "GET", path, headers=self._headers, params=params
        )
        data = mapping((await self._send(request)).get("data"), "data")
        return rows_of(data.get("missing_lookups"), "missing_lookups")

    async def _send(self, request: Request) -> Row:
        return await self._transport.send(request, self._session)


@asynccontextmanager
async def connector_at(
    url: str, vault: str, who: Account, source: Account | None = None
) -> AsyncIterator[Connector]:
    """Yield the connector, with sessions of ``who`` at its Vault and, if set, of ``source`` at the source Vault."""
    async with signed_in(who) as client:
        session = await client.session_id()
        if source is None:
            async with _connector(url, vault, session) as connector:
                yield connector
            return
        async with signed_in(source) as source_client:
            source_session = await source_client.session_id()
            async with _connector(url, vault, session, source_session) as connector:
                yield connector


@asynccontextmanager
async def _connector(
    url: str, vault: str, session: str, source_session: str | None = None
) -> AsyncIterator[Connector]:
    with addressed(OPTION):
        transport = Transport(url, "medcrm", TIMEOUT_SECONDS, 1, LatestRevision())
    with reaching(url, OPTION):
        try:
            yield Connector(transport, vault, session, source_session)
        finally:
            await transport.close()
