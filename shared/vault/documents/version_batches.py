"""Creates and deletes versions and renditions of up to 500 documents in a call, each row in its own transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Operation
from shared.vault.documents.document_batches import FILE, Source, require_size, texts
from shared.vault.documents.document_keys import ID, named_documents
from shared.vault.documents.document_migration import COLUMNS, REQUIRED
from shared.vault.documents.document_numbers import require_migration
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import MAX_NUMBER, NUMBERS, Number
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_batches import DocumentBatches
    from shared.vault.documents.document_content import DocumentFiles
    from shared.vault.documents.document_migration import VersionMigration
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.documents.reclassification import Reclassification
    from shared.vault.documents.unchanged_fields import Texts

RENDITION = "rendition_type__v"


@dataclass(slots=True)
class VersionResult:
    """The result of a row: the document's ids, and the version and rendition that it concerns, or None."""

    document_id: int | None = None
    external_id: str | None = None
    number: Number | None = None
    rendition: str | None = None
    error: ApiError | None = None


Work = Callable[["Texts", Place, VersionResult], Awaitable[None]]


class VersionBatches:
    """Carries out the version and rendition calls of many rows; a failed row does not affect the others."""

    def __init__(
        self,
        documents: DocumentService,
        batches: DocumentBatches,
        files: DocumentFiles,
        reclassification: Reclassification,
        migration: VersionMigration,
    ) -> None:
        self._documents = documents
        self._batches = batches
        self._files = files
        self._reclassification = reclassification
        self._migration = migration

    async def create(
        self, caller: Caller, rows: Source, key: str | None
    ) -> list[VersionResult]:
        """Create a draft of each row's document, with the row's staged ``file`` or else the latest version's file.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not do so; INVALID_DATA for too many rows, or a key
            that is no text field.
        """

        async def work(row: Texts, place: Place, result: VersionResult) -> None:
            for name in sorted(row.keys() & COLUMNS):
                message = f"[{name}] needs document migration mode"
                raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
            file = await self._batches.store_staged(caller, row.get(FILE))
            number = await self._documents.new_version(caller, place.document_id, file)
            result.number = number

        allowed = frozenset({FILE, *COLUMNS})
        return await self._each(caller, Operation.EDIT, rows, key, allowed, work)

    async def migrate(
        self, caller: Caller, rows: Source, key: str | None
    ) -> list[VersionResult]:
        """Create, in migration mode, the version of each row's document that the row chooses, with its staged ``file``.

        :raises VaultFault: as ``create`` does; INSUFFICIENT_ACCESS without the permission for migration mode.
        """
        require_migration(caller, migration=True)

        async def work(row: Texts, place: Place, result: VersionResult) -> None:
            for name in REQUIRED:
                _required(row, name)
            left_out = {FILE, key or ID}
            fields = {name: text for name, text in row.items() if name not in left_out}
            file = await self._batches.store_staged(caller, row[FILE])
            if file is not None:
                result.number = await self._migration.create(
                    caller, place.document_id, fields, file
                )

        return await self._each(caller, Operation.EDIT, rows, key, None, work)

    async def delete(
        self, caller: Caller, rows: Source, key: str | None
    ) -> list[VersionResult]:
        """Delete, from each row's document, the version with the row's number.

        :raises VaultFault: as ``create`` does.
        """

        async def work(_: Texts, place: Place, result: VersionResult) -> None:
            result.number = _required_number(place)
            await self._documents.delete(caller, place)

        allowed = frozenset(NUMBERS)
        return await self._each(caller, Operation.DELETE, rows, key, allowed, work)

    async def add_renditions(
        self, caller: Caller, rows: Source, key: str | None
    ) -> list[VersionResult]:
        """Add the staged ``file`` of each row to a version, by default the latest, as a rendition of the row's type.

        :raises VaultFault: as ``create`` does.
        """

        async def work(row: Texts, place: Place, result: VersionResult) -> None:
            rendition = _required(row, RENDITION)
            file = await self._batches.store_staged(caller, _required(row, FILE))
            if file is not None:
                await self._files.put(caller, place, rendition, file, replace=False)
            result.number, result.rendition = place.number, rendition

        allowed = frozenset({*NUMBERS, RENDITION, FILE})
        return await self._each(caller, Operation.EDIT, rows, key, allowed, work)

    async def delete_renditions(
        self, caller: Caller, rows: Source, key: str | None
    ) -> list[VersionResult]:
        """Delete a rendition of a version, by default the latest, of each row's document.

        :raises VaultFault: as ``create`` does.
        """

        async def work(row: Texts, place: Place, result: VersionResult) -> None:
            rendition = _required(row, RENDITION)
            await self._files.remove(caller, place, rendition)
            result.number, result.rendition = place.number, rendition

        allowed = frozenset({*NUMBERS, RENDITION})
        return await self._each(caller, Operation.EDIT, rows, key, allowed, work)

    async def reclassify(
        self, caller: Caller, rows: Source, key: str | None
    ) -> list[VersionResult]:
        """Change the type of each row's document, and its lifecycle if necessary.

        :raises VaultFault: as ``create`` does.
        """

        async def work(row: Texts, place: Place, _: VersionResult) -> None:
            fields = {name: text for name, text in row.items() if name != (key or ID)}
            result = await self._reclassification.carry_out(
                caller, place.document_id, fields
            )
            if not result.ok:
                raise VaultFault(result.errors[0].type, result.errors[0].message)

        return await self._each(caller, Operation.EDIT, rows, key, None, work)

    async def _each(
        self,
        caller: Caller,
        operation: Operation,
        rows: Source,
        key: str | None,
        allowed: frozenset[str] | None,
        work: Work,
    ) -> list[VersionResult]:
        """Carry out ``work`` for each row; ``allowed`` are the columns besides the key, None for all columns.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not carry out the operation; INVALID_DATA for too
            many rows, or a key that is no text field.
        """
        require_size(rows)
        _, versions = self._documents.model(caller, operation)
        read = [texts(row) for row in rows]
        name = key or ID
        keys = [row.get(name, "") for row in read]
        found = await self._documents.with_connection(
            lambda connection: named_documents(connection, versions, name, keys)
        )
        results: list[VersionResult] = []
        for row, document in zip(read, found, strict=True):
            result = VersionResult(document.id, document.external_id)
            try:
                place = _place(row, document.id, name, allowed)
                await work(row, place, result)
            except VaultFault as fault:
                result.error = fault.error
            results.append(result)
        return results


def _place(
    row: Texts,
    document_id: int | None,
    key: str,
    allowed: frozenset[str] | None,
) -> Place:
    """Return the version that a row names; without a number, the latest.

    :raises VaultFault: INVALID_DATA for a row that names no document or only one part of a number;
        ATTRIBUTE_NOT_SUPPORTED for an unknown column.
    """
    if allowed is not None:
        for name in sorted(row.keys() - allowed - {key}):
            message = f"Rows of this call have no column [{name[:100]}]"
            raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    if document_id is None:
        message = f"No document, or more than one, has this [{key[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    sent: Sequence[str] = [row.get(name, "") for name in NUMBERS]
    # A row that reclassifies names no version, nor does one of migration mode, whose version is new.
    if allowed is None or not any(sent):
        return Place(document_id)
    major, minor = (whole_number(text, MAX_NUMBER) for text in sent)
    if major is None or minor is None:
        message = (
            f"[{NUMBERS[0]}] and [{NUMBERS[1]}] must both be sent, as whole numbers"
        )
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return Place(document_id, Number(major, minor))


def _required(row: Texts, name: str) -> str:
    """Return the value of a column in a row.

    :raises VaultFault: PARAMETER_REQUIRED when it is missing or empty.
    """
    if not row.get(name):
        message = f"Missing required parameter [{name}]"
        raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
    return row[name]


def _required_number(place: Place) -> Number:
    """Return the number of a version.

    :raises VaultFault: PARAMETER_REQUIRED when it has none.
    """
    if place.number is None:
        message = f"Missing required parameter [{NUMBERS[0]}]"
        raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
    return place.number
