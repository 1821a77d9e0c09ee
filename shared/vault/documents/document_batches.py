"""Creates, changes and deletes up to 500 documents in one call, with a result for each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import EXTERNAL_ID, VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_content import file_name
from shared.vault.documents.document_keys import (
    ID,
    fail_existing_values,
    named,
    named_documents,
)
from shared.vault.documents.document_numbers import (
    NUMBER_EXISTS,
    require_migration,
    taken_numbers,
)
from shared.vault.documents.document_role_rules import fill_document_roles
from shared.vault.documents.document_store import Place, SourceFile, store_file
from shared.vault.documents.unchanged_fields import Texts, without_unchanged
from shared.vault.documents.versions import (
    CHOSEN,
    MIGRATED,
    Beginning,
    beginning_of,
    first_version,
    migrated_beginning,
    require_fields,
)
from shared.vault.errors import VaultFault
from shared.vault.queries.document_target import SOURCE_FILE
from shared.vault.records.rows import CREATED, MAX_ROWS, UPDATED, ResolvedRow, RowResult

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.documents.texts import DocumentTexts
    from shared.vault.files.content_service import ContentService
    from shared.vault.model.component_model import DocumentModel, VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Connection

Source = Sequence[Mapping[str, object]]
FILE = "file"


@dataclass(slots=True)
class DocumentResult(RowResult):
    """The outcome of a row that creates, changes or deletes a document, with the document's external id, if any."""

    external_id: str | None = None


class DocumentBatches:
    """Carries out the document calls of many rows; ``limit`` is the maximum size of a file in bytes."""

    def __init__(
        self,
        documents: DocumentService,
        records: RecordService,
        staging: StagingService,
        content: ContentService,
        document_texts: DocumentTexts,
        limit: int,
    ) -> None:
        self._documents = documents
        self._records = records
        self._staging = staging
        self._content = content
        self._texts = document_texts
        self._limit = limit

    async def create(
        self,
        caller: Caller,
        rows: Source,
        id_param: str | None = None,
        *,
        migration: bool = False,
    ) -> list[RowResult]:
        """Create documents in their first versions, each with the staged ``file`` that its row names, if any.

        With ``id_param``, the name of a text field, a row fails when a document, or an earlier row, has the same value.
        In migration mode, rows also choose the state and the document number.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not create documents; INVALID_DATA for too many
            rows, or an ``id_param`` that is not a text field; OPERATION_NOT_ALLOWED in a Vault without document types.
        """
        require_size(rows)
        require_migration(caller, migration=migration)
        self._documents.model(caller, Operation.CREATE)
        chosen = MIGRATED if migration else CHOSEN
        sources = [texts(row) for row in rows]
        # Before the transaction, which would be open while large files are copied.
        files = [
            await self._store_staged_or_fault(caller, source.get(FILE))
            for source in sources
        ]

        async def work(connection: Connection) -> list[RowResult]:
            model, versions = self._documents.model(caller, Operation.CREATE)
            own = [_without(source, {*chosen, FILE}) for source in sources]
            read = await self._read(connection, caller, versions, own)
            beginnings: dict[int, Beginning] = {}
            for row, source, file in zip(read, sources, files, strict=True):
                require_fields(versions, row)
                if isinstance(file, VaultFault):
                    row.errors.append(file.error)
                beginning = _beginning_of(model, row, source, migration=migration)
                if beginning is not None and not row.errors:
                    beginnings[row.index] = beginning
            for at in await taken_numbers(connection, beginnings):
                read[at].fail(ErrorType.ITEM_NAME_EXISTS, NUMBER_EXISTS)
            if id_param is not None:
                candidates = [read[at] for at in beginnings]
                await fail_existing_values(connection, versions, id_param, candidates)
            accepted = {
                at: beginning
                for at, beginning in beginnings.items()
                if not read[at].errors
            }
            created = await self._insert(
                connection, caller, versions, read, accepted, files
            )
            return [_created(row, created.get(row.index)) for row in read]

        return await self._records.carry_out(work, VERSIONS)

    async def _insert(
        self,
        connection: Connection,
        caller: Caller,
        versions: VaultObject,
        rows: Sequence[ResolvedRow],
        accepted: Mapping[int, Beginning],
        files: Sequence[SourceFile | VaultFault | None],
    ) -> dict[int, int]:
        """Store the documents of accepted rows with their files, and return the document ids by row index."""
        id_rows = await connection.fetch(store.NEXT_IDS, len(accepted))
        ids = [int(row["id"]) for row in id_rows]
        writing = await self._documents.writing(connection, caller)
        stored: list[dict[str, object]] = []
        for (at, beginning), document_id in zip(accepted.items(), ids, strict=True):
            values = rows[at].values
            version = first_version(writing, document_id, beginning, values)
            stored.append(version)
        if stored:
            await store.insert(connection, versions, stored)
            await fill_document_roles(connection, caller, versions, stored)
        for at, version in zip(accepted, stored, strict=True):
            file = files[at]
            if isinstance(file, SourceFile):
                await store_file(connection, str(version["id"]), SOURCE_FILE, file)
        changes = dict.fromkeys(ids, ())
        await entries.write_document_changes(
            connection, caller, entries.CREATE, changes
        )
        return dict(zip(accepted, ids, strict=True))

    async def update(
        self,
        caller: Caller,
        rows: Source,
        id_param: str | None,
    ) -> list[RowResult]:
        """Change fields of the latest versions of documents, which rows name by ``id`` or by the field ``id_param``.

        :raises VaultFault: as ``create`` does.
        """
        require_size(rows)
        sources = [texts(row) for row in rows]
        key = id_param or ID

        async def work(connection: Connection) -> list[RowResult]:
            model, versions = self._documents.model(caller, Operation.EDIT)
            keys = [source.get(key, "") for source in sources]
            found = await named(connection, versions, key, keys)
            stored = await store.latest_locked(
                connection, versions, [each for each in found if each]
            )
            own = [_without(source, {key}) for source in sources]
            changed = await _changed(connection, model, stored, found, own)
            read = await self._read(connection, caller, versions, changed)
            for row, source in zip(read, sources, strict=True):
                row.key = source.get(key) if id_param else None
            pairs = list(zip(read, found, strict=True))
            _fail_unknown(pairs, stored.keys(), key)
            changes = [
                (stored[each or 0], row.values) for row, each in pairs if not row.errors
            ]
            await self._documents.change(connection, caller, versions, changes)
            return [_updated(row, each, stored.get(each or 0)) for row, each in pairs]

        return await self._records.carry_out(work, VERSIONS)

    async def delete(
        self,
        caller: Caller,
        rows: Source,
        id_param: str | None,
    ) -> list[RowResult]:
        """Delete documents, each in a transaction of its own.

        :raises VaultFault: as ``create`` does.
        """
        require_size(rows)
        key = id_param or ID
        keys = [texts(row).get(key, "") for row in rows]
        _, versions = self._documents.model(caller, Operation.DELETE)
        found = await self._documents.with_connection(
            lambda connection: named_documents(connection, versions, key, keys)
        )
        results: list[RowResult] = []
        for value, document in zip(keys, found, strict=True):
            result = DocumentResult(
                id=None if document.id is None else str(document.id),
                id_param_value=value if id_param else None,
                external_id=document.external_id,
            )
            # No document has the id 0: the row fails as one that names an unknown document.
            place = Place(document.id or 0)
            try:
                await self._documents.delete(caller, place)
            except VaultFault as fault:
                result.errors = (fault.error,)
            results.append(result)
        return results

    async def _read(
        self,
        connection: Connection,
        caller: Caller,
        versions: VaultObject,
        rows: Source,
    ) -> list[ResolvedRow]:
        """Return the rows with column values, and an error for each value that cannot be stored."""
        read = self._documents.read(rows, versions)
        batch = self._records.batch(connection, caller, versions)
        return await batch.resolve(read)

    async def _store_staged_or_fault(
        self,
        caller: Caller,
        path: str | None,
    ) -> SourceFile | VaultFault | None:
        """Store the staged file that a row names; return it, None for a row without one, or the fault."""
        try:
            return await self.store_staged(caller, path)
        except VaultFault as fault:
            return fault

    async def store_staged(self, caller: Caller, path: str | None) -> SourceFile | None:
        """Store the staged file at this path as content, and return it; None without a path.

        :raises VaultFault: when there is no such file, or it cannot be stored.
        """
        if not path:
            return None
        item = await self._staging.file(caller, path)
        staged = self._staging.content(item)
        content = await self._content.keep(staged, limit=self._limit)
        file = SourceFile(content, file_name(path))
        await self._texts.extract(content, file.format, caller.user_id)
        return file


def require_size(rows: Source) -> None:
    """Check the number of rows of a call.

    :raises VaultFault: INVALID_DATA for more than ``MAX_ROWS``.
    """
    if len(rows) > MAX_ROWS:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"A call takes at most {MAX_ROWS} rows"
        )


def texts(row: Mapping[str, object]) -> Texts:
    """Return a row's values as texts, like those of a form, without None values."""
    return {name: _plain(value) for name, value in row.items() if value is not None}


def _plain(value: object) -> str:
    """Return a JSON value as the text that a form would send."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_plain, value))
    return str(value)


def _without(row: Texts, columns: set[str]) -> Texts:
    """Return a row without these columns."""
    return {name: value for name, value in row.items() if name not in columns}


def _beginning_of(
    model: DocumentModel,
    row: ResolvedRow,
    source: Texts,
    *,
    migration: bool,
) -> Beginning | None:
    """Return the choices of a row for its new document; when they are invalid, fail the row and return None."""
    begin = migrated_beginning if migration else beginning_of
    try:
        return begin(model, source)
    except VaultFault as fault:
        row.errors.append(fault.error)
        return None


async def _changed(
    connection: Connection,
    model: DocumentModel,
    stored: Mapping[int, Record],
    found: Sequence[int | None],
    rows: Sequence[Texts],
) -> list[Texts]:
    """Return the rows without values that their documents already have; ``stored`` has the documents by id."""
    known = [at for at, document_id in enumerate(found) if document_id in stored]
    calls = [(stored[found[at] or 0]["id"], rows[at]) for at in known]
    changed = await without_unchanged(connection, model, calls)
    by_row = dict(zip(known, changed, strict=True))
    return [by_row.get(at, row) for at, row in enumerate(rows)]


def _fail_unknown(
    rows: Sequence[tuple[ResolvedRow, int | None]],
    known: Collection[int],
    key: str,
) -> None:
    """Add an error to each row whose document id is not ``known``, or is that of an earlier row."""
    seen: set[int] = set()
    for row, document_id in rows:
        if document_id is None or document_id not in known:
            # A row with another error has not been looked up.
            if not row.errors:
                row.fail(
                    ErrorType.INVALID_DATA,
                    f"No document, or more than one, has this [{key[:100]}]",
                )
        elif document_id in seen:
            row.fail(ErrorType.INVALID_DATA, f"[{key[:100]}] is repeated in this call")
        seen.add(document_id or 0)


def _created(row: ResolvedRow, document_id: int | None) -> RowResult:
    """Return the result of a row; ``document_id`` is the id of the new document, None for a refused row."""
    if document_id is None:
        return row.refused()
    external_id = _text(row.values.get(EXTERNAL_ID))
    return DocumentResult(id=str(document_id), event=CREATED, external_id=external_id)


def _updated(
    row: ResolvedRow, document_id: int | None, before: Record | None
) -> RowResult:
    """Return the result of a row that changes a document or is refused; ``before`` is the document's stored version."""
    record_id = None if document_id is None else str(document_id)
    if row.errors or before is None:
        return row.refused(record_id)
    key = None if row.key is None else str(row.key)
    external_id = _text(row.values.get(EXTERNAL_ID, before[EXTERNAL_ID]))
    return DocumentResult(
        id=record_id, event=UPDATED, id_param_value=key, external_id=external_id
    )


def _text(value: object) -> str | None:
    """Return the value of a text field as text; None when it is empty."""
    return None if value is None else str(value)
