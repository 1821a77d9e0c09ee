"""Reading documents as VQL shows them: one, its versions, and pages of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import version_id
from shared.vault.errors import VaultFault
from shared.vault.queries.document_target import document_target

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.queries.queries import QueryPage, QueryService

MAX_VERSIONS = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents of a list: with a search phrase and its scope, all versions or the latest, one's own or all."""

    search: str | None = None
    scope: str = "PROPERTIES"
    every_version: bool = False
    own: bool = False
    start: int = 0
    limit: int = 200


class DocumentReader:
    """Documents for those who may read them."""

    def __init__(self, documents: DocumentService, queries: QueryService) -> None:
        self._documents = documents
        self._queries = queries

    async def page(
        self, caller: Caller, version_path: str, wanted: Wanted
    ) -> QueryPage:
        """A page of documents, in the order of their ids; raises VaultFault."""
        relation = "ALLVERSIONS documents" if wanted.every_version else "documents"
        where = f" WHERE created_by__v = {caller.user_id}" if wanted.own else ""
        find = (
            f" FIND ('{_phrase(wanted.search)}' SCOPE {wanted.scope})"
            if wanted.search
            else ""
        )
        order = "ORDER BY id, major_version_number__v, minor_version_number__v"
        page = f"PAGESIZE {wanted.limit} PAGEOFFSET {wanted.start}"
        return await self._query(
            caller, version_path, f"FROM {relation}{find}{where} {order} {page}"
        )

    async def one(
        self, caller: Caller, version_path: str, place: Place
    ) -> dict[str, Any]:
        """A version with all its fields, the latest where none is named; raises VaultFault."""
        if place.number is None:
            tail = f"FROM documents WHERE id = {place.document_id}"
        else:
            tail = f"FROM ALLVERSIONS documents WHERE version_id = '{version_id(place.document_id, place.number)}'"
        page = await self._query(caller, version_path, tail)
        if not page.rows:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "There is no document, or no version of it, with this number",
            )
        row: dict[str, Any] = page.rows[0]
        return row

    async def numbers(
        self, caller: Caller, version_path: str, document_id: int
    ) -> list[tuple[int, int]]:
        """The numbers of a document's versions, the earliest first; raises VaultFault when there is none."""
        self._documents.model(caller, Operation.READ)
        order = "ORDER BY major_version_number__v, minor_version_number__v"
        fields = "SELECT major_version_number__v, minor_version_number__v FROM ALLVERSIONS documents"
        text = f"{fields} WHERE id = {document_id} {order} PAGESIZE {MAX_VERSIONS}"
        page = await self._queries.run(caller, text, version_path=version_path)
        if not page.rows:
            raise VaultFault(
                ErrorType.INVALID_DATA, "There is no document with this id"
            )
        return [
            (row["major_version_number__v"], row["minor_version_number__v"])
            for row in page.rows
        ]

    async def _query(self, caller: Caller, version_path: str, tail: str) -> QueryPage:
        model, _ = self._documents.model(caller, Operation.READ)
        target = document_target(model)
        fields = (
            []
            if target is None
            else [field.name for field in target.object.fields.values() if field.active]
        )
        return await self._queries.run(
            caller, f"SELECT {', '.join(fields)} {tail}", version_path=version_path
        )


def _phrase(text: str) -> str:
    """A search phrase as the inside of a string of VQL."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
