"""Stores document templates: files from which documents of a type are created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import AuditTrail, Operation, authorize_components
from shared.vault.audit import audit_entries as entries
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.naming import name_of_label
from shared.vault.documents.document_batches import FILE, require_size, texts
from shared.vault.documents.document_content import NO_FILE, StoredFile
from shared.vault.documents.document_store import SourceFile
from shared.vault.documents.versions import LEVELS, type_of
from shared.vault.errors import VaultFault
from shared.vault.records.rows import CREATED, UPDATED, RowResult
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_batches import DocumentBatches, Source
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.documents.unchanged_fields import Texts
    from shared.vault.files.content_service import ContentService
    from shared.vault.storage.database import Connection, Database

FROM_TEMPLATE = "fromTemplate"
NAME, LABEL, ACTIVE, NEW_NAME = "name__v", "label__v", "active__v", "new_name"
CREATING = frozenset({NAME, LABEL, ACTIVE, FILE, *LEVELS})
CHANGING = frozenset({NAME, NEW_NAME, LABEL, ACTIVE})
CONTROLLED = frozenset({"is_controlled__v", "template_doc_id__v"})
MAX_NAME, MAX_LABEL = 50, 100  # characters, as the metadata of the public API has them
MAX_TEMPLATES = 1000
ITEM = "Document template"
FLAGS = {"true": True, "false": False}

_COLUMNS = """t.name, t.label, t.active, t.document_type, t.format, t.filename, t.sha256, t.created_by,
    c.size, c.md5 FROM platform.document_template t JOIN platform.content c USING (sha256)"""
ALL = f"SELECT {_COLUMNS} ORDER BY t.name"
ONE = f"SELECT {_COLUMNS} WHERE t.name = $1"
# One writer at a time, so that the bound of their number holds.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('document_template', 2))"
COUNT = "SELECT count(*) FROM platform.document_template"
INSERT = """INSERT INTO platform.document_template
    (name, label, active, document_type, sha256, filename, format, created_by, created_date)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING name"""
UPDATE = "UPDATE platform.document_template SET name = $2, label = $3, active = $4 WHERE name = $1"
REMOVE = "DELETE FROM platform.document_template WHERE name = $1"


@dataclass(frozen=True, slots=True)
class DocumentTemplate:
    """A template with its file: the media type, the size in bytes, and the MD5 checksum (hex)."""

    name: str
    label: str
    active: bool
    document_type: str
    format: str
    filename: str
    sha256: str
    created_by: int
    size: int
    md5: str


class DocumentTemplates:
    """Reads templates for callers who may read documents; changes them for callers who may change document types."""

    def __init__(
        self,
        database: Database,
        documents: DocumentService,
        batches: DocumentBatches,
        content: ContentService,
    ) -> None:
        self._database = database
        self._documents = documents
        self._batches = batches
        self._content = content

    def require_changing(self, caller: Caller) -> None:
        """Check that the caller may change templates.

        :raises VaultFault: INSUFFICIENT_ACCESS when not; OPERATION_NOT_ALLOWED in a Vault without document types.
        """
        authorize_components(caller, (ComponentKind.DOCUMENT_TYPE,))
        self._documents.model(caller, Operation.READ)

    async def all(self, caller: Caller) -> list[DocumentTemplate]:
        """Return all templates in the order of their names.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read documents.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            rows = await connection.fetch(ALL)
        return [DocumentTemplate(**row) for row in rows]

    async def one(self, caller: Caller, name: str) -> DocumentTemplate:
        """Return one template.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read documents; INVALID_DATA when there is no
            template with this name.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            return await _find(connection, name)

    async def file(self, caller: Caller, name: str) -> StoredFile:
        """Return the file of a template, which ``DocumentFiles.bytes_of`` reads.

        :raises VaultFault: as ``one`` does.
        """
        template = await self.one(caller, name)
        content = await self._content.find(template.sha256)
        if content is None:
            raise VaultFault(ErrorType.INVALID_DATA, NO_FILE)
        return StoredFile(content, template.filename, template.format)

    async def create(
        self, caller: Caller, rows: Source, sent: SourceFile | None = None
    ) -> list[RowResult]:
        """Create templates, each with the staged ``file`` that its row names, or with ``sent``, the file of the form.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change templates; INVALID_DATA for too many
            rows.
        """
        self.require_changing(caller)
        require_size(rows)
        results: list[RowResult] = []
        for row in map(texts, rows):
            try:
                file = sent or await self._batches.store_staged(caller, row.get(FILE))
                name = await self._create(caller, row, file)
                results.append(RowResult(id=name, event=CREATED))
            except VaultFault as fault:
                results.append(RowResult(errors=(fault.error,)))
        return results

    async def _create(self, caller: Caller, row: Texts, file: SourceFile | None) -> str:
        """Create one template, and return its name.

        :raises VaultFault: when a value of the row is missing or not valid.
        """
        _require_columns(row, CREATING)
        label = _label(row.get(LABEL, ""))
        name = _name(row.get(NAME) or name_of_label(label))
        active = _flag(row.get(ACTIVE, ""))
        if file is None:
            raise _missing(FILE)

        async def work(connection: Connection) -> None:
            model, _ = self._documents.model(caller, Operation.READ)
            kind = type_of(model, row)
            await connection.execute(ALONE)
            if await connection.fetchval(COUNT) >= MAX_TEMPLATES:
                message = f"A Vault has at most {MAX_TEMPLATES} document templates"
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
            now = await moment(connection)
            stored = (file.content.sha256, file.filename, file.format)
            values = (name, label, active, kind.name, *stored, caller.user_id, now)
            if await connection.fetchval(INSERT, *values) is None:
                raise _taken(name)
            await _audit(connection, caller, entries.CREATE, name, after=label)

        await self._database.unit_of_work(work)
        return name

    async def update(self, caller: Caller, rows: Source) -> list[RowResult]:
        """Change the label, the active flag or the name of templates, which rows name by ``name__v``.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change templates; INVALID_DATA for too many
            rows.
        """
        self.require_changing(caller)
        require_size(rows)
        results: list[RowResult] = []
        for row in map(texts, rows):
            try:
                name = await self._update(caller, row)
                results.append(RowResult(id=name, event=UPDATED))
            except VaultFault as fault:
                results.append(RowResult(errors=(fault.error,)))
        return results

    async def _update(self, caller: Caller, row: Texts) -> str:
        """Change one template, and return its name.

        :raises VaultFault: when a value of the row is missing or not valid.
        """
        _require_columns(row, CHANGING)
        if not row.get(NAME):
            raise _missing(NAME)

        async def work(connection: Connection) -> str:
            await connection.execute(ALONE)
            before = await _find(connection, row[NAME])
            name = _name(row.get(NEW_NAME) or before.name)
            label = _label(row.get(LABEL) or before.label)
            active = _flag(row[ACTIVE]) if row.get(ACTIVE) else before.active
            if name != before.name and await connection.fetchrow(ONE, name):
                raise _taken(name)
            await connection.execute(UPDATE, before.name, name, label, active)
            shown = (_shown(before.label, before.active), _shown(label, active))
            await _audit(connection, caller, entries.EDIT, name, *shown)
            return name

        return await self._database.unit_of_work(work)

    async def delete(self, caller: Caller, name: str) -> None:
        """Delete a template; documents that were created from it stay.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change templates; INVALID_DATA when there is no
            template with this name.
        """
        self.require_changing(caller)

        async def work(connection: Connection) -> None:
            await connection.execute(ALONE)
            await _find(connection, name)
            await connection.execute(REMOVE, name)
            await _audit(connection, caller, entries.DELETE, name)

        await self._database.unit_of_work(work)

    async def applied(
        self,
        caller: Caller,
        fields: Mapping[str, str],
        file: SourceFile | None,
    ) -> tuple[Mapping[str, str], SourceFile | None]:
        """Return the fields and the file of a new document, completed by the template in ``fromTemplate``, if any.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such active template, when
            the fields choose a type that is neither the template's nor below it, or when the call also has a file.
        """
        name = fields.get(FROM_TEMPLATE)
        own = {key: text for key, text in fields.items() if key != FROM_TEMPLATE}
        if not name:
            return own, file
        if file is not None:
            message = f"A call has a file or [{FROM_TEMPLATE}], not both"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        template = await self.one(caller, name)
        if not template.active:
            raise _unknown(name)
        if not own.get(LEVELS[0]):
            path = template.document_type.split(".")
            own |= zip(LEVELS, path, strict=False)
        model, _ = self._documents.model(caller, Operation.READ)
        kind = type_of(model, own)
        if not f"{kind.name}.".startswith(f"{template.document_type}."):
            message = f"The template is for documents of [{template.document_type}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        content = await self._content.find(template.sha256)
        if content is None:
            raise VaultFault(ErrorType.INVALID_DATA, NO_FILE)
        return own, SourceFile(content, template.filename)


async def _find(connection: Connection, name: str) -> DocumentTemplate:
    """Return a stored template.

    :raises VaultFault: INVALID_DATA when there is no template with this name.
    """
    # A text that is no name may be one that the database does not take either.
    row: Record | None = None
    if _is_name(name):
        row = await connection.fetchrow(ONE, name)
    if row is None:
        raise _unknown(name)
    return DocumentTemplate(**row)


async def _audit(
    connection: Connection,
    caller: Caller,
    action: entries.AuditAction,
    name: str,
    before: str | None = None,
    after: str | None = None,
) -> None:
    """Write a change of a template into the audit trail of the configuration."""
    item = f"{ITEM} {name}"
    await entries.write_entry(
        connection,
        caller,
        AuditTrail.SYSTEM,
        action,
        item,
        before=before,
        after=after,
    )


def _require_columns(row: Texts, allowed: frozenset[str]) -> None:
    """Check the columns of a row.

    :raises VaultFault: OPERATION_NOT_ALLOWED for columns of controlled templates, ATTRIBUTE_NOT_SUPPORTED for unknown
        columns.
    """
    for name in sorted(row.keys() - allowed):
        if name in CONTROLLED:
            message = "Controlled document templates are not part of this Vault"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        message = f"A template has no field [{name[:100]}]"
        raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)


def _label(text: str) -> str:
    """Return a text that is a valid label.

    :raises VaultFault: PARAMETER_REQUIRED without one; INVALID_DATA for one that is too long or not printable.
    """
    if not text:
        raise _missing(LABEL)
    if len(text) > MAX_LABEL or not text.isprintable():
        raise _invalid(LABEL)
    return text


def _name(text: str) -> str:
    """Return a text that is an API name.

    :raises VaultFault: INVALID_DATA for any other text.
    """
    if not _is_name(text):
        raise _invalid(NAME)
    return text


def _is_name(text: str) -> bool:
    """Return whether a text is an API name: lower-case letters, digits and underscores, custom or standard."""
    plain = text.isascii() and text.replace("_", "").isalnum() and text == text.lower()
    return plain and len(text) <= MAX_NAME and text.endswith(("__c", "__v"))


def _flag(text: str) -> bool:
    """Return whether the text makes a template active.

    :raises VaultFault: PARAMETER_REQUIRED without a value; INVALID_DATA for a value other than true and false.
    """
    if not text:
        raise _missing(ACTIVE)
    if text.lower() not in FLAGS:
        raise _invalid(ACTIVE)
    return FLAGS[text.lower()]


def _shown(label: str, active: bool) -> str:
    """Return a template's fields as text for the audit trail."""
    return f"{label} ({'active' if active else 'inactive'})"


def _missing(name: str) -> VaultFault:
    message = f"Missing required parameter [{name}]"
    return VaultFault(ErrorType.PARAMETER_REQUIRED, message)


def _invalid(name: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"Invalid value for parameter [{name}]")


def _taken(name: str) -> VaultFault:
    message = f"There is a document template [{name}] already"
    return VaultFault(ErrorType.ITEM_NAME_EXISTS, message)


def _unknown(name: str) -> VaultFault:
    message = f"There is no document template [{name[:100]}]"
    return VaultFault(ErrorType.INVALID_DATA, message)
