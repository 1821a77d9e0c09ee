"""Documents in the database: statements on versions and files, inside a transaction that has begun."""

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
from shared.vault.records import write_statements as statements

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.files.content_service import Content
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.storage.database import Connection

# One writer a document at a time: a version that follows is then always of the latest.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('document.' || id, 2)) FROM unnest($1::bigint[]) AS id"
# One creator a key at a time: whoever waited sees what the other has made.
KEYS_ALONE = """SELECT pg_advisory_xact_lock(hashtextextended('document.' || $1::text || '.' || key, 2))
FROM unnest($2::text[]) AS key"""
NEXT_ID = "SELECT nextval('platform.document_id')"
NEXT_IDS = "SELECT nextval('platform.document_id') AS id FROM generate_series(1, $1)"
LATEST = (
    f"SELECT id FROM {table(VERSIONS)} WHERE {DOCUMENT_ID} = $1 AND latest_version__sys"
)
ALL_LATEST = f"SELECT id FROM {table(VERSIONS)} WHERE {DOCUMENT_ID} = ANY($1::bigint[]) AND latest_version__sys"
NUMBERED = f"""SELECT id FROM {table(VERSIONS)}
WHERE {DOCUMENT_ID} = $1 AND major_version_number__v = $2 AND minor_version_number__v = $3"""
IDS = f"SELECT id FROM {table(VERSIONS)} WHERE {DOCUMENT_ID} = $1"
NOT_LATEST = (
    f"UPDATE {table(VERSIONS)} SET latest_version__sys = false WHERE {DOCUMENT_ID} = $1"
)
MAKE_LATEST = f"""UPDATE {table(VERSIONS)} SET latest_version__sys = true WHERE id = (
    SELECT id FROM {table(VERSIONS)} WHERE {DOCUMENT_ID} = $1
    ORDER BY major_version_number__v DESC, minor_version_number__v DESC LIMIT 1)"""
DELETE = f"DELETE FROM {table(VERSIONS)} WHERE id = ANY($1::text[])"
DELETE_FILES = "DELETE FROM platform.document_file WHERE version_id = ANY($1::text[])"
MAJOR = f"SELECT max(major_version_number__v) FROM {table(VERSIONS)} WHERE {DOCUMENT_ID} = $1"
RENUMBER = f"""UPDATE {table(VERSIONS)}
SET id = $2, global_version_id__sys = $3, major_version_number__v = $4, minor_version_number__v = $5 WHERE id = $1"""
RENUMBER_FILES = (
    "UPDATE platform.document_file SET version_id = $2 WHERE version_id = $1"
)
COPY_FILE = """INSERT INTO platform.document_file (version_id, rendition, sha256, filename, format)
SELECT $2, rendition, sha256, filename, format FROM platform.document_file WHERE version_id = $1 AND rendition = ''"""
IN_STATE = f"""UPDATE {table(VERSIONS)} SET status__v = $3
WHERE {DOCUMENT_ID} = $1 AND lifecycle__v = $2 AND status__v = ANY($4::text[]) AND id <> $5 RETURNING id, status__v"""


@dataclass(frozen=True, slots=True)
class Place:
    """Which version of which document; the latest where no number is given."""

    document_id: int
    number: Number | None = None


async def insert(
    connection: Connection, versions: VaultObject, rows: Sequence[Mapping[str, object]]
) -> None:
    """Store versions that are new; what one of them does not have is empty."""
    fields = [
        field
        for field in versions.fields.values()
        if any(field.name in values for values in rows)
    ]
    columns = ([values.get(field.name) for values in rows] for field in fields)
    await connection.fetch(statements.insert_statement(versions, fields), *columns)


async def update(
    connection: Connection,
    versions: VaultObject,
    changes: Mapping[str, Mapping[str, object]],
) -> None:
    """Change fields of stored versions, by their ids; all have the same fields."""
    names = next(iter(changes.values())).keys()
    fields = [field for field in versions.fields.values() if field.name in names]
    columns = ([values[field.name] for values in changes.values()] for field in fields)
    await connection.execute(
        statements.update_statement(versions, fields), list(changes), *columns
    )


async def locked(connection: Connection, versions: VaultObject, place: Place) -> Record:
    """A version with all its stored fields, held until the transaction ends.

    :raises VaultFault: INVALID_DATA when there is no such version.
    """
    await connection.execute(ALONE, [place.document_id])
    (record,) = await _held(connection, versions, [await find(connection, place)])
    return record


async def taken(connection: Connection, key: str, values: Sequence[str]) -> set[str]:
    """Those of the values of a text field that a document has; nobody else makes one with any of them meanwhile."""
    await connection.execute(KEYS_ALONE, key, sorted(set(values)))
    named = f"{quote(key)} = ANY($1::text[]) AND latest_version__sys"
    rows = await connection.fetch(
        f"SELECT {quote(key)} AS key FROM {table(VERSIONS)} WHERE {named}", values
    )
    return {row["key"] for row in rows}


async def latest_locked(
    connection: Connection, versions: VaultObject, ids: Sequence[int]
) -> dict[int, Record]:
    """The latest versions of those documents that there are, held until the transaction ends."""
    await connection.execute(ALONE, sorted(ids))
    found = [row["id"] for row in await connection.fetch(ALL_LATEST, ids)]
    return {
        record[DOCUMENT_ID]: record
        for record in await _held(connection, versions, found)
    }


async def _held(
    connection: Connection, versions: VaultObject, ids: Sequence[str]
) -> list[Record]:
    sql = statements.lock_statement(versions, versions.fields["id"], _others(versions))
    return list(await connection.fetch(sql, ids))


def _others(versions: VaultObject) -> list[Field]:
    return [field for field in versions.fields.values() if field.name != "id"]


async def find(connection: Connection, place: Place) -> str:
    """The id of a version; raises VaultFault INVALID_DATA when there is none."""
    if place.number is None:
        found = await connection.fetchval(LATEST, place.document_id)
    else:
        found = await connection.fetchval(
            NUMBERED, place.document_id, place.number.major, place.number.minor
        )
    if found is None:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "There is no document, or no version of it, with this number",
        )
    return str(found)


async def latest_major(connection: Connection, document_id: int) -> int:
    """The highest major number that a document has."""
    return int(await connection.fetchval(MAJOR, document_id))


OCTETS = "application/octet-stream"


KEEP = """
INSERT INTO platform.document_file (version_id, rendition, sha256, filename, format) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (version_id, rendition) DO UPDATE
SET sha256 = EXCLUDED.sha256, filename = EXCLUDED.filename, format = EXCLUDED.format
"""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that has been sent and is kept, and the name it came under."""

    content: Content
    filename: str

    @property
    def format(self) -> str:
        """Its MIME type, as far as the name tells."""
        return mimetypes.guess_type(self.filename)[0] or OCTETS


async def keep_file(
    connection: Connection, version: str, rendition: str, file: SourceFile
) -> None:
    """Make a file that of a version, in place of the one it had."""
    await connection.execute(
        KEEP, version, rendition, file.content.sha256, file.filename, file.format
    )
