"""The list of deleted records: written with every deletion, read by those who keep copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.components.schema import quote, table
from shared.vault.errors import VaultFault
from shared.vault.files.attachment_table import forget
from shared.vault.model.component_model import Field, FieldType, RelationshipDeletion
from shared.vault.records.lineage_entries import forget_lineage
from shared.vault.records.record_roles import forget_roles

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database


@dataclass(frozen=True, slots=True)
class Reach:
    """What a deletion comes to.

    ``held``: id of a record that must stay → ``object.field`` that holds it, or a record that would go with it.
    ``going``: object → id of a record that would go → the one of those asked for that it would go with.
    """

    held: Mapping[str, str]
    going: Mapping[str, Mapping[str, str]]

    def gone(self) -> dict[str, list[str]]:
        """The records that go when those that are held stay, by object."""
        return {
            name: [i for i, root in ids.items() if root not in self.held]
            for name, ids in self.going.items()
        }


async def reach_of(
    connection: Connection,
    registry: Registry,
    object_name: str,
    ids: Sequence[str],
) -> Reach:
    """What deleting these records of an object would come to; all that would go are locked."""
    await connection.execute(
        f"SELECT FROM {table(object_name)} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE",
        ids,
    )
    found: dict[str, str] = {}
    doomed = {
        record_id: record_id for record_id in ids
    }  # each record that would go → the one it goes with
    going: dict[str, dict[str, str]] = defaultdict(dict, {object_name: dict(doomed)})
    level = {object_name: list(ids)}
    while level:
        following: dict[str, list[str]] = defaultdict(list)
        for owner, doomed_here in level.items():
            for child, field in _references(registry, owner):
                if field.relationship_deletion is RelationshipDeletion.BLOCK:
                    for held in await _held(connection, child, field, doomed_here):
                        found.setdefault(doomed[held], f"{child}.{field.name}")
                    continue
                for record_id, parent in await _children(
                    connection, child, field, doomed_here
                ):
                    if record_id not in doomed:
                        doomed[record_id] = going[child][record_id] = doomed[parent]
                        following[child].append(record_id)
        level = following
    return Reach(found, going)


def _references(registry: Registry, object_name: str) -> Iterator[tuple[str, Field]]:
    """The fields that refer to an object and do not just become empty."""
    for other in registry.objects.values():
        for field in other.fields.values():
            refers = field.type is FieldType.OBJECT and field.object == object_name
            if (
                refers
                and field.relationship_deletion is not RelationshipDeletion.SET_NULL
            ):
                yield other.name, field


async def _held(
    connection: Connection,
    child: str,
    field: Field,
    ids: Sequence[str],
) -> list[str]:
    """Which of the records another one refers to; a record does not hold itself."""
    name = quote(field.name)
    sql = f"SELECT DISTINCT {name} FROM {table(child)} WHERE {name} = ANY($1::text[]) AND id <> {name}"
    return [record[0] for record in await connection.fetch(sql, ids)]


async def _children(
    connection: Connection,
    child: str,
    field: Field,
    ids: Sequence[str],
) -> list[tuple[str, str]]:
    """The records that go with these, each with the one it refers to; they are locked."""
    name = quote(field.name)
    sql = f"SELECT id, {name} FROM {table(child)} WHERE {name} = ANY($1::text[]) ORDER BY id FOR UPDATE"
    return [(record[0], record[1]) for record in await connection.fetch(sql, ids)]


KEPT = timedelta(days=30)
DOCUMENTS = "documents"  # listed by their own ids, one version of several by its id
PURGE = 5000  # rows of one statement

NOTE = "INSERT INTO platform.deletion (object, record_id) SELECT * FROM unnest($1::text[], $2::text[])"
LISTED = """
FROM platform.deletion
WHERE object = $1 AND date_deleted >= $2 AND date_deleted <= $3 AND (attachment_id IS NOT NULL) = $4
"""
COUNT = f"SELECT count(*) {LISTED}"
PAGE = f"""
SELECT record_id, date_deleted, attachment_id, version, external_id {LISTED}
ORDER BY date_deleted, position LIMIT $5 OFFSET $6
"""
EXPIRED = """
DELETE FROM platform.deletion WHERE position IN
    (SELECT position FROM platform.deletion WHERE date_deleted < $1 LIMIT $2)
"""


async def note_deletions(
    connection: Connection, gone: Mapping[str, Iterable[str]]
) -> None:
    """Add records, by object, to the list; in the transaction that deletes them."""
    pairs = [(name, record_id) for name, ids in gone.items() for record_id in ids]
    if pairs:
        objects, ids = (
            [name for name, _ in pairs],
            [record_id for _, record_id in pairs],
        )
        await connection.execute(NOTE, objects, ids)
        await forget_roles(connection, objects, ids)
        await forget(connection, objects, ids)
        await forget_lineage(connection, objects, ids)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A record that was deleted, or an attachment of one, or one version of it."""

    record_id: str
    date_deleted: datetime
    attachment_id: int | None
    version: int | None
    external_id: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a list of deletions: from and to when, how many, after how many."""

    start: datetime | None
    end: datetime | None
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeletionPage:
    """What was deleted, the earliest first, and how much of it there is in all."""

    deletions: list[Deletion]
    total: int


class DeletionService:
    """The deletions call of the API."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def listed(
        self,
        caller: Caller,
        object_name: str,
        span: Span,
        *,
        attachments: bool = False,
    ) -> DeletionPage:
        """A page of an object's deletions in a span of the last 30 days: records, or attachments; raises VaultFault."""
        target = self._components.registry.objects.get(object_name)
        if object_name != DOCUMENTS and (target is None or not target.active):
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        require(caller, object_name, Operation.READ)
        now = datetime.now(UTC)
        listed = (
            object_name,
            max(span.start or now - KEPT, now - KEPT),
            span.end or now,
            attachments,
        )
        async with self._database.connection() as connection:
            total = await connection.fetchval(COUNT, *listed)
            rows = await connection.fetch(PAGE, *listed, span.limit, span.offset)
        return DeletionPage([Deletion(**row) for row in rows], total)

    async def purge(self) -> int:
        """Remove what is older than 30 days; how many rows that were."""
        removed = 0
        while True:
            async with self._database.connection() as connection:
                status = await connection.execute(
                    EXPIRED, datetime.now(UTC) - KEPT, PURGE
                )
            count = int(status.rpartition(" ")[2])
            removed += count
            if count < PURGE:
                return removed
