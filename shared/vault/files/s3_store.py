"""The store in an S3-compatible bucket: an object a file, and an empty object ``name/`` for a folder that was made."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.vault.files.file_store import (
    CHUNK,
    AlreadyThere,
    Digest,
    Item,
    NotEmpty,
    NotFound,
    StoredFile,
    in_blocks,
)

PART = (
    16 * 2**20
)  # bytes; an upload has at most 10,000 parts, so that a file may have 156 GiB
COPY_PART = 2**30
LAST = "\U0010ffff"  # behind every other character in a key
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
TAKEN = frozenset({"412", "PreconditionFailed"})
TIMEOUTS = {
    "connect_timeout": 5,
    "read_timeout": 60,
    "retries": {"max_attempts": 4, "mode": "standard"},
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the store is; without keys the machine's own credentials are used, without endpoint it is at AWS."""

    name: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None


class S3Store:
    """Files in one bucket; needs the package ``aiobotocore``."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._session: Any = importlib.import_module(
            "aiobotocore.session"
        ).get_session()
        self._config: Any = importlib.import_module("aiobotocore.config").AioConfig(
            **TIMEOUTS
        )
        self._error: type[Exception] = importlib.import_module(
            "botocore.exceptions"
        ).ClientError
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
        """See FileStore."""
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
            await asyncio.shield(
                self._call("abort_multipart_upload", Key=key, UploadId=upload)
            )
            raise
        return stored

    async def get(
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """See FileStore."""
        item = await self._file(key)
        if item is None:
            raise NotFound
        end = item.size if length is None else min(item.size, start + length)
        if start >= end:
            return
        answer = await self._call(
            "get_object", Key=key, Range=f"bytes={start}-{end - 1}"
        )
        body = answer["Body"]
        try:
            while chunk := await body.read(CHUNK):
                yield chunk
        finally:
            body.close()

    async def find(self, key: str) -> Item | None:
        """See FileStore."""
        file = await self._file(key)
        if file is not None:
            return file
        inside = await self._call("list_objects_v2", Prefix=f"{key}/", MaxKeys=1)
        return Item(key, is_folder=True) if inside.get("KeyCount") else None

    async def list(
        self,
        folder: str,
        *,
        recursive: bool = False,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Item]:
        """See FileStore."""
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
        items = [
            self._item(entry)
            for entry in page.get("Contents", ())
            if not entry["Key"].endswith("/")
        ]
        folders = [entry["Prefix"][:-1] for entry in page.get("CommonPrefixes", ())]
        if recursive:
            folders = _folders_of(
                [entry["Key"] for entry in page.get("Contents", ())],
                prefix,
                after or "",
            )
        items += [Item(key, is_folder=True) for key in folders]
        return sorted(items, key=lambda item: item.position)[:limit]

    async def make_folder(self, key: str) -> None:
        """See FileStore."""
        await self._require_place(f"{key}/")
        if await self.find(key) is not None:
            raise AlreadyThere
        await self._call("put_object", Key=f"{key}/", Body=b"")

    async def delete(self, key: str) -> None:
        """See FileStore."""
        inside = await self._call("list_objects_v2", Prefix=f"{key}/", MaxKeys=2)
        if any(entry["Key"] != f"{key}/" for entry in inside.get("Contents", ())):
            raise NotEmpty
        await self._call("delete_object", Key=key)
        await self._call("delete_object", Key=f"{key}/")

    async def move(self, source: str, target: str, *, resumed: bool = False) -> None:
        """See FileStore."""
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
        while contents := (
            await self._call("list_objects_v2", Prefix=f"{source}/")
        ).get("Contents"):
            for entry in contents:
                await self._move_object(
                    entry["Key"], target + entry["Key"][len(source) :], entry["Size"]
                )

    async def _move_object(self, source: str, target: str, size: int) -> None:
        origin = {"Bucket": self._bucket.name, "Key": source}
        if size <= COPY_PART:
            await self._call("copy_object", Key=target, CopySource=origin)
        else:
            await self._copy_parts(origin, target, size)
        await self._call("delete_object", Key=source)

    async def _copy_parts(self, origin: dict[str, str], target: str, size: int) -> None:
        upload = (await self._call("create_multipart_upload", Key=target))["UploadId"]
        parts = []
        for number, start in enumerate(range(0, size, COPY_PART), 1):
            span = f"bytes={start}-{min(size, start + COPY_PART) - 1}"
            options = {
                "CopySource": origin,
                "CopySourceRange": span,
                "UploadId": upload,
                "PartNumber": number,
            }
            copied = await self._call("upload_part_copy", Key=target, **options)
            parts.append(
                {"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]}
            )
        await self._call(
            "complete_multipart_upload",
            Key=target,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
        )

    async def tidy(self, before: datetime) -> None:
        """See FileStore."""
        begun = await self._call("list_multipart_uploads")
        for upload in begun.get("Uploads", ()):
            if upload["Initiated"] < before:
                await self._call(
                    "abort_multipart_upload",
                    Key=upload["Key"],
                    UploadId=upload["UploadId"],
                )

    async def close(self) -> None:
        """See FileStore."""
        self._opened = None
        await self._stack.aclose()

    async def _require_place(self, key: str) -> None:
        """Refuse a key below a file, or of a folder; raises AlreadyThere."""
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
        return Item(
            entry["Key"],
            is_folder=False,
            size=entry["Size"],
            modified=entry["LastModified"],
        )

    async def _conditional(self, operation: str, **options: object) -> None:
        try:
            await self._call(operation, **options)
        except self._error as error:
            if _code(error) in TAKEN:
                raise AlreadyThere from error
            raise

    async def _call(self, operation: str, **options: object) -> Any:
        client = await self._client()
        try:
            return await getattr(client, operation)(Bucket=self._bucket.name, **options)
        except self._error as error:
            if _code(error) in MISSING:
                raise NotFound from error
            raise

    async def _client(self) -> Any:
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
    """The folders above these keys that have not been listed before ``after``."""
    folders: dict[str, None] = {}
    for key in keys:
        names = key[len(prefix) :].split("/")[:-1]
        for depth in range(1, len(names) + 1):
            folder = prefix + "/".join(names[:depth])
            if not after.startswith(f"{folder}/"):
                folders[folder] = None
    return list(folders)


def _code(error: Exception) -> str:
    response: Any = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
