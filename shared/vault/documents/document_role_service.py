"""Carries out the role calls of documents: reads the users and groups of a role, and adds and removes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Operation
from shared.vault.components.document_model import VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_batches import require_size
from shared.vault.documents.document_keys import MAX_ID
from shared.vault.documents.document_role_rules import audit_role_edits
from shared.vault.documents.document_store import Place
from shared.vault.errors import RowErrors, VaultFault
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.records.record_roles import (
    STORED,
    Assignments,
    Holder,
    RoleChange,
    RoleColumns,
    change_roles,
    read_roles,
    roles_of,
    split_roles,
)
from shared.vault.records.rows import RowResult

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.record_writes import Source
    from shared.vault.storage.database import Connection, Database

OWNER = "owner__v"
CREATOR = f"SELECT created_by__v FROM {store.VERSION_TABLE} WHERE id = $1"
# Whom a role may be assigned to.
AVAILABLE = {
    Holder.USERS: "SELECT user_id AS id FROM platform.credential WHERE active ORDER BY user_id",
    Holder.GROUPS: "SELECT id FROM platform.user_group WHERE active ORDER BY id",
}
STANDARD_LABELS = {OWNER: "Owner", "editor__v": "Editor", "viewer__v": "Viewer"}


@dataclass(frozen=True, slots=True)
class DocumentRole:
    """A role on a document: the ids of the users and groups that have it, and of those to whom it may be assigned."""

    name: str
    label: str
    assigned: Mapping[Holder, Sequence[int]]
    available: Mapping[Holder, Sequence[int]]


@dataclass(slots=True)
class _Row(RowErrors):
    """A row that changes roles: the id of its document, 0 without one, and its role columns."""

    document_id: int
    columns: RoleColumns


class DocumentRoles:
    """Carries out the role calls of documents; the owner of a document is always the user who created it."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        documents: DocumentService,
        records: RecordService,
    ) -> None:
        self._database = database
        self._components = components
        self._documents = documents
        self._records = records

    async def all(self, caller: Caller, document_id: int) -> list[DocumentRole]:
        """Return all roles on a document, including those without users or groups.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            version = await store.find(connection, Place(document_id))
            creator = await connection.fetchval(CREATOR, version)
            rows = await connection.fetch(STORED, DOCUMENTS, [str(document_id)])
            available = {
                holder: [row["id"] for row in await connection.fetch(sql)]
                for holder, sql in AVAILABLE.items()
            }
        stored = {
            row["role"]: {holder: row[holder] or [] for holder in Holder}
            for row in rows
        }
        stored[OWNER] = {Holder.USERS: [creator], Holder.GROUPS: []}
        nobody: dict[Holder, list[int]] = {holder: [] for holder in Holder}
        labels = _labels(self._components.registry)
        return [
            DocumentRole(name, label, stored.get(name, nobody), available)
            for name, label in sorted(labels.items())
        ]

    async def one(self, caller: Caller, document_id: int, name: str) -> DocumentRole:
        """Return one role on a document.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document or role.
        """
        for role in await self.all(caller, document_id):
            if role.name == name:
                return role
        raise VaultFault(ErrorType.INVALID_DATA, f"There is no role [{name[:100]}]")

    async def change(
        self,
        caller: Caller,
        rows: Source,
        change: RoleChange,
    ) -> list[RowResult]:
        """Add the users and groups in each row's ``{role}.users`` and ``{role}.groups``, or remove them.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit documents; INVALID_DATA for too many rows.
        """
        require_size(rows)

        async def work(connection: Connection) -> list[RowResult]:
            _, versions = self._documents.model(caller, Operation.EDIT)
            roles = roles_of(self._components.registry)
            read = _read(rows, roles)
            ids = [row.document_id for row in read]
            known = await store.latest_locked(connection, versions, ids)
            for row in read:
                if row.document_id not in known and not row.errors:
                    row.fail(
                        ErrorType.INVALID_DATA, "There is no document with this id"
                    )
            accepted = [row for row in read if not row.errors]
            await _store(connection, caller, accepted, change)
            return [_result(row) for row in read]

        return await self._records.carry_out(work, VERSIONS)


def _labels(registry: Registry) -> dict[str, str]:
    """Return the labels of the roles that a document may have, by role."""
    labels: dict[str, str] = {}
    for name in roles_of(registry):
        component = registry.components.get(("Applicationrole", name))
        label = component.text("label") if component is not None else ""
        labels[name] = label or STANDARD_LABELS.get(name, name)
    return labels


def _read(rows: Source, roles: frozenset[str]) -> list[_Row]:
    """Return each row with its document and its role columns.

    A row that cannot be carried out has an error: it has unknown columns, names no role, or names the owner.
    """
    plain, columns = split_roles(rows, roles)
    read: list[_Row] = []
    for fields, assigned in zip(plain, columns, strict=True):
        number = whole_number(str(fields.get("id") or ""), MAX_ID)
        row = _Row(number or 0, assigned)
        if fields.keys() - {"id"}:
            message = "A row takes id, {role}.users and {role}.groups"
            row.fail(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
        elif not assigned:
            message = "The row names no users and no groups of a role"
            row.fail(ErrorType.PARAMETER_REQUIRED, message)
        elif any(role == OWNER for role, _ in assigned):
            message = "The owner of a document is always the user who created it"
            row.fail(ErrorType.OPERATION_NOT_ALLOWED, message)
        read.append(row)
    return read


async def _store(
    connection: Connection,
    caller: Caller,
    rows: Sequence[_Row],
    change: RoleChange,
) -> None:
    """Change the roles of documents; add an error to each row that names a user or group that does not exist."""
    named = await read_roles(connection, [row.columns for row in rows])
    assignments: list[tuple[str, Assignments]] = []
    for row, roles in zip(rows, named, strict=True):
        row.errors += roles.errors
        if not row.errors:
            assignments.append((str(row.document_id), roles.assignments))
    edits = await change_roles(connection, DOCUMENTS, assignments, change)
    await audit_role_edits(connection, caller, edits)


def _result(row: _Row) -> RowResult:
    """Return the result of a row."""
    document_id = str(row.document_id) if row.document_id else None
    return RowResult(id=document_id, errors=tuple(row.errors))
