"""Reads Vaults for an answer as far as the person who asks may read the same, in sessions of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from fastapi import Request

from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import QueryResult, Row
from shared.protocol.error_types import ErrorType

SOURCE_SESSION = "X-Source-Authorization"
"""The header with the asker's session of the Vault whose records an answer shows."""

_SHUT_OUT = frozenset({ErrorType.INSUFFICIENT_ACCESS, ErrorType.INVALID_SESSION_ID})


class NotReadable(Exception):
    """Raised when the asker may not read what an answer would be made of; ``type`` is an error type of the API."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message)
        self.type = type


class SeenReads:
    """The reads of one Vault, each made by the asker first.

    An answer is found with the rights of the connection's user, who transfers; it is shown to those whom the Vault
    lets read all that it is made of. Not only values count: what becomes of a record tells of them too.
    """

    def __init__(self, vault: VaultClient, asker: VaultClient) -> None:
        """Take the Vault as the connector reads it, and as the asker does."""
        self._vault = vault
        self._asker = asker

    @property
    def vault_id(self) -> int:
        """Return the Vault's id."""
        return self._vault.vault_id

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """Run a query.

        :raises NotReadable: the asker may not run it.
        """
        with self._refusals():
            await self._asker.query(vql)
        return await self._vault.query(vql, describe=describe)

    async def deletions(
        self,
        object: str,
        start: str,
        end: str,
        *,
        limit: int,
        offset: int,
    ) -> list[Row]:
        """Return a page of an object's deletions between two moments, the earliest first.

        :raises NotReadable: the asker may not list them.
        """
        with self._refusals():
            await self._asker.deletions(object, start, end, limit=1, offset=0)
        return await self._vault.deletions(
            object,
            start,
            end,
            limit=limit,
            offset=offset,
        )

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Convert refusals of a call that the asker may not make.

        :raises NotReadable: the block raises such a refusal.
        """
        try:
            yield
        except VaultRefused as refused:
            if refused.type not in _SHUT_OUT:
                raise
            message = f"In Vault {self.vault_id} you may not read what this shows: {refused.message}"
            raise NotReadable(refused.type, message) from None


@dataclass(frozen=True, slots=True)
class Asker:
    """A person's sessions: of the Vault that they ask about, and of the one that it takes records from, or empty."""

    session: str
    source_session: str

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the asker of a request."""
        headers = request.headers
        return cls(headers.get("authorization", ""), headers.get(SOURCE_SESSION, ""))

    def own(self, vault: VaultClient) -> SeenReads:
        """Return the reads of the Vault that the asker asks about."""
        return SeenReads(vault, vault.for_session(self.session))

    def source(self, vault: VaultClient) -> SeenReads:
        """Return the reads of the Vault that it takes records from.

        :raises NotReadable: the asker has sent no session of it.
        """
        if not self.source_session:
            message = (
                f"This shows records of Vault {vault.vault_id}: send a session of yours there in the header "
                f"{SOURCE_SESSION}"
            )
            raise NotReadable(ErrorType.INSUFFICIENT_ACCESS, message)
        return SeenReads(vault, vault.for_session(self.source_session))
