"""The staging area as its users see it: their paths, what they may do there, and how much of it is theirs."""

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
USAGE_KEPT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class StagingLimits:
    """Bounds of the staging area, in bytes."""

    file_bytes: int
    user_bytes: int


class StagingService:
    """Files and folders of the staging area; changes of many items at once are jobs."""

    def __init__(
        self, files: FileStore, jobs: JobService, limits: StagingLimits
    ) -> None:
        self._files = files
        self._jobs = jobs
        self.limits = limits
        self._usage: dict[str, tuple[float, int]] = {}

    def area(self, caller: Caller) -> StagingArea:
        """The part of the staging area that the caller works in; raises VaultFault ``INSUFFICIENT_ACCESS``."""
        authorize(caller, Grant.USE_STAGING)
        return StagingArea(
            user_folder(caller.user_id), granted(caller, Grant.MANAGE_STAGING)
        )

    async def list(
        self,
        caller: Caller,
        path: str,
        *,
        recursive: bool,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Item], str | None]:
        """A page of a folder's items, or the file itself, and the cursor of the next page."""
        area = self.area(caller)
        key = area.key(path)
        after = None if cursor is None else _position(cursor, key)
        items = await self._files.list(
            key, recursive=recursive, after=after, limit=limit + 1
        )
        if not items and after is None:
            found = await self._files.find(key)
            if found is None and key != area.root:
                raise VaultFault(
                    ErrorType.INVALID_DATA, "There is no such file or folder"
                )
            items = [found] if found is not None and not found.is_folder else []
        following = _cursor(items[limit - 1]) if len(items) > limit else None
        return items[:limit], following

    async def file(self, caller: Caller, path: str) -> Item:
        """The file at a path; raises VaultFault ``INVALID_DATA`` when there is none."""
        return await self._file(self.area(caller).key(path))

    async def file_to_load(self, caller: Caller, path: str) -> Item:
        """The file that a job's parameters name; one who sees everything may name one in their own folder shortly."""
        area = self.area(caller)
        try:
            return await self._file(area.key(path))
        except VaultFault:
            return await self._file(area.own_key(path))

    async def _file(self, key: str) -> Item:
        item = await self._files.find(key)
        if item is None or item.is_folder:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no such file")
        return item

    def content(
        self, item: Item, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a file that the caller has been given."""
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
        """Store a file of at most 50 MB; raises VaultFault."""
        key = self._new_key(caller, path)
        await self.require_room(key, 0)
        with as_faults():
            stored = await self._files.put(
                key,
                content,
                overwrite=overwrite,
                limit=self._upload_limit(key),
                md5=md5,
            )
        self._count(key, stored.size)
        return stored

    async def create_folder(self, caller: Caller, path: str) -> str:
        """Make a folder, and return its key; raises VaultFault ``ITEM_NAME_EXISTS``."""
        key = self._new_key(caller, path)
        with as_faults():
            await self._files.make_folder(key)
        return key

    def _new_key(self, caller: Caller, path: str) -> str:
        if not split(path):
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [path]"
            )
        return self._changeable(self.area(caller), path)

    @staticmethod
    def _changeable(area: StagingArea, path: str) -> str:
        key = area.key(path)
        if key == area.root:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The root of the staging area cannot be changed",
            )
        return key

    async def move(
        self, caller: Caller, path: str, parent: str | None, name: str | None
    ) -> int:
        """Begin to move or rename an item, and return the job's id."""
        area = self.area(caller)
        source = self._changeable(area, path)
        if not parent and not name:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED,
                "Missing required parameter [parent] or [name]",
            )
        folder = area.key(parent) if parent else source.rpartition("/")[0]
        target = f"{folder}/{checked_name(name) if name else source.rpartition('/')[2]}"
        split(target)
        if f"{target}/".startswith(f"{source}/"):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "An item cannot be moved onto or into itself",
            )
        if await self._files.find(source) is None:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no such file or folder")
        return await self._jobs.submit(
            caller, MOVE, "Move file staging item", {"source": source, "target": target}
        )

    async def delete(self, caller: Caller, path: str, *, recursive: bool) -> int:
        """Begin to delete a file or folder, and return the job's id."""
        key = self._changeable(self.area(caller), path)
        item = await self._files.find(key)
        if item is None:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no such file or folder")
        if item.is_folder and not recursive and await self._files.list(key, limit=1):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The folder is not empty; parameter [recursive] is not set",
            )
        self._usage.clear()
        return await self._jobs.submit(
            caller, DELETE, "Delete file staging item", {"key": key}
        )

    async def require_room(self, key: str, size: int) -> None:
        """Refuse a file of ``size`` bytes that is too large, or for which its user's folder has no room.

        :raises VaultFault: EXCEEDS_FILE_MAX_SIZE.
        """
        if size > self.limits.file_bytes:
            raise VaultFault(
                ErrorType.EXCEEDS_FILE_MAX_SIZE,
                f"A file has at most {self.limits.file_bytes} bytes",
            )
        root = quota_root(key)
        read, used = self._usage.get(root, (0.0, self.limits.user_bytes))
        if (
            time.monotonic() - read > USAGE_KEPT
            or used + size >= self.limits.user_bytes
        ):
            used = await self._used(root)
            self._usage = (
                {**self._usage, root: (time.monotonic(), used)}
                if len(self._usage) < PAGE
                else {}
            )
        if used + size >= self.limits.user_bytes:
            message = (
                f"A user's files have at most {self.limits.user_bytes} bytes together"
            )
            raise VaultFault(ErrorType.EXCEEDS_FILE_MAX_SIZE, message)

    async def _used(self, root: str) -> int:
        used, after = 0, None
        while items := await self._files.list(
            root, recursive=True, after=after, limit=PAGE
        ):
            used += sum(item.size for item in items)
            if used >= self.limits.user_bytes:
                break
            after = items[-1].position
        return used

    def _upload_limit(self, key: str) -> int:
        _, used = self._usage.get(quota_root(key), (0.0, 0))
        return min(MAX_UPLOAD, self.limits.file_bytes, self.limits.user_bytes - used)

    def _count(self, key: str, size: int) -> None:
        root = quota_root(key)
        if root in self._usage:
            read, used = self._usage[root]
            self._usage[root] = (read, used + size)


def _cursor(item: Item) -> str:
    return base64.urlsafe_b64encode(item.position.removeprefix(ROOT).encode()).decode()


def _position(cursor: str, folder: str) -> str:
    """The position that a cursor holds; raises VaultFault when it is not one of this folder."""
    try:
        position = ROOT + base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, "Invalid value for parameter [cursor]"
        ) from error
    if not position.startswith(f"{folder}/"):
        raise VaultFault(ErrorType.INVALID_DATA, "Invalid value for parameter [cursor]")
    return position
