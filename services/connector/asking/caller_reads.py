"""Repeats the reads for an answer in the caller's sessions, so that it contains only what the caller may read."""

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
"""The header with the caller's session of the Vault whose records an answer shows."""

_NOT_READABLE = frozenset({ErrorType.INSUFFICIENT_ACCESS, ErrorType.INVALID_SESSION_ID})


class NotReadable(Exception):
    """Raised when the caller may not read the data of an answer; ``type`` is an error type of the API."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message)
        self.type = type


class CallerReads:
    """The reads of one Vault, each first carried out in the caller's session.

    An answer is computed with the rights of the connection's user, and returned only to a caller to whom the Vault
    grants every read that it needs: the outcome of a transfer reveals something of a record even without its values.
    """

    def __init__(self, vault: VaultClient, caller: VaultClient) -> None:
        """Take the Vault in the connector's session, and in the caller's."""
        self._vault = vault
        self._caller = caller

    @property
    def vault_id(self) -> int:
        """Return the Vault's id."""
        return self._vault.vault_id

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """Run a query.

        :raises NotReadable: the caller may not run it.
        """
        with self._refusals():
            await self._caller.query(vql)
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

        :raises NotReadable: the caller may not list them.
        """
        with self._refusals():
            await self._caller.deletions(object, start, end, limit=1, offset=0)
        return await self._vault.deletions(
            object,
            start,
            end,
            limit=limit,
            offset=offset,
        )

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Convert the Vault's refusals of a call in the caller's session.

        :raises NotReadable: a call in the block is refused because the caller lacks a right or a session.
        """
        try:
            yield
        except VaultRefused as refused:
            if refused.type not in _NOT_READABLE:
                raise
            message = f"In Vault {self.vault_id} you may not read what this shows: {refused.message}"
            raise NotReadable(refused.type, message) from None


@dataclass(frozen=True, slots=True)
class CallerSessions:
    """The caller's session ids: of the Vault that a question is about, and of its source Vault (empty if not sent)."""

    session: str
    source_session: str

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the sessions in a request's headers."""
        headers = request.headers
        return cls(headers.get("authorization", ""), headers.get(SOURCE_SESSION, ""))

    def own(self, vault: VaultClient) -> CallerReads:
        """Return access to the Vault that the question is about, for what the caller may read."""
        return CallerReads(vault, vault.for_session(self.session))

    def source(self, vault: VaultClient) -> CallerReads:
        """Return access to the source Vault, for what the caller may read.

        :raises NotReadable: the caller has sent no session of that Vault.
        """
        if not self.source_session:
            message = (
                f"This shows records of Vault {vault.vault_id}: send a session of yours there in the header "
                f"{SOURCE_SESSION}"
            )
            raise NotReadable(ErrorType.INSUFFICIENT_ACCESS, message)
        return CallerReads(vault, vault.for_session(self.source_session))
