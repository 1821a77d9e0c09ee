"""Declares the calls by which a transfer reads and writes records, so that a preview can replace the Vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.client.results import QueryResult, Row, RowResult


class RecordReads(Protocol):
    """The reads of a Vault; every call may raise ``ClientError``."""

    @property
    def vault_id(self) -> int:
        """Return the Vault's id."""
        ...

    async def query(
        self,
        vql: str,
        *,
        describe: bool = False,
    ) -> QueryResult:
        """Run a query and return the rows of all its pages."""
        ...


class SameAnswers:
    """Runs each query of one plan once, and returns the same answer when it is asked again."""

    def __init__(self, reads: RecordReads) -> None:
        self._reads = reads
        self._answers: dict[tuple[str, bool], QueryResult] = {}

    @property
    def vault_id(self) -> int:
        """Return the Vault's id."""
        return self._reads.vault_id

    async def query(
        self,
        vql: str,
        *,
        describe: bool = False,
    ) -> QueryResult:
        """Return the answer to a query, of a call only the first time.

        :raises ClientError: the call fails.
        """
        asked = (vql, describe)
        if asked not in self._answers:
            self._answers[asked] = await self._reads.query(vql, describe=describe)
        return self._answers[asked]


class ChangeReads(RecordReads, Protocol):
    """The reads that find the changes of a Vault's records; every call may raise ``ClientError``."""

    async def deletions(
        self,
        object: str,
        start: str,
        end: str,
        *,
        limit: int,
        offset: int,
    ) -> list[Row]:
        """Return a page of an object's deletions between two moments, the earliest first."""
        ...


class RecordAccess(RecordReads, Protocol):
    """A ``VaultClient``, or a replacement that only records the writes.

    Every call may raise ``ClientError``. Results are in the order of the rows.
    """

    async def update(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
        unchanged: bool = False,
    ) -> list[RowResult]:
        """Update records found by ``id``, or by the unique field ``id_param``; return a result for each row.

        ``lineage`` is the common lineage of the rows with ``lineage__sys``. With ``unchanged``, rows may also name
        fields that only the Vault sets, with the values that were read; a row is refused if its record has other
        values now.
        """
        ...

    async def upsert(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Create or update records by the unique field ``id_param``; return a result for each row."""
        ...

    async def create(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Create records; return a result for each row."""
        ...

    async def create_documents(
        self,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
    ) -> list[RowResult]:
        """Create documents without files, unless one has the row's ``id_param`` value; return a result for each row."""
        ...

    async def update_documents(
        self,
        rows: Sequence[Mapping[str, object]],
    ) -> list[RowResult]:
        """Change the latest versions of documents found by ``id``; return a result for each row."""
        ...


class OriginReads(Protocol):
    """The call that returns which fields of a record transfers have set; it may raise ``ClientError``."""

    async def origins(self, object: str, record: str) -> list[Row]:
        """Return fields of a record that transfers have set; ``changed_since`` is set in those that changed since."""
        ...


class ComparedRecords(RecordAccess, OriginReads, Protocol):
    """A Vault whose records are compared with what a transfer would write."""
