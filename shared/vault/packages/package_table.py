"""Stores the files of packages, and in separate tables the results of validation and deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault.components.schema import quote
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import NotFound
from shared.vault.packages.package_archive import MAX_FILE_BYTES
from shared.vault.packages.package_model import OUTBOUND, PACKAGE

if TYPE_CHECKING:
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_logs import JobLog
    from shared.vault.storage.database import Connection, Database

FOLDER = "packages"  # of the file store

STORE = """
INSERT INTO platform.package (record_id, file_key, file_name, size, validation) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (record_id) DO UPDATE SET file_key = excluded.file_key, file_name = excluded.file_name,
    size = excluded.size, validation = excluded.validation, created_date = now()
"""
LOG = """
INSERT INTO platform.package_log (record_id, name, kind, content) VALUES ($1, $2, $3, $4)
ON CONFLICT (record_id, name) DO UPDATE SET content = excluded.content, created_date = now()
"""
# Lines that were written as the rows were; put together by the server, for they may be many.
MOVE = """
INSERT INTO platform.package_log (record_id, name, kind, content)
SELECT $1, $2, $3, string_agg(lines, '' ORDER BY position)
FROM platform.job_log WHERE job_id = $4 AND task_id = $5 AND log = $6 HAVING count(*) > 0
ON CONFLICT (record_id, name) DO UPDATE SET content = excluded.content, created_date = now()
"""
LOGS = """
SELECT name, kind, created_date FROM platform.package_log WHERE record_id = $1 ORDER BY created_date, name
"""
# Rows of this table stay when their record is deleted: they count as gone then.
RECORD = f"""
(EXISTS (SELECT FROM records.{quote(PACKAGE)} r WHERE r.id = p.record_id)
OR EXISTS (SELECT FROM records.{quote(OUTBOUND)} r WHERE r.id = p.record_id))
"""
FIND = f"SELECT * FROM platform.package p WHERE record_id = $1 AND {RECORD}"
# Packages whose record has been deleted; their files can go with them.
ABANDONED = f"""
DELETE FROM platform.package p WHERE created_date < now() - interval '1 minute' AND NOT {RECORD} RETURNING file_key
"""


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package's file, and the documents of its validation and deployment; None before the first one."""

    record_id: str
    file_key: str
    file_name: str
    size: int
    validation: Mapping[str, object] | None
    deployment: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class PackageLog:
    """A log of a package; ``kind`` is ``validation``, ``deployment`` or ``data``."""

    name: str
    kind: str
    created_date: datetime


class PackageTable:
    """Reads and writes the data of packages that their records do not contain."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, record_id: str) -> StoredPackage | None:
        """Return the stored data of an existing package record, or None."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(FIND, record_id)
        if row is None:
            return None
        return StoredPackage(
            row["record_id"],
            row["file_key"],
            row["file_name"],
            row["size"],
            _document(row["validation"]),
            _document(row["deployment"]),
        )

    async def logs(self, record_id: str) -> Sequence[PackageLog]:
        """Return the logs of a package, oldest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(LOGS, record_id)
        return [PackageLog(*row) for row in rows]

    async def log(
        self,
        record_id: str,
        name: str,
    ) -> str | None:
        """Return the text of one log, or None."""
        sql = "SELECT content FROM platform.package_log WHERE record_id = $1 AND name = $2"
        async with self._database.connection() as connection:
            found: str | None = await connection.fetchval(sql, record_id, name)
        return found

    @staticmethod
    async def store(
        connection: Connection,
        package: StoredPackage,
    ) -> None:
        """Store a package's file and validation, replacing earlier ones."""
        await connection.execute(
            STORE,
            package.record_id,
            package.file_key,
            package.file_name,
            package.size,
            _json(package.validation),
        )

    @staticmethod
    async def set_validation(
        connection: Connection,
        record_id: str,
        document: Mapping[str, object],
    ) -> None:
        """Replace the result of validation."""
        sql = "UPDATE platform.package SET validation = $2 WHERE record_id = $1"
        await connection.execute(sql, record_id, _json(document))

    @staticmethod
    async def set_deployment(
        connection: Connection,
        record_id: str,
        document: Mapping[str, object],
    ) -> None:
        """Replace the result of deployment."""
        sql = "UPDATE platform.package SET deployment = $2 WHERE record_id = $1"
        await connection.execute(sql, record_id, _json(document))

    @staticmethod
    async def write_log(
        connection: Connection,
        record_id: str,
        name: str,
        kind: str,
        content: str,
    ) -> None:
        """Write a log, replacing one of the same name."""
        await connection.execute(
            LOG,
            record_id,
            name,
            kind,
            content,
        )

    @staticmethod
    async def move_log(
        connection: Connection,
        record_id: str,
        name: str,
        kind: str,
        log: JobLog,
    ) -> None:
        """Write a log from the lines of a job, replacing one of the same name; remove the job's lines."""
        await connection.execute(
            MOVE,
            record_id,
            name,
            kind,
            log.job_id,
            log.task_id,
            log.log,
        )
        await log.clear(connection)

    async def remove_abandoned(self) -> Sequence[str]:
        """Delete packages whose record was deleted; return the keys of their files."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(ABANDONED)
        return [row["file_key"] for row in rows]


def _json(document: Mapping[str, object] | None) -> str | None:
    return None if document is None else orjson.dumps(document).decode()


def _document(text: str | None) -> Mapping[str, object] | None:
    found: Mapping[str, object] | None = None if text is None else orjson.loads(text)
    return found


async def put_file(files: FileStore, content: bytes) -> str:
    """Store a file under a new key, and return the key."""
    key = f"{FOLDER}/{uuid4()}.vpk"

    async def whole() -> AsyncIterator[bytes]:
        yield content

    await files.put(key, whole(), limit=MAX_FILE_BYTES)
    return key


async def get_file(files: FileStore, key: str) -> bytes:
    """Return the file of a key.

    :raises VaultFault: INVALID_DATA when it is not in the store any more.
    """
    content = bytearray()
    try:
        async for chunk in files.get(key):
            content += chunk
    except NotFound as error:
        message = "The file of the package is not in the store any more"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error
    return bytes(content)
