"""Names the calls by which a transfer reads and writes records, so that something other than a Vault can take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.client.results import QueryResult, RowResult


class RecordAccess(Protocol):
    """A VaultClient, or something in its place that only notes what would be written.

    Every call raises ClientError alike. Results of rows are in the order of the rows.
    """

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

    async def update(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Update records found by ``id``, or by the unique field ``id_param``; return one result a row.

        ``lineage`` is what the rows with ``lineage__sys`` have in common.
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
        """Create or update records by the unique field ``id_param``; return one result a row."""
        ...

    async def create_documents(
        self,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
    ) -> list[RowResult]:
        """Create documents without files, where none has the row's ``id_param`` yet; return one result a row."""
        ...

    async def update_documents(
        self,
        rows: Sequence[Mapping[str, object]],
    ) -> list[RowResult]:
        """Change the latest versions of documents found by ``id``; return one result a row."""
        ...
