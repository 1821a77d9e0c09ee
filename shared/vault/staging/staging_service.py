"""Serves the staging area as its users see it: with their paths, permissions and quotas."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize, granted
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import Item, StoredFile, as_faults
from shared.vault.files.paths import (
    ROOT,
    StagingArea,
    checked_name,
    quota_root,
    split,
    user_folder,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_service import JobService

MOVE = "file_staging_move"
DELETE = "file_staging_delete"
MAX_UPLOAD = 50 * 2**20  # bytes in one call; larger files come in parts
PAGE = 1000
USAGE_MAX_AGE = 30.0  # seconds that a sum of sizes is used before it is added up again

NO_ITEM = "There is no such file or folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingLimits:
    """Bounds of the staging area, in bytes."""

    file_bytes: int
    user_bytes: int


class StagingService:
    """Reads and writes the staging area; changes of many items at once are jobs."""

    def __init__(
        self,
        files: FileStore,
        jobs: JobService,
        limits: StagingLimits,
    ) -> None:
        self._files = files
        self._jobs = jobs
        self.limits = limits
        # When the sizes in a user's folder were added up, and the bytes they came to. In between a process counts
        # its own uploads only: a user may exceed the limit by what other processes take in half a minute.
        self._usage: dict[str, tuple[float, int]] = {}

    def area(self, caller: Caller) -> StagingArea:
        """Return the part of the staging area that the caller sees.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        authorize(caller, Grant.USE_STAGING)
        folder = user_folder(caller.user_id)
        everything = granted(caller, Grant.MANAGE_STAGING)
        return StagingArea(folder, everything)

    async def list(
        self,
        caller: Caller,
        path: str,
        *,
        recursive: bool,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Item], str | None]:
        """Return a page of a folder's items, or the file itself, and the cursor of the next page.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such item, or for a cursor of another
            list.
        """
        area = self.area(caller)
        key = area.key(path)
        after = None if cursor is None else _position(cursor, key)
        # One more than is returned, to know whether there is a next page.
        items = await self._files.list(
            key, recursive=recursive, after=after, limit=limit + 1
        )
        if not items and after is None:
            items = await self._file_alone(area, key)
        following = _cursor(items[limit - 1]) if len(items) > limit else None
        return items[:limit], following

    async def _file_alone(self, area: StagingArea, key: str) -> Sequence[Item]:
        """Return the list for a key without items below it: the file itself, or nothing for an empty folder.

        :raises VaultFault: INVALID_DATA when there is no such item.
        """
        found = await self._files.find(key)
        # A user's folder is made with the first file in it.
        if found is None and key != area.root:
            raise VaultFault(ErrorType.INVALID_DATA, NO_ITEM)
        if found is None or found.is_folder:
            return ()
        return (found,)

    async def file(self, caller: Caller, path: str) -> Item:
        """Return the file at a path.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such file.
        """
        area = self.area(caller)
        return await self._file(area.key(path))

    async def file_to_load(self, caller: Caller, path: str) -> Item:
        """Return the file in a job's parameters.

        A caller who sees the whole area may name a file in their own folder by its path in that folder.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such file.
        """
        area = self.area(caller)
        try:
            return await self._file(area.key(path))
        except VaultFault:
            return await self._file(area.own_key(path))

    async def _file(self, key: str) -> Item:
        """Return the file of a key.

        :raises VaultFault: INVALID_DATA when there is no file with this key.
        """
        item = await self._files.find(key)
        if item is None or item.is_folder:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no such file")
        return item

    def content(
        self,
        item: Item,
        start: int = 0,
        length: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file that the caller may read: from ``start`` on, at most ``length``, in chunks."""
        return self._files.get(item.key, start, length)

    async def create_file(
        self,
        caller: Caller,
        path: str,
        content: AsyncIterable[bytes],
        *,
        overwrite: bool,
        md5: str | None,
    ) -> StoredFile:
        """Store a file of at most 50 MB; ``md5`` (hex) is its expected checksum.

        :raises VaultFault: INSUFFICIENT_ACCESS; PARAMETER_REQUIRED for an empty path; INVALID_DATA for one that is not
            valid, or another checksum; EXCEEDS_FILE_MAX_SIZE; ITEM_NAME_EXISTS when there is a file and
            ``overwrite`` is False.
        """
        key = self._new_key(caller, path)
        await self.require_room(key, 0)
        limit = self._upload_limit(key)
        with as_faults():
            stored = await self._files.put(
                key, content, overwrite=overwrite, limit=limit, md5=md5
            )
        self._count(key, stored.size)
        return stored

    async def keep(
        self,
        caller: Caller,
        path: str,
        content: AsyncIterable[bytes],
        size: int,
    ) -> None:
        """Store a file of ``size`` bytes, made by a job, in the caller's own folder; replace an earlier one.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for a path that is not valid; EXCEEDS_FILE_MAX_SIZE when
            the folder has no room.
        """
        key = self.area(caller).own_key(path)
        await self.require_room(key, size)
        with as_faults():
            stored = await self._files.put(key, content)
        self._count(key, stored.size)

    async def create_folder(self, caller: Caller, path: str) -> str:
        """Make a folder, and return its key.

        :raises VaultFault: as ``create_file`` does.
        """
        key = self._new_key(caller, path)
        with as_faults():
            await self._files.make_folder(key)
        return key

    def _new_key(self, caller: Caller, path: str) -> str:
        """Return the key of a new item.

        :raises VaultFault: PARAMETER_REQUIRED for an empty path; as ``_changeable`` does.
        """
        if not split(path):
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [path]"
            )
        area = self.area(caller)
        return self._changeable(area, path)

    @staticmethod
    def _changeable(area: StagingArea, path: str) -> str:
        """Return the key of an item that may be changed.

        :raises VaultFault: OPERATION_NOT_ALLOWED for the root; INVALID_DATA for a path that is not valid.
        """
        key = area.key(path)
        if key == area.root:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The root of the staging area cannot be changed",
            )
        return key

    async def move(
        self,
        caller: Caller,
        path: str,
        parent: str | None,
        name: str | None,
    ) -> int:
        """Submit a job that moves an item to another folder, renames it, or both, and return its id.

        :raises VaultFault: INSUFFICIENT_ACCESS; PARAMETER_REQUIRED without either; INVALID_DATA when there is no such
            item, or for a path that is not valid; OPERATION_NOT_ALLOWED for the root, and for a folder into itself.
        """
        area = self.area(caller)
        source = self._changeable(area, path)
        if not parent and not name:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED,
                "Missing required parameter [parent] or [name]",
            )
        source_folder, _, source_name = source.rpartition("/")
        folder = area.key(parent) if parent else source_folder
        new_name = checked_name(name) if name else source_name
        target = f"{folder}/{new_name}"
        # Both parts are valid by themselves, and may be too deep or too long together.
        split(target)
        if f"{target}/".startswith(f"{source}/"):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "An item cannot be moved onto or into itself",
            )
        if await self._files.find(source) is None:
            raise VaultFault(ErrorType.INVALID_DATA, NO_ITEM)
        keys = {"source": source, "target": target}
        return await self._jobs.submit(caller, MOVE, "Move file staging item", keys)

    async def delete(
        self,
        caller: Caller,
        path: str,
        *,
        recursive: bool,
    ) -> int:
        """Submit a job that deletes a file or folder, and return its id.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such item; OPERATION_NOT_ALLOWED for the
            root, and for a folder with items unless ``recursive``.
        """
        area = self.area(caller)
        key = self._changeable(area, path)
        item = await self._files.find(key)
        if item is None:
            raise VaultFault(ErrorType.INVALID_DATA, NO_ITEM)
        if item.is_folder and not recursive and await self._files.list(key, limit=1):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The folder is not empty; parameter [recursive] is not set",
            )
        # Room becomes free: sizes are added up again.
        self._usage.clear()
        title = "Delete file staging item"
        return await self._jobs.submit(caller, DELETE, title, {"key": key})

    async def require_room(self, key: str, size: int) -> None:
        """Check that a file of ``size`` bytes is small enough, and fits in the quota of its user's folder.

        :raises VaultFault: EXCEEDS_FILE_MAX_SIZE.
        """
        if size > self.limits.file_bytes:
            raise VaultFault(
                ErrorType.EXCEEDS_FILE_MAX_SIZE,
                f"A file has at most {self.limits.file_bytes} bytes",
            )
        root = quota_root(key)
        bound = self.limits.user_bytes
        read, used = self._usage.get(root, (0.0, bound))
        outdated = time.monotonic() - read > USAGE_MAX_AGE
        # A sum that leaves no room is never relied on: something may have been deleted.
        if outdated or used + size >= bound:
            used = await self._used(root)
            self._note_usage(root, used)
        if used + size >= bound:
            message = f"A user's files have at most {bound} bytes together"
            raise VaultFault(ErrorType.EXCEEDS_FILE_MAX_SIZE, message)

    def _note_usage(self, root: str, used: int) -> None:
        """Cache the total size of a folder; drop all cached sizes when there are too many."""
        if len(self._usage) >= PAGE:
            self._usage = {}
            return
        self._usage[root] = (time.monotonic(), used)

    async def _used(self, root: str) -> int:
        """Return the sum of the sizes of a folder's files, added up only until it exceeds the limit."""
        used = 0
        after: str | None = None
        while items := await self._files.list(
            root, recursive=True, after=after, limit=PAGE
        ):
            used += sum(item.size for item in items)
            if used >= self.limits.user_bytes:
                break
            after = items[-1].position
        return used

    def _upload_limit(self, key: str) -> int:
        """Return the maximum size in bytes of a file that is sent in one call."""
        root = quota_root(key)
        _, used = self._usage.get(root, (0.0, 0))
        room = self.limits.user_bytes - used
        return min(MAX_UPLOAD, self.limits.file_bytes, room)

    def _count(self, key: str, size: int) -> None:
        """Add a new file to the cached total size of its user's folder, if any."""
        root = quota_root(key)
        if root in self._usage:
            read, used = self._usage[root]
            self._usage[root] = (read, used + size)


def _cursor(item: Item) -> str:
    """Return the cursor of the page after an item."""
    position = item.position.removeprefix(ROOT)
    return base64.urlsafe_b64encode(position.encode()).decode()


def _position(cursor: str, folder: str) -> str:
    """Return the position in a cursor.

    :raises VaultFault: INVALID_DATA when the text is not a cursor, or is the cursor of another folder.
    """
    invalid = VaultFault(ErrorType.INVALID_DATA, "Invalid value for parameter [cursor]")
    try:
        decoded = base64.urlsafe_b64decode(cursor.encode())
        position = ROOT + decoded.decode()
    except (binascii.Error, ValueError) as error:
        raise invalid from error
    # A cursor is not signed: one that was made up must not lead out of the folder.
    if not position.startswith(f"{folder}/"):
        raise invalid
    return position
