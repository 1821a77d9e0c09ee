"""Up to 500 documents in one call: created with files of the staging area, changed, deleted; errors are by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID, VERSIONS
from shared.vault.components.schema import quote, table
from shared.vault.documents import document_store as store
from shared.vault.documents.document_content import file_name
from shared.vault.documents.document_service import Begun, require_fields
from shared.vault.documents.document_store import Place, SourceFile, keep_file
from shared.vault.documents.versions import (
    CHOSEN,
    LIFECYCLE,
    first_number,
    lifecycle_of,
    type_of,
)
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import FieldType
from shared.vault.queries.document_target import SOURCE_FILE
from shared.vault.records.rows import (
    CREATED,
    MAX_ROWS,
    UPDATED,
    ResolvedRow,
    RowResult,
)
from shared.vault.storage.database import moment

if TYPE_CHECKING:
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
ID = "id"
MAX_ID = 2**31 - 1


class DocumentBatches:
    """The document calls of many rows; ``limit`` is the bytes that a file may have."""

    def __init__(
        self,
        documents: DocumentService,
        records: RecordService,
        staging: StagingService,
        content: ContentService,
        texts: DocumentTexts,
        limit: int,
    ) -> None:
        self._documents = documents
        self._records = records
        self._staging = staging
        self._content = content
        self._texts = texts
        self._limit = limit

    async def create(
        self, caller: Caller, rows: Source, id_param: str | None = None
    ) -> list[RowResult]:
        """Documents in their first version, each with the ``file`` of the staging area that its row names, if any.

        With ``id_param``, a text field, a document is made once: the row of a value that one has already fails.
        """
        _bound(rows)
        self._documents.model(caller, Operation.CREATE)
        given = [_text(row) for row in rows]
        files = [await self._kept(caller, row.get(FILE)) for row in given]

        async def work(connection: Connection) -> list[RowResult]:
            model, versions = self._documents.model(caller, Operation.CREATE)
            own = [
                {n: v for n, v in row.items() if n not in CHOSEN and n != FILE}
                for row in given
            ]
            read = await self._read(connection, caller, versions, own)
            begun: dict[int, Begun] = {}
            for row, source, file in zip(read, given, files, strict=True):
                require_fields(versions, row)
                if isinstance(file, VaultFault):
                    row.errors.append(file.error)
                begins = _begun(model, row, source)
                if begins is not None and not row.errors:
                    begun[row.index] = begins
            if id_param is not None:
                await _once(connection, versions, id_param, [read[at] for at in begun])
                begun = {
                    at: begins for at, begins in begun.items() if not read[at].errors
                }
            ids = [
                int(row["id"])
                for row in await connection.fetch(store.NEXT_IDS, len(begun))
            ]
            now = await moment(connection)
            stored: list[dict[str, object]] = []
            created: dict[int, str] = {}
            for (at, begins), document_id in zip(begun.items(), ids, strict=True):
                row = read[at]
                stored.append(
                    self._documents.first_version(
                        caller, document_id, begins, row.values, now
                    )
                )
                created[at] = str(document_id)
            if stored:
                await store.insert(connection, versions, stored)
            for at, version in zip(begun, stored, strict=True):
                file = files[at]
                if isinstance(file, SourceFile):
                    await keep_file(connection, str(version["id"]), SOURCE_FILE, file)
            await entries.documents_changed(
                connection, caller, entries.CREATE, dict.fromkeys(ids, ())
            )
            return [
                RowResult(id=created[row.index], event=CREATED)
                if row.index in created
                else row.refused().result()
                for row in read
            ]

        return await self._records.carry_out(work)

    async def update(
        self, caller: Caller, rows: Source, id_param: str | None
    ) -> list[RowResult]:
        """Change fields of the latest versions of documents, named by ``id`` or by a text field."""
        _bound(rows)
        given = [_text(row) for row in rows]
        key = id_param or ID

        async def work(connection: Connection) -> list[RowResult]:
            _, versions = self._documents.model(caller, Operation.EDIT)
            own = [{n: v for n, v in row.items() if n != key} for row in given]
            read = await self._read(connection, caller, versions, own)
            named = await _named(
                connection, versions, key, [row.get(key, "") for row in given]
            )
            for row, source in zip(read, given, strict=True):
                row.key = source.get(key) if id_param else None
            wanted = [
                document_id
                for row, document_id in zip(read, named, strict=True)
                if document_id and not row.errors
            ]
            held = await store.latest_locked(connection, versions, wanted)
            seen: set[int] = set()
            for row, document_id in zip(read, named, strict=True):
                if document_id is None or document_id not in held:
                    if not row.errors:
                        row.fail(
                            ErrorType.INVALID_DATA,
                            f"No document, or more than one, has this [{key[:100]}]",
                        )
                elif document_id in seen:
                    row.fail(
                        ErrorType.INVALID_DATA,
                        f"[{key[:100]}] is repeated in this call",
                    )
                seen.add(document_id or 0)
            await self._documents.change(
                connection,
                caller,
                versions,
                [
                    (held[document_id or 0], row.values)
                    for row, document_id in zip(read, named, strict=True)
                    if not row.errors
                ],
            )
            return [
                _updated(row, document_id)
                for row, document_id in zip(read, named, strict=True)
            ]

        return await self._records.carry_out(work)

    async def delete(
        self, caller: Caller, rows: Source, id_param: str | None
    ) -> list[RowResult]:
        """Delete documents, each by itself."""
        _bound(rows)
        key = id_param or ID
        given = [_text(row).get(key, "") for row in rows]
        _, versions = self._documents.model(caller, Operation.DELETE)
        named = await self._documents.with_connection(
            lambda c: _named(c, versions, key, given)
        )
        results = []
        for value, document_id in zip(given, named, strict=True):
            result = RowResult(
                id=None if document_id is None else str(document_id),
                id_param_value=value if id_param else None,
            )
            try:
                await self._documents.delete(caller, Place(document_id or 0))
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
        read = self._records.reader(versions).read(rows)
        batch = self._records.batch(connection, caller, versions)
        return await batch.resolve(read)

    async def _kept(
        self, caller: Caller, path: str | None
    ) -> SourceFile | VaultFault | None:
        """The file that a row names, kept by now, or why it cannot be had."""
        if not path:
            return None
        try:
            item = await self._staging.file(caller, path)
            kept = await self._content.keep(
                self._staging.content(item), limit=self._limit
            )
            file = SourceFile(kept, file_name(path))
            await self._texts.note(kept, file.format)
        except VaultFault as fault:
            return fault
        return file


def _bound(rows: Source) -> None:
    if len(rows) > MAX_ROWS:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"A call takes at most {MAX_ROWS} rows"
        )


def _text(row: Mapping[str, object]) -> dict[str, str]:
    """The row's values as texts, as a form has them; those without a value are left out."""
    return {name: _plain(value) for name, value in row.items() if value is not None}


def _updated(row: ResolvedRow, document_id: int | None) -> RowResult:
    record_id = None if document_id is None else str(document_id)
    if row.errors:
        return row.refused(record_id).result()
    key = None if row.key is None else str(row.key)
    return RowResult(id=record_id, event=UPDATED, id_param_value=key)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_plain, value))
    return str(value)


def _begun(
    model: DocumentModel, row: ResolvedRow, given: Mapping[str, str]
) -> Begun | None:
    """How a row's document begins; None for a row that now has an error."""
    try:
        kind = type_of(model, given)
        return Begun(
            kind, lifecycle_of(model, kind, given.get(LIFECYCLE)), first_number(given)
        )
    except VaultFault as fault:
        row.errors.append(fault.error)
        return None


async def _named(
    connection: Connection, versions: VaultObject, key: str, values: Sequence[str]
) -> list[int | None]:
    """The documents that values of ``id``, or of a text field, name; None for a value of none or of several."""
    if key == ID:
        return [
            int(v) if v.isascii() and v.isdecimal() and int(v[:11]) <= MAX_ID else None
            for v in values
        ]
    _require_key(versions, key)
    rows = await connection.fetch(
        f"SELECT {quote(key)} AS key, {DOCUMENT_ID} AS id FROM {table(VERSIONS)} "
        f"WHERE {quote(key)} = ANY($1::text[]) AND latest_version__sys",
        list(values),
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["key"], []).append(row["id"])
    return [
        found[value][0] if len(found.get(value, ())) == 1 else None for value in values
    ]


def _require_key(versions: VaultObject, key: str) -> None:
    field = versions.fields.get(key)
    if field is None or field.type is not FieldType.STRING or field.multi_value:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[{key[:100]}] is not a field that names a document",
        )


async def _once(
    connection: Connection, versions: VaultObject, key: str, rows: Sequence[ResolvedRow]
) -> None:
    """Fail rows whose key a document has already, or another row; those who create the same wait for each other."""
    _require_key(versions, key)
    values = [str(value) for row in rows if (value := row.values.get(key)) is not None]
    taken = await store.taken(connection, key, values)
    for row in rows:
        value = row.values.get(key)
        if value is None:
            row.fail(
                ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{key}]"
            )
        elif value in taken:
            row.fail(ErrorType.ITEM_NAME_EXISTS, f"A document has this [{key}] already")
        else:
            taken.add(str(value))
