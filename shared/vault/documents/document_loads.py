"""Writes the loader's rows of documents, and of their versions, renditions, relationships, roles and attachments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.documents.document_batches import Source
from shared.vault.documents.document_numbers import require_migration
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS as OF_DOCUMENTS
from shared.vault.records.record_roles import RoleChange
from shared.vault.records.rows import RowResult

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.attachments.attachment_rows import BatchRow
    from shared.vault.documents.document_attachments import DocumentAttachmentBatches
    from shared.vault.documents.document_batches import DocumentBatches
    from shared.vault.documents.document_relationships import DocumentRelationships
    from shared.vault.documents.document_role_service import DocumentRoles
    from shared.vault.documents.version_batches import VersionBatches, VersionResult

DOCUMENTS, VERSIONS = "documents__v", "document_versions__v"
RENDITIONS, ROLES = "document_renditions__v", "document_roles__v"
RELATIONSHIPS = "document_relationships__v"
ATTACHMENTS = "document_attachments__v"
CREATE, UPDATE, DELETE = "create", "update", "delete"
# Kinds whose results are logged after they were written: one by one, as documents are deleted, too, or, attachments,
# in a transaction without results of records.
LOGGED_AFTERWARDS = frozenset({VERSIONS, RENDITIONS, ATTACHMENTS})

Write = Callable[["Caller", Source, str | None], Awaitable[list[RowResult]]]
AttachmentWrite = Callable[
    ["Caller", str, Source, str | None], Awaitable[list["BatchRow"]]
]
VersionWrite = Callable[
    ["Caller", Source, str | None], Awaitable[list["VersionResult"]]
]


class DocumentLoads:
    """Loads documents by the services that the calls of the API use."""

    def __init__(
        self,
        batches: DocumentBatches,
        versions: VersionBatches,
        relationships: DocumentRelationships,
        roles: DocumentRoles,
        attachments: DocumentAttachmentBatches,
    ) -> None:
        self._batches = batches
        self._relationships = relationships
        self._roles = roles
        self._writes: Mapping[tuple[str, str], Write] = {
            (DOCUMENTS, CREATE): batches.create,
            (DOCUMENTS, UPDATE): batches.update,
            (DOCUMENTS, DELETE): batches.delete,
            (VERSIONS, CREATE): _as_rows(versions.create),
            (VERSIONS, DELETE): _as_rows(versions.delete),
            (RENDITIONS, CREATE): _as_rows(versions.add_renditions),
            (RENDITIONS, DELETE): _as_rows(versions.delete_renditions),
            (RELATIONSHIPS, CREATE): self._relate,
            (RELATIONSHIPS, DELETE): self._part,
            (ROLES, CREATE): self._assign,
            (ROLES, DELETE): self._remove,
            (ATTACHMENTS, CREATE): _of_attachments(attachments.create),
            (ATTACHMENTS, UPDATE): _of_attachments(attachments.describe),
            (ATTACHMENTS, DELETE): _of_attachments(attachments.delete),
        }
        # Renditions are added in migration mode as they are without it.
        self._migrations: Mapping[tuple[str, str], Write] = {
            (DOCUMENTS, CREATE): self._migrate,
            (VERSIONS, CREATE): _as_rows(versions.migrate),
            (RENDITIONS, CREATE): _as_rows(versions.add_renditions),
        }

    def in_one_unit(self, kind: str, action: str) -> bool:
        """Return whether the rows of a load call are written in one transaction, which stores their results as well."""
        return kind not in LOGGED_AFTERWARDS and (kind, action) != (DOCUMENTS, DELETE)

    async def load(
        self,
        caller: Caller,
        kind: str,
        action: str,
        rows: Source,
        id_param: str | None,
        *,
        migration: bool = False,
    ) -> list[RowResult]:
        """Write up to 500 rows, and return the result of each; rows name documents by ``id`` or by ``id_param``.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not write them, or not in migration mode;
            INVALID_DATA for a key that is no text field; OPERATION_NOT_ALLOWED for an action that the kind does not
            have.
        """
        require_migration(caller, migration=migration)
        writes = self._migrations if migration else self._writes
        write = writes.get((kind, action))
        if write is None:
            message = f"A load of [{kind[:100]}] has no action [{action[:100]}]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        return await write(caller, rows, id_param)

    async def _migrate(
        self, caller: Caller, rows: Source, id_param: str | None
    ) -> list[RowResult]:
        return await self._batches.create(caller, rows, id_param, migration=True)

    # Rows of relationships and of roles name documents by their ids alone.

    async def _relate(
        self, caller: Caller, rows: Source, _: str | None
    ) -> list[RowResult]:
        return await self._relationships.create(caller, rows)

    async def _part(
        self, caller: Caller, rows: Source, _: str | None
    ) -> list[RowResult]:
        return await self._relationships.delete(caller, rows)

    async def _assign(
        self, caller: Caller, rows: Source, _: str | None
    ) -> list[RowResult]:
        return await self._roles.change(caller, rows, RoleChange.ADD)

    async def _remove(
        self, caller: Caller, rows: Source, _: str | None
    ) -> list[RowResult]:
        return await self._roles.change(caller, rows, RoleChange.REMOVE)


def _as_rows(write: VersionWrite) -> Write:
    """Return a function that calls ``write``, which writes versions, and converts its results to row results."""

    async def written(
        caller: Caller, rows: Source, id_param: str | None
    ) -> list[RowResult]:
        results = await write(caller, rows, id_param)
        return [_row_result(result) for result in results]

    return written


def _of_attachments(write: AttachmentWrite) -> Write:
    """Return a function that calls ``write``, which writes attachments, and converts its results to row results."""

    async def written(
        caller: Caller, rows: Source, id_param: str | None
    ) -> list[RowResult]:
        results = await write(caller, OF_DOCUMENTS, rows, id_param)
        return [_attachment_result(result) for result in results]

    return written


def _attachment_result(row: BatchRow) -> RowResult:
    """Return the result of a row that concerns an attachment as a ``RowResult``."""
    named = None if row.attachment_id is None else str(row.attachment_id)
    return RowResult(id=named, errors=tuple(row.errors))


def _row_result(result: VersionResult) -> RowResult:
    """Return the result of a row that concerns a version as a ``RowResult``."""
    named = None if result.document_id is None else str(result.document_id)
    errors = () if result.error is None else (result.error,)
    return RowResult(id=named, errors=errors)
