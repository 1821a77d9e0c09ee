"""Stores files in an S3-compatible bucket: an object for each file, and an object ``name/`` for an empty folder."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.vault.files.file_store import (
    READ_CHUNK,
    AlreadyThere,
    Digest,
    Item,
    NotEmpty,
    NotFound,
    StoredFile,
    in_blocks,
)

# Bytes; an upload has at most 10,000 parts, so that a file may have 156 GiB.
PART = 16 * 2**20
COPY_PART = 2**30  # bytes that are copied in one call
LAST = "\U0010ffff"  # behind every other character in a key
# Codes of S3, and of stores compatible with it, for a missing key and for one that is there already.
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
TAKEN = frozenset({"412", "PreconditionFailed"})
TIMEOUTS = {
    "connect_timeout": 5,
    "read_timeout": 60,
    "retries": {"max_attempts": 4, "mode": "standard"},
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """The address of the store; the keys default to the machine's own credentials, ``endpoint`` to AWS."""

    name: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None


class S3Store:
    """Stores files in one bucket; needs the package ``aiobotocore``."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        # Here, for the package is installed only where this store is used.
        session = importlib.import_module("aiobotocore.session")
        config = importlib.import_module("aiobotocore.config")
        exceptions = importlib.import_module("botocore.exceptions")
        self._session: Any = session.get_session()
        self._config: Any = config.AioConfig(**TIMEOUTS)
        self._error: type[Exception] = exceptions.ClientError
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._opened: Any = None

    async def put(
        self,
        key: str,
        content: AsyncIterable[bytes],
        *,
        overwrite: bool = True,
        limit: int | None = None,
        md5: str | None = None,
    ) -> StoredFile:
        """Store a file; see FileStore."""
        await self._require_place(key)
        condition = {} if overwrite else {"IfNoneMatch": "*"}
        digest = Digest(limit)
        blocks = in_blocks(content, PART)
        first = await anext(blocks, b"")
        digest.update(first)
        following = await anext(blocks, None)
        if following is None:
            stored = digest.stored(key, md5)
            await self._conditional("put_object", Key=key, Body=first, **condition)
            return stored
        return await self._put_parts(
            key, (first, following), blocks, digest, md5, condition
        )

    async def _put_parts(
        self,
        key: str,
        begun: tuple[bytes, bytes],
        blocks: AsyncIterator[bytes],
        digest: Digest,
        md5: str | None,
        condition: dict[str, str],
    ) -> StoredFile:
        """Store a file of several parts: the two parts in ``begun``, and the ``blocks`` that follow.

        :raises AlreadyThere: the ``condition`` forbids an existing file, and there is one.
        """
        upload = (await self._call("create_multipart_upload", Key=key))["UploadId"]
        parts: list[dict[str, object]] = []

        async def send(block: bytes) -> None:
            number = len(parts) + 1
            sent = await self._call(
                "upload_part", Key=key, UploadId=upload, PartNumber=number, Body=block
            )
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})

        try:
            await send(begun[0])
            digest.update(begun[1])
            await send(begun[1])
            async for block in blocks:
                digest.update(block)
                await send(block)
            stored = digest.stored(key, md5)
            complete = {
                "Key": key,
                "UploadId": upload,
                "MultipartUpload": {"Parts": parts},
            }
            await self._conditional(
                "complete_multipart_upload", **complete, **condition
            )
        except BaseException:
            # Also when the caller goes away: parts of an upload that stays open cost room.
            await asyncio.shield(
                self._call("abort_multipart_upload", Key=key, UploadId=upload)
            )
            raise
        return stored

    async def get(
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file; see FileStore."""
        item = await self._file(key)
        if item is None:
            raise NotFound
        end = item.size if length is None else min(item.size, start + length)
        # A range of no bytes is refused by the store.
        if start >= end:
            return
        span = f"bytes={start}-{end - 1}"
        answer = await self._call("get_object", Key=key, Range=span)
        body = answer["Body"]
        try:
            while chunk := await body.read(READ_CHUNK):
                yield chunk
        finally:
            body.close()

    async def find(self, key: str) -> Item | None:
        """Return the file or folder of a key; see FileStore."""
        file = await self._file(key)
        if file is not None:
            return file
        inside = await self._call("list_objects_v2", Prefix=f"{key}/", MaxKeys=1)
        if inside.get("KeyCount"):
            return Item(key, is_folder=True)
        return None

    async def list(
        self,
        folder: str,
        *,
        recursive: bool = False,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Item]:
        """Return the items of a folder, as ``FileStore.list`` does."""
        prefix = f"{folder}/"
        options: dict[str, object] = {
            "Prefix": prefix,
            "StartAfter": after or prefix,
            "MaxKeys": limit,
        }
        if not recursive:
            options["Delimiter"] = "/"
            if after and after.endswith("/"):
                # What is in a folder stands behind it in the order of keys, and is not of this list.
                options["StartAfter"] = after + LAST
        page = await self._call("list_objects_v2", **options)
        entries = page.get("Contents", ())
        items = [
            self._item(entry) for entry in entries if not entry["Key"].endswith("/")
        ]
        if recursive:
            # Without a delimiter the store names no folders: they are in the keys.
            keys = [entry["Key"] for entry in entries]
            folders = _folders_of(keys, prefix, after or "")
        else:
            common = page.get("CommonPrefixes", ())
            folders = [entry["Prefix"].removesuffix("/") for entry in common]
        items += [Item(key, is_folder=True) for key in folders]
        ordered = sorted(items, key=lambda item: item.position)
        return ordered[:limit]

    async def make_folder(self, key: str) -> None:
        """Make a folder; see FileStore."""
        await self._require_place(f"{key}/")
        if await self.find(key) is not None:
            raise AlreadyThere
        await self._call("put_object", Key=f"{key}/", Body=b"")

    async def delete(self, key: str) -> None:
        """Delete a file or an empty folder; see FileStore."""
        own = f"{key}/"
        # Two, for one of them may be the folder's own object.
        inside = await self._call("list_objects_v2", Prefix=own, MaxKeys=2)
        if any(entry["Key"] != own for entry in inside.get("Contents", ())):
            raise NotEmpty
        await self._call("delete_object", Key=key)
        await self._call("delete_object", Key=own)

    async def move(self, source: str, target: str, *, resumed: bool = False) -> None:
        """Move a file or a folder, object by object; see FileStore."""
        item = await self.find(source)
        if item is None:
            if resumed and await self.find(target) is not None:
                return
            raise NotFound
        await self._require_place(target)
        if not resumed and await self.find(target) is not None:
            raise AlreadyThere
        if not item.is_folder:
            await self._move_object(source, target, item.size)
            return
        # Each object is deleted after its copy, so that a resumed move takes those that are left.
        while contents := await self._inside(source):
            for entry in contents:
                key = entry["Key"]
                moved = target + key.removeprefix(source)
                await self._move_object(key, moved, entry["Size"])

    async def _inside(self, folder: str) -> Any:
        """Return the next page of the objects of a folder; None when it has no objects."""
        page = await self._call("list_objects_v2", Prefix=f"{folder}/")
        return page.get("Contents")

    async def _move_object(self, source: str, target: str, size: int) -> None:
        """Copy an object of ``size`` bytes, and delete the original."""
        origin = {"Bucket": self._bucket.name, "Key": source}
        if size <= COPY_PART:
            await self._call("copy_object", Key=target, CopySource=origin)
        else:
            await self._copy_parts(origin, target, size)
        await self._call("delete_object", Key=source)

    async def _copy_parts(self, origin: dict[str, str], target: str, size: int) -> None:
        """Copy an object that is too large for one call."""
        upload = (await self._call("create_multipart_upload", Key=target))["UploadId"]
        parts = []
        for number, start in enumerate(range(0, size, COPY_PART), 1):
            end = min(size, start + COPY_PART)
            options = {
                "CopySource": origin,
                "CopySourceRange": f"bytes={start}-{end - 1}",
                "UploadId": upload,
                "PartNumber": number,
            }
            copied = await self._call("upload_part_copy", Key=target, **options)
            tag = copied["CopyPartResult"]["ETag"]
            parts.append({"PartNumber": number, "ETag": tag})
        await self._call(
            "complete_multipart_upload",
            Key=target,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
        )

    async def tidy(self, before: datetime) -> None:
        """Abort incomplete uploads; see FileStore."""
        begun = await self._call("list_multipart_uploads")
        for upload in begun.get("Uploads", ()):
            if upload["Initiated"] < before:
                await self._call(
                    "abort_multipart_upload",
                    Key=upload["Key"],
                    UploadId=upload["UploadId"],
                )

    async def close(self) -> None:
        """Close the client; see FileStore."""
        self._opened = None
        await self._stack.aclose()

    async def _require_place(self, key: str) -> None:
        """Check that a file, or a folder when the key ends with a slash, may be stored under a key.

        :raises AlreadyThere: the key is below a file, or is that of a folder.
        """
        names = key.rstrip("/").split("/")
        above = ["/".join(names[:depth]) for depth in range(2, len(names))]
        files = await asyncio.gather(*(self._file(parent) for parent in above))
        if any(files):
            raise AlreadyThere
        if not key.endswith("/"):
            inside = await self._call("list_objects_v2", Prefix=f"{key}/", MaxKeys=1)
            if inside.get("KeyCount"):
                raise AlreadyThere

    async def _file(self, key: str) -> Item | None:
        """Return the file of a key; None when there is no file of this key, also for a folder."""
        try:
            head = await self._call("head_object", Key=key)
        except NotFound:
            return None
        return Item(
            key,
            is_folder=False,
            size=head["ContentLength"],
            modified=head["LastModified"],
        )

    @staticmethod
    def _item(entry: Any) -> Item:
        """Return an entry of a list as a file."""
        return Item(
            entry["Key"],
            is_folder=False,
            size=entry["Size"],
            modified=entry["LastModified"],
        )

    async def _conditional(self, operation: str, **options: object) -> None:
        """Write an object under a condition of the store.

        :raises AlreadyThere: the condition does not hold.
        """
        try:
            await self._call(operation, **options)
        except self._error as error:
            if _code(error) in TAKEN:
                raise AlreadyThere from error
            raise

    async def _call(self, operation: str, **options: object) -> Any:
        """Call an operation of the store on the bucket.

        :raises NotFound: there is no such key.
        """
        client = await self._client()
        try:
            return await getattr(client, operation)(Bucket=self._bucket.name, **options)
        except self._error as error:
            if _code(error) in MISSING:
                raise NotFound from error
            raise

    async def _client(self) -> Any:
        """Return the client, which is opened at its first use."""
        # Locked, for two calls at once would open two clients, of which one would never be closed.
        async with self._lock:
            if self._opened is None:
                context = self._session.create_client(
                    "s3",
                    endpoint_url=self._bucket.endpoint,
                    region_name=self._bucket.region,
                    aws_access_key_id=self._bucket.access_key,
                    aws_secret_access_key=self._bucket.secret_key,
                    config=self._config,
                )
                self._opened = await self._stack.enter_async_context(context)
            return self._opened


def _folders_of(keys: Sequence[str], prefix: str, after: str) -> list[str]:
    """Return the folders above these keys that come after the position ``after``."""
    folders: dict[str, None] = {}
    for key in keys:
        *above, _ = key[len(prefix) :].split("/")
        folder = prefix.removesuffix("/")
        for name in above:
            folder = f"{folder}/{name}"
            if not after.startswith(f"{folder}/"):
                folders[folder] = None
    return list(folders)


def _code(error: Exception) -> str:
    """Return the S3 error code of an exception; empty if it has none."""
    response: Any = getattr(error, "response", {})
    details = response.get("Error", {})
    return str(details.get("Code", ""))
