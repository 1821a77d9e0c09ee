"""Reads and writes the tables of attachments: a call changes many attachments, with one statement for each table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from shared.vault.files.attachment_model import (
    Addition,
    Attachment,
    Step,
    StoredAttachment,
    Version,
)
from shared.vault.files.content_service import Content
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection

# Attachments of an object's records with their versions, the earliest first.
SELECT = """
SELECT a.id, a.record_id, a.filename, a.external_id,
    v.version, v.description, v.created_by, v.created_date, c.sha256, c.size, c.md5, c.stored_as
FROM platform.attachment a JOIN platform.attachment_version v ON v.attachment_id = a.id
    JOIN platform.content c USING (sha256)
WHERE a.object = $1 AND {condition} ORDER BY a.id, v.version
"""
# The attachments of a record, and attachments by their ids and external ids.
OF_RECORD = SELECT.format(condition="a.record_id = $2")
BY_ID = SELECT.format(condition="a.id = ANY($2::int[])")
BY_EXTERNAL_ID = SELECT.format(condition="a.external_id = ANY($2::text[])")
# Attachments that an addition may concern: those with its file name, which get a version, and those with its bytes.
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
# Ids that no attachment has had.
NEW_IDS = "SELECT nextval('platform.attachment_id') FROM generate_series(1, $1)"
# Attachments, new or with a new version; an external id that they have stays unless another one comes.
PUT = """
INSERT INTO platform.attachment (object, id, record_id, filename, external_id, last_version)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::int[])
ON CONFLICT (id) DO UPDATE SET last_version = excluded.last_version,
    external_id = coalesce(excluded.external_id, attachment.external_id)
"""
# New versions of attachments, of one user and moment.
PUT_VERSIONS = """
INSERT INTO platform.attachment_version (created_by, created_date, attachment_id, version, description, sha256)
SELECT $1, $2, * FROM unnest($3::int[], $4::int[], $5::text[], $6::text[])
"""
# Descriptions of versions.
DESCRIBE = """
UPDATE platform.attachment_version v SET description = u.description
FROM unnest($1::int[], $2::int[], $3::text[]) AS u(id, version, description)
WHERE v.attachment_id = u.id AND v.version = u.version
"""
# One statement deletes and lists the deletion, so that the deletions call never misses an attachment.
REMOVE = """
WITH gone AS (DELETE FROM platform.attachment WHERE id = ANY($1::int[]) RETURNING object, record_id, id, external_id)
INSERT INTO platform.deletion (object, record_id, attachment_id, external_id) SELECT * FROM gone
"""
# A single version; the deletions call lists versions too.
REMOVE_VERSION = """
WITH gone AS (
    DELETE FROM platform.attachment_version WHERE attachment_id = $1 AND version = $2 RETURNING attachment_id, version)
INSERT INTO platform.deletion (object, record_id, attachment_id, external_id, version)
SELECT a.object, a.record_id, a.id, a.external_id, gone.version FROM gone JOIN platform.attachment a ON a.id = $1
"""
# The attachments of records that are deleted, which the deletions call lists by themselves.
FORGET = """
WITH gone AS (
    DELETE FROM platform.attachment a USING unnest($1::text[], $2::text[]) AS u(object, record_id)
    WHERE a.object = u.object AND a.record_id = u.record_id RETURNING a.object, a.record_id, a.id, a.external_id)
INSERT INTO platform.deletion (object, record_id, attachment_id, external_id) SELECT * FROM gone
"""
# A file whose name the other record has gets the id of its own record before its name.
MOVE = """
UPDATE platform.attachment a SET record_id = $3, filename = CASE WHEN EXISTS (
    SELECT FROM platform.attachment o WHERE o.object = $1 AND o.record_id = $3 AND o.filename = a.filename
) THEN a.record_id || ' ' || a.filename ELSE a.filename END
WHERE a.object = $1 AND a.record_id = $2
"""


async def of_record(
    connection: Connection,
    object_name: str,
    record_id: str,
) -> list[Attachment]:
    """Return the attachments of a record, the oldest first."""
    rows = await connection.fetch(OF_RECORD, object_name, record_id)
    return list(_attachments(rows))


async def by_id(
    connection: Connection,
    object_name: str,
    ids: Sequence[int],
) -> dict[object, Attachment]:
    """Return attachments of an object's records by their ids, without a lock."""
    rows = await connection.fetch(BY_ID, object_name, list(ids))
    return {each.id: each for each in _attachments(rows)}


async def by_external_id(
    connection: Connection,
    object_name: str,
    ids: Sequence[str],
) -> dict[object, Attachment]:
    """Return attachments of an object's records by their external ids, without a lock."""
    rows = await connection.fetch(BY_EXTERNAL_ID, object_name, list(ids))
    return {each.external_id: each for each in _attachments(rows)}


def _attachments(rows: Sequence[Record]) -> Iterator[Attachment]:
    """Yield the attachments in rows of SELECT, in which the versions of an attachment are adjacent."""
    for head, group in groupby(rows, _head):
        attachment_id, record_id, filename, external_id = head
        versions = tuple(map(_version, group))
        yield Attachment(attachment_id, record_id, filename, external_id, versions)


def _head(row: Record) -> tuple[int, str, str, str | None]:
    """Return the values that are equal in all rows of one attachment."""
    return row["id"], row["record_id"], row["filename"], row["external_id"]


def _version(row: Record) -> Version:
    """Return a row of SELECT as a version."""
    content = Content(row["sha256"], row["size"], row["md5"], row["stored_as"])
    return Version(
        row["version"],
        row["description"],
        content,
        row["created_by"],
        row["created_date"],
    )


async def attachments_changed_by(
    connection: Connection,
    object_name: str,
    additions: Sequence[Addition],
) -> list[StoredAttachment]:
    """Return the stored attachments that additions may change; the caller has locked their records."""
    columns = (
        [each.record_id for each in additions],
        [each.filename for each in additions],
        [each.sha256 for each in additions],
    )
    rows = await connection.fetch(KNOWN, object_name, *columns)
    return [StoredAttachment(**row) for row in rows]


async def new_ids(connection: Connection, count: int) -> Iterator[int]:
    """Return ids that no attachment has ever had."""
    rows = await connection.fetch(NEW_IDS, count)
    return iter([row[0] for row in rows])


async def put(
    connection: Connection,
    caller: Caller,
    object_name: str,
    steps: Sequence[Step],
) -> None:
    """Store the attachments and versions that steps add."""
    if not steps:
        return
    # An attachment to which several steps add is stored once, as the last one leaves it.
    last: Mapping[int, Step] = {step.after.id: step for step in steps}
    external_ids = {
        step.after.id: step.addition.external_id
        for step in steps
        if step.addition.external_id
    }
    heads = []
    for attachment_id, step in last.items():
        after = step.after
        external_id = external_ids.get(attachment_id)
        head = (
            attachment_id,
            after.record_id,
            after.filename,
            external_id,
            after.last_version,
        )
        heads.append(head)
    await connection.execute(PUT, object_name, *_columns(heads))
    versions = [
        (after.id, after.version, after.description, after.sha256)
        for after in (step.after for step in steps)
    ]
    now = await moment(connection)
    await connection.execute(PUT_VERSIONS, caller.user_id, now, *_columns(versions))


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Return rows (at least one) as arrays of columns, which ``unnest`` converts back to rows."""
    return [list(column) for column in zip(*rows, strict=True)]


async def describe(
    connection: Connection, described: Sequence[tuple[Attachment, str | None]]
) -> None:
    """Change the descriptions of the latest versions of attachments."""
    rows = [(each.id, each.latest.number, text) for each, text in described]
    if rows:
        await connection.execute(DESCRIBE, *_columns(rows))


async def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Delete attachments with all their versions, and list them as deleted."""
    await connection.execute(REMOVE, list(ids))


async def remove_version(
    connection: Connection,
    attachment_id: int,
    version: int,
) -> None:
    """Delete a version that is not the only one, and list it as deleted."""
    await connection.execute(REMOVE_VERSION, attachment_id, version)


async def forget(
    connection: Connection,
    objects: Sequence[str],
    record_ids: Sequence[str],
) -> None:
    """Delete the attachments of deleted records, and list them as deleted."""
    await connection.execute(FORGET, objects, record_ids)


async def move(
    connection: Connection,
    object_name: str,
    source: str,
    target: str,
) -> None:
    """Move a record's attachments to another record of the object."""
    await connection.execute(MOVE, object_name, source, target)
