"""Carries out resumable uploads: opens sessions, stores their parts, and joins the parts to files."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize_own, granted
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import as_faults, delete_tree

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_service import JobService
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Database

COMMIT = "file_staging_commit"
UPLOADS = "uploads"
MAX_SESSIONS = 50
# One user leaves room for others, unless they administer the area.
MAX_OWN_SESSIONS = 25
MAX_PARTS = 2000
MAX_PART = 50 * 2**20
LIFETIME = timedelta(hours=72)

# Upload sessions with what has been uploaded of each: one, and those that are open, of one owner or of all.
SESSION = """
SELECT s.*, count(p.part_number) AS uploaded_parts, coalesce(sum(p.size), 0)::bigint AS uploaded
FROM platform.upload_session s LEFT JOIN platform.upload_part p ON p.session_id = s.id
"""
ONE = f"{SESSION} WHERE s.id = $1 GROUP BY s.id"
ACTIVE = f"""
{SESSION} WHERE s.expiration_date > now() AND ($1::bigint IS NULL OR s.owner = $1)
GROUP BY s.id ORDER BY s.created_date, s.id LIMIT {MAX_SESSIONS}
"""
# A new session, unless too many are open, or too many of the owner.
CREATE = f"""
INSERT INTO platform.upload_session (id, owner, path, size, overwrite, expiration_date)
SELECT $1, $2, $3, $4, $5, now() + $6::interval
FROM (SELECT count(*) AS every, count(*) FILTER (WHERE owner = $2) AS own
    FROM platform.upload_session WHERE expiration_date > now()) AS open
WHERE open.every < {MAX_SESSIONS} AND open.own < $7 RETURNING id
"""
# A part, new or in place of the one of its number, unless the session has been committed.
PUT_PART = """
WITH touched AS (UPDATE platform.upload_session SET last_uploaded_date = now()
    WHERE id = $1 AND job_id IS NULL RETURNING id)
INSERT INTO platform.upload_part (session_id, part_number, size, md5, stored_as) SELECT id, $2, $3, $4, $5 FROM touched
ON CONFLICT (session_id, part_number) DO UPDATE
SET size = excluded.size, md5 = excluded.md5, stored_as = excluded.stored_as RETURNING part_number
"""
# The parts of a session in their order.
PARTS = "SELECT part_number, size, md5, stored_as FROM platform.upload_part WHERE session_id = $1 ORDER BY part_number"
# The job has a day to join the parts, whenever the session would have expired.
COMMITTED = """
UPDATE platform.upload_session SET job_id = $2, expiration_date = greatest(expiration_date, now() + interval '1 day')
WHERE id = $1 AND job_id IS NULL RETURNING id
"""
# A session that a job has not put in place, for another attempt; one that ends; those that have expired.
REOPEN = "UPDATE platform.upload_session SET job_id = NULL WHERE id = $1"
REMOVE = "DELETE FROM platform.upload_session WHERE id = $1"
EXPIRED = (
    "DELETE FROM platform.upload_session WHERE expiration_date < now() RETURNING id"
)
ENDED = "The upload session has been committed or aborted"


@dataclass(frozen=True, slots=True)
class UploadSession:
    """One upload: ``key`` is the key of its file, ``job_id`` the job that joins its parts."""

    id: str
    owner: int
    key: str
    size: int
    overwrite: bool
    job_id: int | None
    created_date: datetime
    expiration_date: datetime
    last_uploaded_date: datetime
    uploaded_parts: int
    uploaded: int


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """One part of an upload, with its key in the store."""

    part_number: int
    size: int
    md5: str
    key: str


class UploadService:
    """Carries out the uploads of a Vault; owners see their uploads, callers with ``Grant.MANAGE_STAGING`` see all."""

    def __init__(
        self,
        database: Database,
        files: FileStore,
        staging: StagingService,
        jobs: JobService,
    ) -> None:
        self._database = database
        self._files = files
        self._staging = staging
        self._jobs = jobs

    async def create(
        self,
        caller: Caller,
        path: str,
        size: int,
        *,
        overwrite: bool,
    ) -> UploadSession:
        """Open a session for a file of ``size`` bytes.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for a path or size that is not valid;
            EXCEEDS_FILE_MAX_SIZE; ITEM_NAME_EXISTS when there is an item and ``overwrite`` is False;
            OPERATION_NOT_ALLOWED when too many sessions are open.
        """
        area = self._staging.area(caller)
        key = area.key(path)
        if size < 1:
            raise VaultFault(
                ErrorType.INVALID_DATA, "Invalid value for parameter [size]"
            )
        await self._staging.require_room(key, size)
        if not overwrite and await self._files.find(key) is not None:
            raise VaultFault(
                ErrorType.ITEM_NAME_EXISTS, "There is an item of this name already"
            )
        session_id = secrets.token_hex(16)
        administers = granted(caller, Grant.MANAGE_STAGING)
        most = MAX_SESSIONS if administers else MAX_OWN_SESSIONS
        async with self._database.connection() as connection:
            created = await connection.fetchval(
                CREATE,
                session_id,
                caller.user_id,
                key,
                size,
                overwrite,
                LIFETIME,
                most,
            )
        if created is None:
            message = (
                f"At most {MAX_SESSIONS} uploads are open at a time, {most} of one user"
            )
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        return await self.session(caller, session_id)

    async def session(
        self,
        caller: Caller,
        session_id: str,
    ) -> UploadSession:
        """Return one session.

        :raises VaultFault: INVALID_DATA when there is no such session; INSUFFICIENT_ACCESS for another user's.
        """
        self._staging.area(caller)
        async with self._database.connection() as connection:
            row = await connection.fetchrow(ONE, session_id)
        if row is None:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no such upload session")
        authorize_own(caller, row["owner"], Grant.MANAGE_STAGING)
        return _session(row)

    async def sessions(self, caller: Caller) -> Sequence[UploadSession]:
        """Return the open sessions that the caller may see, the oldest first.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        self._staging.area(caller)
        owner = None if granted(caller, Grant.MANAGE_STAGING) else caller.user_id
        async with self._database.connection() as connection:
            rows = await connection.fetch(ACTIVE, owner)
        return [_session(row) for row in rows]

    async def put_part(
        self,
        caller: Caller,
        session_id: str,
        number: int,
        content: AsyncIterable[bytes],
        md5: str | None,
    ) -> UploadedPart:
        """Store a part of a session; a part that is sent again replaces the earlier one.

        :raises VaultFault: as ``session`` does; INVALID_DATA for a part out of order, or a checksum other than
            ``md5``; EXCEEDS_FILE_MAX_SIZE; OPERATION_NOT_ALLOWED when the session has been committed or aborted.
        """
        session = await self.session(caller, session_id)
        if not 1 <= number <= min(session.uploaded_parts + 1, MAX_PARTS):
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "Parts are numbered from 1, and must be sent in that order",
            )
        # A key of its own: a part that is sent twice at once is never written twice at one key.
        stored_as = f"{number:05d}-{uuid4()}"
        key = _part_key(session_id, stored_as)
        limit = min(MAX_PART, session.size)
        with as_faults():
            stored = await self._files.put(key, content, limit=limit, md5=md5)
        before = await self.stored_parts(session_id)
        async with self._database.connection() as connection:
            kept = await connection.fetchval(
                PUT_PART, session_id, number, stored.size, stored.md5, stored_as
            )
        if kept is None:
            await self._files.delete(key)
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, ENDED)
        for replaced in before:
            if replaced.part_number == number:
                await self._files.delete(replaced.key)
        return UploadedPart(number, stored.size, stored.md5, key)

    async def parts(
        self,
        caller: Caller,
        session_id: str,
    ) -> Sequence[UploadedPart]:
        """Return the parts that a session has so far, in their order.

        :raises VaultFault: as ``session`` does.
        """
        await self.session(caller, session_id)
        return await self.stored_parts(session_id)

    async def stored_parts(self, session_id: str) -> Sequence[UploadedPart]:
        """Return the stored parts of a session, without a check of access."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(PARTS, session_id)
        return [_part(session_id, row) for row in rows]

    async def commit(self, caller: Caller, session_id: str) -> int:
        """Submit a job that joins the parts, and return its id; return the same id when called again.

        :raises VaultFault: as ``session`` does; INVALID_DATA when parts are missing; OPERATION_NOT_ALLOWED when the
            session ends meanwhile.
        """
        session = await self.session(caller, session_id)
        if session.job_id is not None:
            return session.job_id
        if session.uploaded != session.size:
            message = f"{session.uploaded} bytes of {session.size} have been uploaded"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        # One transaction: of two commits at once, one submits its job and the other nothing.
        async with self._database.transaction() as connection:
            job_id = await self._jobs.submit(
                caller,
                COMMIT,
                "Commit upload session",
                {"session": session_id},
                connection=connection,
            )
            if await connection.fetchval(COMMITTED, session_id, job_id) is None:
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, ENDED)
        return job_id

    async def abort(self, caller: Caller, session_id: str) -> None:
        """End a session, and remove its parts.

        :raises VaultFault: as ``session`` does; OPERATION_NOT_ALLOWED when it has been committed.
        """
        session = await self.session(caller, session_id)
        if session.job_id is not None:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, "The upload session has been committed"
            )
        await self.remove(session_id)

    async def remove(self, session_id: str) -> None:
        """Remove a session and its parts."""
        async with self._database.connection() as connection:
            await connection.execute(REMOVE, session_id)
        await delete_tree(self._files, f"{UPLOADS}/{session_id}")

    async def reopen(self, session_id: str) -> None:
        """Reopen a session after its file could not be stored, so that it can be committed again."""
        async with self._database.connection() as connection:
            await connection.execute(REOPEN, session_id)

    async def purge(self) -> int:
        """Remove the sessions that have expired, and return their number."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(EXPIRED)
        for row in rows:
            await delete_tree(self._files, f"{UPLOADS}/{row['id']}")
        return len(rows)

    async def joined(self, parts: Sequence[UploadedPart]) -> AsyncIterator[bytes]:
        """Yield the bytes of all parts in their order, in chunks."""
        for part in parts:
            async for chunk in self._files.get(part.key):
                yield chunk


async def md5_of(content: AsyncIterable[bytes]) -> str:
    """Return the MD5 checksum of bytes, in hex."""
    digest = hashlib.md5(usedforsecurity=False)
    async for chunk in content:
        digest.update(chunk)
    return digest.hexdigest()


def _part_key(session_id: str, stored_as: str) -> str:
    """Return the key of a part in the store."""
    return f"{UPLOADS}/{session_id}/{stored_as}"


def _part(session_id: str, row: Record) -> UploadedPart:
    """Return a row of PARTS as a part."""
    key = _part_key(session_id, row["stored_as"])
    return UploadedPart(row["part_number"], row["size"], row["md5"], key)


def _session(row: Record) -> UploadSession:
    """Return a row of SESSION as a session."""
    return UploadSession(
        id=row["id"],
        owner=row["owner"],
        key=row["path"],
        size=row["size"],
        overwrite=row["overwrite"],
        job_id=row["job_id"],
        created_date=row["created_date"],
        expiration_date=row["expiration_date"],
        last_uploaded_date=row["last_uploaded_date"] or row["created_date"],
        uploaded_parts=row["uploaded_parts"],
        uploaded=row["uploaded"],
    )
