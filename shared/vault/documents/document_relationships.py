"""Carries out the relationship calls of documents: lists, creates and deletes relationships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID, VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_batches import require_size, texts
from shared.vault.documents.document_keys import ID, MAX_ID
from shared.vault.documents.document_store import VERSION_TABLE, Place
from shared.vault.documents.relationship_store import delete_relationships
from shared.vault.documents.relationship_types import offered_types
from shared.vault.documents.versions import LEVELS, MAX_NUMBER, Number, version_id
from shared.vault.errors import ApiError, RowErrors, VaultFault
from shared.vault.records.rows import CREATED, RowResult
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.documents.document_batches import Source
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.documents.relationship_types import DocumentRelationshipType
    from shared.vault.documents.unchanged_fields import Texts
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

TYPE = "relationship_type__v"
ENDS = ("source", "target")
NUMBERS = {end: (f"{end}_major_version__v", f"{end}_minor_version__v") for end in ENDS}
IDS = {end: f"{end}_doc_id__v" for end in ENDS}
# A row may have the column ``id``, as the public examples do; a new relationship gets its own.
COLUMNS = frozenset({ID, TYPE, *IDS.values(), *NUMBERS["source"], *NUMBERS["target"]})
NOWHERE = Place(0)  # no document has the id 0
NO_RELATIONSHIP = "The document has no relationship with this id"
NO_VERSION = "There is no document, or no version of it, with this number"

# Of a document, those of the version and those of the document as a whole.
LISTED = """SELECT * FROM platform.document_relationship
WHERE source_id = $1 AND (source_version IS NULL OR source_version = $2) ORDER BY id"""
SOURCES = "SELECT id, source_id FROM platform.document_relationship WHERE id = ANY($1::bigint[])"
USED = "SELECT EXISTS (SELECT FROM platform.document_relationship WHERE source_id = $1 AND relationship_type = $2)"
INSERT = """INSERT INTO platform.document_relationship
    (relationship_type, source_id, source_version, target_id, target_version, created_by, created_date)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id"""
LATEST = f"""SELECT {DOCUMENT_ID} AS id, {", ".join(LEVELS)} FROM {VERSION_TABLE}
WHERE {DOCUMENT_ID} = ANY($1::bigint[]) AND latest_version__sys"""
KNOWN = f"SELECT id FROM {VERSION_TABLE} WHERE id = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class Relationship:
    """A stored relationship; an end that is a single version, not a document as a whole, has a number."""

    id: int
    type: str
    source: Place
    target: Place
    created_by: int
    created_date: datetime


@dataclass(slots=True)
class _Row(RowErrors):
    """A row that creates a relationship, and the errors that prevent it."""

    type: str = ""
    source: Place = NOWHERE
    target: Place = NOWHERE
    single_use: bool = False


class DocumentRelationships:
    """Reads relationships for callers who may read documents, and changes them for callers who may edit documents."""

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

    async def all(self, caller: Caller, place: Place) -> list[Relationship]:
        """Return the relationships of which a version is the source.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            version = await store.find(connection, place)
            rows = await connection.fetch(LISTED, place.document_id, version)
        return [_relationship(row) for row in rows]

    async def one(
        self, caller: Caller, place: Place, relationship_id: int
    ) -> Relationship:
        """Return one relationship whose source is a version.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version, or it has no
            such relationship.
        """
        for found in await self.all(caller, place):
            if found.id == relationship_id:
                return found
        raise VaultFault(ErrorType.INVALID_DATA, NO_RELATIONSHIP)

    async def create(self, caller: Caller, rows: Source) -> list[RowResult]:
        """Create a relationship for each row; an existing one is not created again, and its result has the id 0.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit documents; INVALID_DATA for too many rows.
        """
        require_size(rows)

        async def work(connection: Connection) -> list[RowResult]:
            self._documents.model(caller, Operation.EDIT)
            read = [_read(texts(row)) for row in rows]
            await self._check(connection, read)
            return [await _created(connection, caller, row) for row in read]

        return await self._records.carry_out(work, VERSIONS)

    async def delete(self, caller: Caller, rows: Source) -> list[RowResult]:
        """Delete the relationships that rows name by ``id``.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not edit documents; INVALID_DATA for too many rows.
        """
        require_size(rows)
        sent = [whole_number(texts(row).get(ID, ""), MAX_ID) or 0 for row in rows]

        async def work(connection: Connection) -> list[RowResult]:
            self._documents.model(caller, Operation.EDIT)
            found = await connection.fetch(SOURCES, sent)
            await _lock(connection, [row["source_id"] for row in found])
            # Again: somebody may have deleted some of them meanwhile.
            left = {row["id"] for row in await connection.fetch(SOURCES, sent)}
            await delete_relationships(connection, caller, sorted(left))
            return [_deleted(each, known=each in left) for each in sent]

        return await self._records.carry_out(work, VERSIONS)

    async def _check(self, connection: Connection, rows: Sequence[_Row]) -> None:
        """Lock the documents of rows; add an error to each row whose type or versions do not exist, or do not fit."""
        sound = [row for row in rows if not row.errors]
        places = [place for row in sound for place in (row.source, row.target)]
        documents = await _lock(connection, [each.document_id for each in places])
        named = [_version(each) for each in places if each.number is not None]
        known = {row["id"] for row in await connection.fetch(KNOWN, named)}
        for row in sound:
            for place in (row.source, row.target):
                unknown = place.number is not None and _version(place) not in known
                if unknown or place.document_id not in documents:
                    row.fail(ErrorType.INVALID_DATA, NO_VERSION)
                    break
            else:
                self._fit(row, documents)

    def _fit(self, row: _Row, documents: Mapping[int, str]) -> None:
        """Add an error to a row whose documents do not suit its type; remove version numbers that the type ignores."""
        registry = self._components.registry
        types = offered_types(registry, documents[row.source.document_id])
        kind = types.get(row.type)
        if kind is None:
            message = f"The document has no relationships of type [{row.type[:100]}]"
            row.fail(ErrorType.INVALID_DATA, message)
            return
        if not _is_below(documents[row.target.document_id], kind.target_type):
            message = f"Relationships of type [{row.type}] lead to other document types"
            row.fail(ErrorType.INVALID_DATA, message)
            return
        _bind(row, kind)


def _read(row: Texts) -> _Row:
    """Return the relationship that a row describes."""
    read = _Row()
    for name in sorted(row.keys() - COLUMNS):
        message = f"Rows of this call have no column [{name[:100]}]"
        read.fail(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    for name in (*IDS.values(), TYPE):
        if not row.get(name):
            message = f"Missing required parameter [{name}]"
            read.fail(ErrorType.PARAMETER_REQUIRED, message)
    if read.errors:
        return read
    try:
        read.source, read.target = (_place(row, end) for end in ENDS)
    except VaultFault as fault:
        read.errors.append(fault.error)
    read.type = row[TYPE]
    return read


def _place(row: Texts, end: str) -> Place:
    """Return the version, or the document as a whole, at one end of a relationship.

    :raises VaultFault: INVALID_DATA for an invalid id or number, or for only one part of a version number.
    """
    document_id = whole_number(row[IDS[end]], MAX_ID)
    if document_id is None:
        raise VaultFault(ErrorType.INVALID_DATA, f"Invalid value for [{IDS[end]}]")
    sent = [row.get(name, "") for name in NUMBERS[end]]
    if not any(sent):
        return Place(document_id)
    major, minor = (whole_number(text, MAX_NUMBER) for text in sent)
    if major is None or minor is None:
        first, second = NUMBERS[end]
        message = f"[{first}] and [{second}] must both be sent, as whole numbers"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return Place(document_id, Number(major, minor))


def _bind(row: _Row, kind: DocumentRelationshipType) -> None:
    """Set the versions of a row as its type requires; add an error to a row that lacks one."""
    row.single_use = kind.single_use
    specific = {"source": kind.of_source_version, "target": kind.of_target_version}
    for end, place in (("source", row.source), ("target", row.target)):
        if specific[end] and place.number is None:
            message = f"Missing required parameter [{NUMBERS[end][0]}]"
            row.fail(ErrorType.PARAMETER_REQUIRED, message)
    if not kind.of_source_version:
        row.source = Place(row.source.document_id)
    if not kind.of_target_version:
        row.target = Place(row.target.document_id)


def _is_below(document_type: str, wanted: str) -> bool:
    """Return whether a document type is ``wanted`` or below it; True if ``wanted`` is empty."""
    return not wanted or f"{document_type}.".startswith(f"{wanted}.")


async def _lock(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Lock documents until the transaction ends; return the document type of each that exists."""
    await connection.execute(store.ALONE, sorted(set(ids)))
    rows = await connection.fetch(LATEST, ids)
    return {row["id"]: _document_type(row) for row in rows}


def _document_type(row: Record) -> str:
    """Return the dotted name of a stored version's document type."""
    levels = [row[level] for level in LEVELS if row[level] is not None]
    return ".".join(levels)


async def _created(connection: Connection, caller: Caller, row: _Row) -> RowResult:
    """Store the relationship of a row unless it has errors, and return the row's result."""
    source, target = row.source, row.target
    # Also of the rows before this one.
    if row.single_use and await connection.fetchval(USED, source.document_id, row.type):
        message = f"A document has one relationship of type [{row.type}]"
        row.fail(ErrorType.OPERATION_NOT_ALLOWED, message)
    if row.errors:
        return RowResult(errors=tuple(row.errors))
    now = await moment(connection)
    created = await connection.fetchval(
        INSERT,
        row.type,
        source.document_id,
        _bound(source),
        target.document_id,
        _bound(target),
        caller.user_id,
        now,
    )
    # The public API answers so about a relationship that is there already.
    if created is None:
        return RowResult(id="0")
    lines = [(row.type, None, target.document_id)]
    await entries.write_document_change(
        connection, caller, entries.EDIT, source.document_id, lines
    )
    return RowResult(id=str(created), event=CREATED)


def _deleted(relationship_id: int, *, known: bool) -> RowResult:
    """Return the result of a row that deletes a relationship."""
    if known:
        return RowResult(id=str(relationship_id))
    error = ApiError(ErrorType.INVALID_DATA, NO_RELATIONSHIP)
    return RowResult(errors=(error,))


def _bound(place: Place) -> str | None:
    """Return the id of the version at an end; None when the end is the document as a whole."""
    if place.number is None:
        return None
    return _version(place)


def _version(place: Place) -> str:
    """Return the id of the version that a place names."""
    number = place.number or Number(0, 0)
    return version_id(place.document_id, number)


def _relationship(row: Record) -> Relationship:
    """Return the relationship in a stored row."""
    source = _stored_place(row["source_id"], row["source_version"])
    target = _stored_place(row["target_id"], row["target_version"])
    made = (row["created_by"], row["created_date"])
    return Relationship(row["id"], row["relationship_type"], source, target, *made)


def _stored_place(document_id: int, version: str | None) -> Place:
    """Return a stored end of a relationship; ``version`` is an id such as ``12_0_1``, None for the whole document."""
    if version is None:
        return Place(document_id)
    _, major, minor = version.split("_")
    return Place(document_id, Number(int(major), int(minor)))
