"""Reads documents in the format of VQL: one version, the numbers of all versions, and pages of many documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import MAJOR, MINOR, Number, version_id
from shared.vault.errors import VaultFault
from shared.vault.queries.document_target import document_target

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.queries.queries import QueryPage, QueryService

MAX_VERSIONS = 1000
# A document's owner is a role: here its answer would be users and groups, where a query has a number.
OWNER = "owner__v"


@dataclass(frozen=True, slots=True)
class DocumentList:
    """The requested list of documents: those that contain a phrase, every version or the latest, own documents or all.

    ``scope`` is a scope of VQL's ``FIND … SCOPE``.
    """

    search: str | None = None
    scope: str = "PROPERTIES"
    every_version: bool = False
    own: bool = False
    start: int = 0
    limit: int = 200


class DocumentReader:
    """Reads documents for callers who may read them, with the same queries that they could run."""

    def __init__(
        self,
        documents: DocumentService,
        queries: QueryService,
    ) -> None:
        self._documents = documents
        self._queries = queries

    async def page(
        self,
        caller: Caller,
        version_path: str,
        wanted: DocumentList,
    ) -> QueryPage:
        """Return a page of documents, in the order of their ids.

        :raises VaultFault: as ``QueryService.run`` does.
        """
        relation = "ALLVERSIONS documents" if wanted.every_version else "documents"
        find = ""
        if wanted.search:
            find = f" FIND ('{_phrase(wanted.search)}' SCOPE {wanted.scope})"
        where = f" WHERE created_by__v = {caller.user_id}" if wanted.own else ""
        order = f"ORDER BY id, {MAJOR}, {MINOR}"
        page = f"PAGESIZE {wanted.limit} PAGEOFFSET {wanted.start}"
        tail = f"FROM {relation}{find}{where} {order} {page}"
        return await self._query(caller, version_path, tail)

    async def one(
        self,
        caller: Caller,
        version_path: str,
        place: Place,
    ) -> dict[str, Any]:
        """Return a version with all its fields; the latest version when ``place`` has no number.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version.
        """
        if place.number is None:
            tail = f"FROM documents WHERE id = {place.document_id}"
        else:
            version = version_id(place.document_id, place.number)
            tail = f"FROM ALLVERSIONS documents WHERE version_id = '{version}'"
        page = await self._query(caller, version_path, tail)
        if not page.rows:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "There is no document, or no version of it, with this number",
            )
        row: dict[str, Any] = page.rows[0]
        return row

    async def numbers(
        self,
        caller: Caller,
        version_path: str,
        document_id: int,
    ) -> list[tuple[int, int]]:
        """Return the numbers of a document's versions, the earliest first.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document.
        """
        self._documents.model(caller, Operation.READ)
        fields = f"SELECT {MAJOR}, {MINOR} FROM ALLVERSIONS documents"
        order = f"ORDER BY {MAJOR}, {MINOR}"
        text = f"{fields} WHERE id = {document_id} {order} PAGESIZE {MAX_VERSIONS}"
        page = await self._queries.run(caller, text, version_path=version_path)
        if not page.rows:
            raise VaultFault(
                ErrorType.INVALID_DATA, "There is no document with this id"
            )
        return [(row[MAJOR], row[MINOR]) for row in page.rows]

    async def latest_steady(
        self,
        caller: Caller,
        version_path: str,
        document_id: int,
    ) -> Place:
        """Return the highest version of a document that is in a steady state.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when no version is.
        """
        self._documents.model(caller, Operation.READ)
        fields = f"SELECT {MAJOR}, {MINOR} FROM ALLVERSIONS documents"
        where = f"WHERE id = {document_id} AND status__v = STEADYSTATE()"
        order = f"ORDER BY {MAJOR} DESC, {MINOR} DESC"
        text = f"{fields} {where} {order} PAGESIZE 1"
        page = await self._queries.run(caller, text, version_path=version_path)
        if not page.rows:
            message = (
                "There is no document with this id that has a version in a steady state"
            )
            raise VaultFault(ErrorType.INVALID_DATA, message)
        row = page.rows[0]
        return Place(document_id, Number(row[MAJOR], row[MINOR]))

    async def _query(
        self,
        caller: Caller,
        version_path: str,
        tail: str,
    ) -> QueryPage:
        """Run a query that selects every active field of documents."""
        model, _ = self._documents.model(caller, Operation.READ)
        target = document_target(model)
        fields = [] if target is None else target.object.fields.values()
        names = ", ".join(
            field.name for field in fields if field.active and field.name != OWNER
        )
        text = f"SELECT {names} {tail}"
        return await self._queries.run(caller, text, version_path=version_path)


def _phrase(text: str) -> str:
    """Return a search phrase escaped for a string in VQL, without the quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
