"""The tables of attachments: each call changes any number of them with one statement a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from shared.vault.files.attachment_model import (
    Addition,
    Attachment,
    Known,
    Step,
    Version,
)
from shared.vault.files.content_service import Content
from shared.vault.storage.database import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection

SELECT = """
SELECT a.id, a.record_id, a.filename, a.external_id,
    v.version, v.description, v.created_by, v.created_date, c.sha256, c.size, c.md5, c.stored_as
FROM platform.attachment a JOIN platform.attachment_version v ON v.attachment_id = a.id
    JOIN platform.content c USING (sha256)
WHERE a.object = $1 AND {condition} ORDER BY a.id, v.version
"""
OF_RECORD = SELECT.format(condition="a.record_id = $2")
BY_ID = SELECT.format(condition="a.id = ANY($2::int[])")
BY_EXTERNAL_ID = SELECT.format(condition="a.external_id = ANY($2::text[])")
# Those of the records to which an addition makes a new version, and those that have its bytes.
KNOWN = """
SELECT DISTINCT a.id, a.record_id, a.filename, a.last_version, v.version, v.sha256, v.description
FROM unnest($2::text[], $3::text[], $4::text[]) AS u(record_id, filename, sha256)
    JOIN platform.attachment a ON a.object = $1 AND a.record_id = u.record_id
    JOIN LATERAL (
        SELECT v.version, v.sha256, v.description FROM platform.attachment_version v
        WHERE v.attachment_id = a.id ORDER BY v.version DESC LIMIT 1
    ) v ON true
WHERE a.filename = u.filename OR v.sha256 = u.sha256
"""
NEW_IDS = "SELECT nextval('platform.attachment_id') FROM generate_series(1, $1)"
PUT = """
INSERT INTO platform.attachment (object, id, record_id, filename, external_id, last_version)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::int[])
ON CONFLICT (id) DO UPDATE SET last_version = excluded.last_version,
    external_id = coalesce(excluded.external_id, attachment.external_id)
"""
PUT_VERSIONS = """
INSERT INTO platform.attachment_version (created_by, created_date, attachment_id, version, description, sha256)
SELECT $1, $2, * FROM unnest($3::int[], $4::int[], $5::text[], $6::text[])
"""
DESCRIBE = """
UPDATE platform.attachment_version v SET description = u.description
FROM unnest($1::int[], $2::int[], $3::text[]) AS u(id, version, description)
WHERE v.attachment_id = u.id AND v.version = u.version
"""
REMOVE = """
WITH gone AS (DELETE FROM platform.attachment WHERE id = ANY($1::int[]) RETURNING object, record_id, id, external_id)
INSERT INTO platform.deletion (object, record_id, attachment_id, external_id) SELECT * FROM gone
"""
REMOVE_VERSION = """
WITH gone AS (
    DELETE FROM platform.attachment_version WHERE attachment_id = $1 AND version = $2 RETURNING attachment_id, version)
INSERT INTO platform.deletion (object, record_id, attachment_id, external_id, version)
SELECT a.object, a.record_id, a.id, a.external_id, gone.version FROM gone JOIN platform.attachment a ON a.id = $1
"""
FORGET = """
WITH gone AS (
    DELETE FROM platform.attachment a USING unnest($1::text[], $2::text[]) AS u(object, record_id)
    WHERE a.object = u.object AND a.record_id = u.record_id RETURNING a.object, a.record_id, a.id, a.external_id)
INSERT INTO platform.deletion (object, record_id, attachment_id, external_id) SELECT * FROM gone
"""
# A name that the other record has is told apart by the record that the file comes from.
MOVE = """
UPDATE platform.attachment a SET record_id = $3, filename = CASE WHEN EXISTS (
    SELECT FROM platform.attachment o WHERE o.object = $1 AND o.record_id = $3 AND o.filename = a.filename
) THEN a.record_id || ' ' || a.filename ELSE a.filename END
WHERE a.object = $1 AND a.record_id = $2
"""


async def of_record(
    connection: Connection, object_name: str, record_id: str
) -> list[Attachment]:
    """The attachments of a record, the oldest first."""
    return list(_attachments(await connection.fetch(OF_RECORD, object_name, record_id)))


async def by_id(
    connection: Connection, object_name: str, ids: Sequence[int]
) -> dict[object, Attachment]:
    """Attachments of an object's records by their ids; they are not locked."""
    return {
        each.id: each
        for each in _attachments(await connection.fetch(BY_ID, object_name, list(ids)))
    }


async def by_external_id(
    connection: Connection, object_name: str, ids: Sequence[str]
) -> dict[object, Attachment]:
    """Attachments of an object's records by their external ids; they are not locked."""
    rows = await connection.fetch(BY_EXTERNAL_ID, object_name, list(ids))
    return {each.external_id: each for each in _attachments(rows)}


def _attachments(rows: Sequence[Record]) -> Iterator[Attachment]:
    for (id_, record_id, filename, external_id), group in groupby(
        rows, lambda row: tuple(row.values())[:4]
    ):
        yield Attachment(
            id_, record_id, filename, external_id, tuple(map(_version, group))
        )


def _version(row: Record) -> Version:
    content = Content(row["sha256"], row["size"], row["md5"], row["stored_as"])
    return Version(
        row["version"],
        row["description"],
        content,
        row["created_by"],
        row["created_date"],
    )


async def known_to(
    connection: Connection, object_name: str, additions: Sequence[Addition]
) -> list[Known]:
    """The attachments that matter to additions; their records are locked by the caller."""
    columns = [
        [getattr(each, name) for each in additions]
        for name in ("record_id", "filename", "sha256")
    ]
    return [
        Known(**row) for row in await connection.fetch(KNOWN, object_name, *columns)
    ]


async def new_ids(connection: Connection, count: int) -> Iterator[int]:
    """Ids that no attachment has had."""
    return iter([row[0] for row in await connection.fetch(NEW_IDS, count)])


async def put(
    connection: Connection, caller: Caller, object_name: str, steps: Sequence[Step]
) -> None:
    """Store what the steps add."""
    if not steps:
        return
    lasting: Mapping[int, Step] = {step.after.id: step for step in steps}
    external = {
        step.after.id: step.addition.external_id
        for step in steps
        if step.addition.external_id
    }
    heads = [
        (
            id_,
            step.after.record_id,
            step.after.filename,
            external.get(id_),
            step.after.last_version,
        )
        for id_, step in lasting.items()
    ]
    await connection.execute(PUT, object_name, *map(list, zip(*heads, strict=True)))
    versions = [
        (s.after.id, s.after.version, s.after.description, s.after.sha256)
        for s in steps
    ]
    now = await moment(connection)
    await connection.execute(
        PUT_VERSIONS, caller.user_id, now, *map(list, zip(*versions, strict=True))
    )


async def describe(
    connection: Connection, described: Sequence[tuple[Attachment, str | None]]
) -> None:
    """Give the latest versions of attachments these descriptions."""
    lines = [(each.id, each.latest.number, text) for each, text in described]
    if lines:
        await connection.execute(DESCRIBE, *map(list, zip(*lines, strict=True)))


async def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Delete attachments with all their versions, and list them as deleted."""
    await connection.execute(REMOVE, list(ids))


async def remove_version(
    connection: Connection, attachment_id: int, version: int
) -> None:
    """Delete a version that is not the only one, and list it as deleted."""
    await connection.execute(REMOVE_VERSION, attachment_id, version)


async def forget(
    connection: Connection, objects: Sequence[str], record_ids: Sequence[str]
) -> None:
    """Delete the attachments of records that are gone, and list them as deleted."""
    await connection.execute(FORGET, objects, record_ids)


async def move(
    connection: Connection, object_name: str, source: str, target: str
) -> None:
    """Give a record's attachments to another record of the object."""
    await connection.execute(MOVE, object_name, source, target)
