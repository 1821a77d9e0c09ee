"""Stores the list of Direct Data files, and the end of the chain of incremental files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.direct_data.file_contents import Digests
    from shared.vault.storage.database import Connection, Database

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""The start time of full files, whatever the age of the Vault."""
MINUTE = timedelta(minutes=1)


class ExtractType(StrEnum):
    """The types of Direct Data files, by their names in the API."""

    FULL = "full_directdata"
    INCREMENTAL = "incremental_directdata"
    LOG = "log_directdata"

    @property
    def letter(self) -> str:
        """Return the letter at the end of the names of files of this type."""
        match self:
            case ExtractType.FULL:
                return "F"
            case ExtractType.INCREMENTAL:
                return "N"
            case ExtractType.LOG:
                return "L"
            case _:
                assert_never(self)

    @property
    def retention(self) -> timedelta:
        """Return how long a file of this type is available."""
        match self:
            case ExtractType.INCREMENTAL:
                return timedelta(days=10)
            case ExtractType.FULL | ExtractType.LOG:
                return timedelta(days=2)
            case _:
                assert_never(self)

    @property
    def job_title(self) -> str:
        """Return the title of a job that makes a file of this type."""
        return f"Direct Data {self.name.capitalize()}"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file: its size in bytes, and its MD5 checksum in hex."""

    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Direct Data file; its parts are stored below the key ``folder``, by their numbers."""

    name: str
    extract_type: ExtractType
    start_time: datetime
    stop_time: datetime
    record_count: int
    folder: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Return the size of all parts in bytes."""
        return sum(part.size for part in self.parts)

    def key(self, number: int) -> str:
        """Return the key of a part in the store; parts are counted from 1."""
        return f"{self.folder}/{number:03}"


@dataclass(frozen=True, slots=True)
class Chain:
    """The end of the chain of incremental files.

    The next file starts at ``stop_time``, which is in its name, and contains the changes from ``data_until`` on.
    """

    stop_time: datetime
    data_until: datetime
    digests: Digests


def file_name(vault_id: int, extract_type: ExtractType, stop_time: datetime) -> str:
    """Return the name of a file, without the ending: ``1000020-20250513-1330-N``."""
    return f"{vault_id}-{stop_time:%Y%m%d-%H%M}-{extract_type.letter}"


INSERT = """
INSERT INTO platform.direct_data_file (name, extract_type, start_time, stop_time, record_count, folder, parts)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
REPLACED = "DELETE FROM platform.direct_data_file WHERE name = $1 RETURNING folder"
COLUMNS = "name, extract_type, start_time, stop_time, record_count, folder, parts"
# By end and kind: clients take the last one for the newest.
LISTED = f"""
SELECT {COLUMNS} FROM platform.direct_data_file
WHERE ($1::text IS NULL OR extract_type = $1) AND ($2::timestamptz IS NULL OR start_time >= $2)
    AND ($3::timestamptz IS NULL OR stop_time <= $3)
ORDER BY stop_time, extract_type, name
"""
ONE = f"SELECT {COLUMNS} FROM platform.direct_data_file WHERE name = $1"
EXPIRED = """
DELETE FROM platform.direct_data_file WHERE extract_type = $1 AND created_date < $2 RETURNING folder
"""
CHAIN = "SELECT stop_time, data_until, digests FROM platform.direct_data_chain"
# What an expired chain has read until is not continued: the first full file begins anew.
BEGIN = """
INSERT INTO platform.direct_data_chain (stop_time, data_until, digests) VALUES ($1, $2, $3)
ON CONFLICT (one) DO UPDATE
    SET stop_time = excluded.stop_time, data_until = excluded.data_until, digests = excluded.digests
    WHERE direct_data_chain.stop_time = $4
RETURNING one
"""
CONTINUE = """
UPDATE platform.direct_data_chain SET stop_time = $1, data_until = $2, digests = $3 WHERE stop_time = $4 RETURNING one
"""


async def record(connection: Connection, file: DataFile) -> str | None:
    """Store a file in place of one with the same name; return the folder of that one, or None."""
    replaced: str | None = await connection.fetchval(REPLACED, file.name)
    parts = [{"size": part.size, "md5": part.md5} for part in file.parts]
    await connection.execute(
        INSERT,
        file.name,
        file.extract_type,
        file.start_time,
        file.stop_time,
        file.record_count,
        file.folder,
        orjson.dumps(parts).decode(),
    )
    return replaced


async def move_chain(
    connection: Connection, former: Chain | None, chain: Chain, *, begin: bool
) -> None:
    """Store the new end of the chain, unless another file has moved it since ``former`` was read.

    :raises VaultFault: OPERATION_NOT_ALLOWED when another file has moved it.
    """
    seen = None if former is None else former.stop_time
    digests = orjson.dumps(chain.digests).decode()
    statement = BEGIN if begin else CONTINUE
    moved = await connection.fetchval(
        statement, chain.stop_time, chain.data_until, digests, seen
    )
    if not moved:
        message = "Another Direct Data file of this period was made meanwhile"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


class FileTable:
    """Reads the table of files, and the end of the chain."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(
        self,
        extract_type: ExtractType | None = None,
        start: datetime | None = None,
        stop: datetime | None = None,
    ) -> Sequence[DataFile]:
        """Return the files that lie within a period, the earliest end first; None as a bound or type includes all."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(LISTED, extract_type, start, stop)
        return [_file(row) for row in rows]

    async def find(self, name: str) -> DataFile | None:
        """Return the file with a name, or None."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(ONE, name)
        if row is None:
            return None
        return _file(row)

    async def chain(self) -> Chain | None:
        """Return the end of the chain; None before the first full file."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(CHAIN)
        if row is None:
            return None
        digests = orjson.loads(row["digests"])
        return Chain(row["stop_time"], row["data_until"], digests)

    async def remove_expired(self) -> list[str]:
        """Remove the rows of expired files; return the folders of their parts."""
        folders: list[str] = []
        for extract_type in ExtractType:
            before = datetime.now(UTC) - extract_type.retention
            async with self._database.connection() as connection:
                rows = await connection.fetch(EXPIRED, extract_type, before)
            folders += [row["folder"] for row in rows]
        return folders


def _file(row: Record) -> DataFile:
    parts = [Part(each["size"], each["md5"]) for each in orjson.loads(row["parts"])]
    return DataFile(
        name=row["name"],
        extract_type=ExtractType(row["extract_type"]),
        start_time=row["start_time"],
        stop_time=row["stop_time"],
        record_count=row["record_count"],
        folder=row["folder"],
        parts=tuple(parts),
    )
