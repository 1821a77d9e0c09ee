"""Reads and writes document versions and their files in the database, within the caller's transaction."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.components.document_model import DOCUMENT_ID, VERSIONS
from shared.vault.components.schema import quote, table
from shared.vault.documents.versions import Number
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import array_text
from shared.vault.records import record_statements as statements
from shared.vault.records.batch_values import Columns

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.files.content_service import Content
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection

OCTETS = "application/octet-stream"
VERSION_TABLE = table(VERSIONS)

# One writer a document at a time: a version that follows is then always of the latest.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('document.' || id, 2)) FROM unnest($1::bigint[]) AS id"
# One creator a key at a time: the one that waited sees what the other has made.
KEYS_ALONE = """SELECT pg_advisory_xact_lock(hashtextextended('document.' || $1::text || '.' || key, 2))
FROM unnest($2::text[]) AS key"""
# The id of a new document, and ids of several.
NEXT_ID = "SELECT nextval('platform.document_id')"
NEXT_IDS = "SELECT nextval('platform.document_id') AS id FROM generate_series(1, $1)"
# The latest version of a document, the latest of several documents, one by its number, and all of a document.
LATEST = (
    f"SELECT id FROM {VERSION_TABLE} WHERE {DOCUMENT_ID} = $1 AND latest_version__sys"
)
ALL_LATEST = f"SELECT id FROM {VERSION_TABLE} WHERE {DOCUMENT_ID} = ANY($1::bigint[]) AND latest_version__sys"
NUMBERED = f"""SELECT id FROM {VERSION_TABLE}
WHERE {DOCUMENT_ID} = $1 AND major_version_number__v = $2 AND minor_version_number__v = $3"""
IDS = f"SELECT id FROM {VERSION_TABLE} WHERE {DOCUMENT_ID} = $1"
# No version of a document is its latest any more; the one of the highest number is.
NOT_LATEST = (
    f"UPDATE {VERSION_TABLE} SET latest_version__sys = false WHERE {DOCUMENT_ID} = $1"
)
MAKE_LATEST = f"""UPDATE {VERSION_TABLE} SET latest_version__sys = true WHERE id = (
    SELECT id FROM {VERSION_TABLE} WHERE {DOCUMENT_ID} = $1
    ORDER BY major_version_number__v DESC, minor_version_number__v DESC LIMIT 1)"""
# Versions, and the files of versions.
DELETE = f"DELETE FROM {VERSION_TABLE} WHERE id = ANY($1::text[])"
DELETE_FILES = "DELETE FROM platform.document_file WHERE version_id = ANY($1::text[])"
# What is of no use without its versions, or its document.
DELETE_TOKENS = "DELETE FROM platform.document_token WHERE version_id = ANY($1::text[])"
DELETE_EVENTS = "DELETE FROM platform.document_event WHERE document_id = $1"
RENUMBER_TOKENS = (
    "UPDATE platform.document_token SET version_id = $2 WHERE version_id = $1"
)
# The highest major number of a document; a version under another number, and its files with it.
MAJOR = (
    f"SELECT max(major_version_number__v) FROM {VERSION_TABLE} WHERE {DOCUMENT_ID} = $1"
)
RENUMBER = f"""UPDATE {VERSION_TABLE}
SET id = $2, global_version_id__sys = $3, major_version_number__v = $4, minor_version_number__v = $5 WHERE id = $1"""
RENUMBER_FILES = (
    """UPDATE platform.document_file SET version_id = $2 WHERE version_id = $1"""
)
# The source file of a version for the draft that follows it; renditions are of one version only.
COPY_FILE = """INSERT INTO platform.document_file (version_id, rendition, sha256, filename, format)
SELECT $2, rendition, sha256, filename, format FROM platform.document_file WHERE version_id = $1 AND rendition = ''"""
# A file of a version, in place of the one that it had.
KEEP_FILE = """
INSERT INTO platform.document_file (version_id, rendition, sha256, filename, format) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (version_id, rendition) DO UPDATE
SET sha256 = EXCLUDED.sha256, filename = EXCLUDED.filename, format = EXCLUDED.format
"""
# The other versions of a document that are in some states, in another state.
IN_STATE = f"""UPDATE {VERSION_TABLE} SET status__v = $3
WHERE {DOCUMENT_ID} = $1 AND lifecycle__v = $2 AND status__v = ANY($4::text[]) AND id <> $5 RETURNING id, status__v"""


@dataclass(frozen=True, slots=True)
class Place:
    """The id of a document and the number of a version; None stands for the latest version."""

    document_id: int
    number: Number | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that has been received and stored, with the name that the client sent."""

    content: Content
    filename: str

    @property
    def format(self) -> str:
        """Return the media type that the extension of the file's name stands for."""
        guessed, _ = mimetypes.guess_type(self.filename)
        return guessed or OCTETS


async def store_file(
    connection: Connection,
    version: str,
    rendition: str,
    file: SourceFile,
) -> None:
    """Store a file as a version's rendition, or as its source file; replace the previous one."""
    sha256 = file.content.sha256
    await connection.execute(
        KEEP_FILE, version, rendition, sha256, file.filename, file.format
    )


async def insert(
    connection: Connection,
    versions: VaultObject,
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Insert new versions; a field that a row does not have is empty."""
    fields = [
        field
        for field in versions.fields.values()
        if any(field.name in values for values in rows)
    ]
    columns = Columns.of(fields, rows)
    sql = statements.insert_statement(versions, fields, columns.shared)
    await connection.fetch(sql, *columns.values)


async def update(
    connection: Connection,
    versions: VaultObject,
    changes: Mapping[str, Mapping[str, object]],
) -> None:
    """Change fields of stored versions; ``changes`` are by version id, and all have the same fields."""
    names = next(iter(changes.values())).keys()
    fields = [field for field in versions.fields.values() if field.name in names]
    columns = Columns.of(fields, list(changes.values()))
    sql = statements.update_statement(versions, fields, columns.shared)
    await connection.execute(sql, array_text(changes), *columns.values)


async def locked(
    connection: Connection,
    versions: VaultObject,
    place: Place,
) -> Record:
    """Return a version with all its stored fields, locked until the transaction ends.

    :raises VaultFault: INVALID_DATA when there is no such version.
    """
    # Before the search: the latest version may be another one after the wait.
    await connection.execute(ALONE, [place.document_id])
    version = await find(connection, place)
    (record,) = await _lock(connection, versions, [version])
    return record


async def lock_values(
    connection: Connection,
    key: str,
    values: Sequence[str],
) -> set[str]:
    """Lock values of the text field ``key``, and return those of them that documents already have.

    Until the transaction ends no other transaction creates a document with any of the values.
    """
    # Sorted, as all callers lock them, so that two calls never wait for each other.
    await connection.execute(KEYS_ALONE, key, sorted(set(values)))
    column = quote(key)
    sql = f"SELECT {column} AS key FROM {VERSION_TABLE} WHERE {column} = ANY($1::text[]) AND latest_version__sys"
    rows = await connection.fetch(sql, values)
    return {row["key"] for row in rows}


async def latest_locked(
    connection: Connection,
    versions: VaultObject,
    ids: Sequence[int],
) -> dict[int, Record]:
    """Lock the latest versions of documents until the transaction ends; return them by document id, if they exist."""
    await connection.execute(ALONE, sorted(ids))
    rows = await connection.fetch(ALL_LATEST, ids)
    found = [row["id"] for row in rows]
    records = await _lock(connection, versions, found)
    return {record[DOCUMENT_ID]: record for record in records}


async def _lock(
    connection: Connection,
    versions: VaultObject,
    ids: Sequence[str],
) -> list[Record]:
    """Lock versions by their ids, and return them with all their fields."""
    others = [field for field in versions.fields.values() if field.name != "id"]
    sql = statements.lock_statement(versions, versions.fields["id"], others)
    rows = await connection.fetch(sql, ids)
    return list(rows)


async def find(connection: Connection, place: Place) -> str:
    """Return the id of a version.

    :raises VaultFault: INVALID_DATA when there is no such version.
    """
    number = place.number
    if number is None:
        found = await connection.fetchval(LATEST, place.document_id)
    else:
        found = await connection.fetchval(
            NUMBERED, place.document_id, number.major, number.minor
        )
    if found is None:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "There is no document, or no version of it, with this number",
        )
    return str(found)


async def latest_major(connection: Connection, document_id: int) -> int:
    """Return the highest major number of a document's versions."""
    major = await connection.fetchval(MAJOR, document_id)
    return int(major)


async def require_known(connection: Connection, ids: Sequence[int]) -> None:
    """Check that documents with all of these ids exist.

    :raises VaultFault: INVALID_DATA when one does not.
    """
    rows = await connection.fetch(ALL_LATEST, ids)
    if len(rows) != len(set(ids)):
        message = "There is no document with one of these ids"
        raise VaultFault(ErrorType.INVALID_DATA, message)
