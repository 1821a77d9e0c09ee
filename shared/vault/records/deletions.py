"""Finds the records that a deletion also deletes, and stores the list of deleted records for 30 days.

A record is locked before the records that refer to it are read. A call that is adding such a record holds a lock that
the deletion waits for, and a later call waits for the deletion: so the deletion finds them all, and none is added
meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may, require
from shared.vault.errors import ApiError, VaultFault
from shared.vault.files.attachment_table import forget
from shared.vault.model.component_model import Field, FieldType, RelationshipDeletion
from shared.vault.model.field_types import quoted, table
from shared.vault.records.lineage_entries import forget_lineage
from shared.vault.records.record_roles import forget_roles

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

RETENTION = timedelta(days=30)
DOCUMENTS = "documents"  # listed by their own ids, one version of several by its id
PURGE = 5000  # rows of one statement
NO_EXTERNAL_IDS: Mapping[str, str | None] = MappingProxyType({})

NOTE = """
INSERT INTO platform.deletion (object, record_id, external_id, date_deleted)
SELECT object, record_id, external_id, now
FROM unnest($1::text[], $2::text[], $3::text[]) AS gone (object, record_id, external_id), platform.change_date() AS now
"""
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
# A workflow without its record has nobody to go on with; others of its records may be left.
LEAVE_WORKFLOWS = """
WITH gone AS (
    UPDATE platform.workflow_item i SET active = false FROM unnest($1::text[], $2::text[]) AS u(object, record_id)
    WHERE i.object = u.object AND i.record_id = u.record_id AND i.active RETURNING i.id, i.workflow_id
), ended AS (
    UPDATE platform.workflow w SET status = 'cancelled', ended_date = date_trunc('milliseconds', now()),
        modified_date = date_trunc('milliseconds', now())
    WHERE w.id IN (SELECT workflow_id FROM gone) AND NOT EXISTS (SELECT FROM platform.workflow_item i
        WHERE i.workflow_id = w.id AND i.active AND i.id NOT IN (SELECT id FROM gone)) RETURNING w.id
)
UPDATE platform.workflow_task t SET status = 'cancelled', ended_date = date_trunc('milliseconds', now()),
    modified_date = date_trunc('milliseconds', now())
FROM ended WHERE t.workflow_id = ended.id AND t.status IN ('available', 'assigned')
"""
# In the order of their ids, so that two deletions never wait for each other.
LOCK = "SELECT FROM {table} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
REFERRED = """
SELECT DISTINCT {column} FROM {table} WHERE {column} = ANY($1::text[]) AND id <> {column}
"""
REFERS = "SELECT EXISTS (SELECT FROM {table} WHERE {column} = ANY($1::text[]) AND id <> {column})"
BELOW = "SELECT id FROM {table} WHERE {column} = ANY($1::text[]) LIMIT $2"
MAX_BELOW = 1000  # records that would be deleted with another, for which blocking references are looked for
CHILDREN = "SELECT id, {column} FROM {table} WHERE {column} = ANY($1::text[]) ORDER BY id FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Reach:
    """The records that a deletion would delete, and the requested records that cannot be deleted.

    ``blocked``: id of a requested record that cannot be deleted → ``object.field`` by which a record refers to it, or
    to a record below it, and blocks the deletion. ``roots``: object → id of a record that would be deleted → id of the
    requested record: that record itself, or one above it.
    """

    blocked: dict[str, str]
    roots: Mapping[str, Mapping[str, str]]

    def refuse(self, caller: Caller, requested: str) -> dict[str, ApiError]:
        """Return the errors of requested records that cannot be deleted, by id; ``requested`` is their object.

        Block those with which records of other objects would be deleted that the caller may not delete.
        """
        refused: dict[str, ApiError] = {}
        for root, blocker in self.blocked.items():
            # Which objects have hidden records is not said either.
            shown = may(caller, blocker.partition(".")[0], Operation.READ)
            by = f"[{blocker}]" if shown else "a record that you may not read"
            message = f"The record is referred to by {by}"
            refused[root] = ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
        for name, root_of in self.roots.items():
            if name == requested or may(caller, name, Operation.DELETE):
                continue
            shown = may(caller, name, Operation.READ)
            which = f"of [{name}] " if shown else ""
            message = (
                f"A record {which}that you may not delete would be deleted with it"
            )
            error = ApiError(ErrorType.INSUFFICIENT_ACCESS, message)
            for root in root_of.values():
                refused.setdefault(root, error)
                self.blocked.setdefault(root, name)
        return refused

    def to_delete(self) -> dict[str, list[str]]:
        """Return the ids of the records to delete, by object, without those below a blocked record."""
        found: dict[str, list[str]] = {}
        for name, root_of in self.roots.items():
            found[name] = [i for i, root in root_of.items() if root not in self.blocked]
        return found


async def reach_of(
    connection: Connection,
    registry: Registry,
    object_name: str,
    ids: Sequence[str],
) -> Reach:
    """Lock these records and all that would be deleted with them, and return the reach of the deletion."""
    await connection.execute(LOCK.format(table=table(object_name)), ids)
    blocked: dict[str, str] = {}
    # Each record that would be deleted → the requested record that it is or is below.
    root_of = dict(zip(ids, ids, strict=True))
    roots: dict[str, dict[str, str]] = defaultdict(dict, {object_name: dict(root_of)})
    level = {object_name: list(ids)}
    while level:
        following: dict[str, list[str]] = defaultdict(list)
        for owner, parents in level.items():
            for child, field in references(registry, owner):
                match field.relationship_deletion:
                    case RelationshipDeletion.BLOCK:
                        for parent in await _blocked(connection, child, field, parents):
                            blocker = f"{child}.{field.name}"
                            blocked.setdefault(root_of[parent], blocker)
                    case RelationshipDeletion.CASCADE:
                        children = await _children(connection, child, field, parents)
                        for record_id, parent in children:
                            # Records may refer to each other in a circle: each goes once.
                            if record_id not in root_of:
                                root = root_of[parent]
                                root_of[record_id] = roots[child][record_id] = root
                                following[child].append(record_id)
                    case RelationshipDeletion.SET_NULL:
                        pass  # it stays, and its reference is emptied
                    case _:
                        assert_never(field.relationship_deletion)
        level = following
    return Reach(blocked, roots)


async def first_blocker(
    connection: Connection,
    registry: Registry,
    object_name: str,
    record_id: str,
) -> tuple[str, Field] | None:
    """Return an object and its field by which a record blocks the deletion of a record, or of one below it.

    Nothing is locked, so that the deletion itself may find other references. None when nothing is found to block it
    among the first ``MAX_BELOW`` records.
    """
    reached = {record_id}
    level = {object_name: [record_id]}
    while level and len(reached) < MAX_BELOW:
        following: dict[str, list[str]] = defaultdict(list)
        for owner, parents in level.items():
            for child, field in references(registry, owner):
                place = {"table": table(child), "column": quoted(field.name)}
                match field.relationship_deletion:
                    case RelationshipDeletion.BLOCK:
                        if await connection.fetchval(REFERS.format(**place), parents):
                            return child, field
                    case RelationshipDeletion.CASCADE:
                        below = BELOW.format(**place)
                        rows = await connection.fetch(below, parents, MAX_BELOW)
                        found = {row["id"] for row in rows} - reached
                        reached |= found
                        following[child] += sorted(found)
                    case RelationshipDeletion.SET_NULL:
                        pass  # it stays, and its reference is emptied
                    case _:
                        assert_never(field.relationship_deletion)
        level = {child: ids for child, ids in following.items() if ids}
    return None


def references(registry: Registry, object_name: str) -> Iterator[tuple[str, Field]]:
    """Yield the fields that refer to an object, each with its own object."""
    for other in registry.objects.values():
        for field in other.fields.values():
            if field.type is FieldType.OBJECT and field.object == object_name:
                yield other.name, field


async def _blocked(
    connection: Connection,
    child: str,
    field: Field,
    ids: Sequence[str],
) -> list[str]:
    """Return the ids of the records that another record refers to; a record does not block itself."""
    sql = REFERRED.format(table=table(child), column=quoted(field.name))
    records = await connection.fetch(sql, ids)
    return [record[0] for record in records]


async def _children(
    connection: Connection,
    child: str,
    field: Field,
    ids: Sequence[str],
) -> list[tuple[str, str]]:
    """Lock the child records that are deleted with these parents; return pairs of child id and parent id."""
    sql = CHILDREN.format(table=table(child), column=quoted(field.name))
    records = await connection.fetch(sql, ids)
    return [(record[0], record[1]) for record in records]


async def note_deletions(
    connection: Connection,
    deleted: Mapping[str, Iterable[str]],
    external_ids: Mapping[str, str | None] = NO_EXTERNAL_IDS,
) -> None:
    """List records (ids by object) as deleted, in the deletion's transaction; delete their rows in other tables.

    ``external_ids`` are those of documents or versions, by the ids under which they are listed.
    """
    objects: list[str] = []
    ids: list[str] = []
    for name, record_ids in deleted.items():
        for record_id in record_ids:
            objects.append(name)
            ids.append(record_id)
    if ids:
        listed = [external_ids.get(record_id) for record_id in ids]
        await connection.execute(NOTE, objects, ids, listed)
        await forget_roles(connection, objects, ids)
        await forget(connection, objects, ids)
        await forget_lineage(connection, objects, ids)
        await connection.execute(LEAVE_WORKFLOWS, objects, ids)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deleted record, or a deleted attachment of a record, or one deleted version of an attachment.

    Only documents and attachments have an external id here.
    """

    record_id: str
    date_deleted: datetime
    attachment_id: int | None
    version: int | None
    external_id: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the list of deletions: a period, and a page within it."""

    start: datetime | None
    end: datetime | None
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeletionPage:
    """A page of deletions, the earliest first, and the number of all deletions in the span."""

    deletions: list[Deletion]
    total: int


class DeletionService:
    """Carries out the deletions calls of the API."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def page(
        self,
        caller: Caller,
        object_name: str,
        span: Span,
        *,
        attachments: bool = False,
    ) -> DeletionPage:
        """Return a page of an object's deletions in a span of the last 30 days: records, or attachments.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA for an unknown object.
        """
        target = self._components.registry.objects.get(object_name)
        if object_name != DOCUMENTS and (target is None or not target.active):
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        require(caller, object_name, Operation.READ)
        now = datetime.now(UTC)
        # What is older may or may not be purged yet: it is not returned either way.
        oldest = now - RETENTION
        start = max(span.start or oldest, oldest)
        listed = (object_name, start, span.end or now, attachments)
        async with self._database.query_connection(caller.user_id) as connection:
            total = await connection.fetchval(COUNT, *listed)
            rows = await connection.fetch(PAGE, *listed, span.limit, span.offset)
        deletions = [Deletion(**row) for row in rows]
        return DeletionPage(deletions, total)

    async def purge(self) -> int:
        """Remove deletions from the list that are older than 30 days; return their number."""
        removed = 0
        while True:
            oldest = datetime.now(UTC) - RETENTION
            # A connection, and so a transaction, for each part: the rows are not locked for long.
            async with self._database.connection() as connection:
                status = await connection.execute(EXPIRED, oldest, PURGE)
            count = int(status.rpartition(" ")[2])
            removed += count
            if count < PURGE:
                return removed
