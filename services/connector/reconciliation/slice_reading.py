"""Reads the records of a slice: a page of the source's ids, and the target's Links between the same two ids.

A Link is the source Vault's id and the record's id, so both have the same order, and a slice is complete in itself.
Documents are read in the order of their dates; the Links of deleted ones follow at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.connector.points.case_contacts import LINK
from services.connector.points.evaluation import query_all
from services.connector.points.point import Reading
from services.connector.reconciliation.planned_readings import (
    Compared,
    Place,
    PlannedReading,
)
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.rows import literal, select, statements
from services.connector.runs.window import BEGINNING, Cursor, Window, page_statement
from services.connector.vaults.record_access import RecordReads
from shared.client.results import text
from shared.runtime.waiting import concurrently
from shared.spark.envelope import MAX_ITEMS, format_moment

BEGINNING_PLACE = Place(-1, "", "")


@dataclass(frozen=True, slots=True)
class Position:
    """The position at which a slice begins: after the record ``after`` of the reading at ``place``."""

    place: Place = BEGINNING_PLACE
    after: str = ""

    def encode(self) -> str:
        """Return the position as the text that the Vault stores."""
        return f"{self.place.order} {self.place.point} {self.place.object} {self.after}"

    @classmethod
    def decode(cls, position: str) -> Position:
        """Return the position in a text that ``encode`` wrote; for an empty text, the beginning."""
        if not position:
            return cls()
        order, point, object_name, after = position.split(" ", 3)
        return cls(Place(int(order), point, object_name), after)


@dataclass(slots=True)
class Slice:
    """The records of one slice; ``linked`` has, by source record, the target objects with a record of it."""

    planned: PlannedReading
    following: Position
    ids: dict[str, None] = field(default_factory=dict)
    linked: dict[str, set[str]] = field(default_factory=dict)

    @property
    def all_ids(self) -> tuple[str, ...]:
        """Return the ids of the source records that exist, or of which the target has a record."""
        return tuple(dict.fromkeys((*self.ids, *self.linked)))


async def next_slice(
    scope: Compared,
    planned: Sequence[PlannedReading],
    position: Position,
    until: str,
) -> Slice | None:
    """Return the next slice with records; None when all were compared.

    :raises ClientError: one of the calls fails.
    """
    for each in planned:
        if each.place < position.place:
            continue
        after = position.after if each.place == position.place else ""
        # A reading that ended has the next place as its position.
        if each.place == position.place and after == _ENDED:
            continue
        while after != _ENDED:
            found = await _slice(scope, each, after, until)
            if found.ids or found.linked:
                return found
            after = found.following.after
    return None


_ENDED = "~"
"""Comes after every id in a position: nothing of the reading is left."""
_OF_LINKS = "+"
"""Begins a position among the Links of documents, which come after the documents themselves."""


async def _slice(
    scope: Compared, planned: PlannedReading, after: str, until: str
) -> Slice:
    reading = planned.reading
    if reading.object == DOCUMENTS:
        return await _documents(scope, planned, after, until)
    ids = [] if planned.unread else await _listed(scope.source, reading, after)
    end = ids[-1] if len(ids) == MAX_ITEMS else _ENDED
    async with concurrently() as group:
        reads = {
            name: group.create_task(_links(scope, planned, name, after, end))
            for name in sorted(planned.linked)
        }
    links = {name: read.result() for name, read in reads.items()}
    for items in links.values():
        # A full page may have more behind it: the slice ends where all of its pages are whole.
        if len(items) == MAX_ITEMS:
            end = min(end, items[-1])
    known = sorted({*ids, *(item for items in links.values() for item in items)})
    within = [item for item in known if item <= end]
    if len(within) > MAX_ITEMS:
        end = within[MAX_ITEMS - 1]
    found = Slice(planned, Position(planned.place, end))
    found.ids = dict.fromkeys(item for item in ids if item <= end)
    for name, items in links.items():
        for item in items:
            if item <= end:
                found.linked.setdefault(item, set()).add(name)
    return found


async def _listed(client: RecordReads, reading: Reading, after: str) -> list[str]:
    conditions = [f"id > {literal(after)}"] if after else []
    if reading.condition:
        conditions.append(f"({reading.condition})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    head = select("id", reading.object)
    answer = await client.query(f"{head}{where} ORDER BY id MAXROWS {MAX_ITEMS}")
    return [str(row["id"]) for row in answer.rows]


async def _links(
    scope: Compared, planned: PlannedReading, target: str, after: str, end: str
) -> list[str]:
    """Return the ids of the source's records between two ids of which a target object has a record."""
    described = scope.configuration.sources.get(planned.reading.object)
    prefix = described.prefix if described else None
    # Links of other objects' records stand between these; without a prefix they could not be told apart.
    if prefix is None:
        return []
    own = reference_prefix(scope, planned)
    key = planned.traced_by
    conditions = [
        f"{key} > {literal(own + (after or prefix))}",
        f"{key} LIKE {literal(own + prefix + '%')}",
        *of_this_vault(scope, planned),
    ]
    if end != _ENDED:
        conditions.append(f"{key} <= {literal(own + end)}")
    return await _page(scope, key, target, conditions, own)


async def _page(
    scope: Compared, key: str, target: str, conditions: Iterable[str], own: str
) -> list[str]:
    """Return the source records (ids) that the next records of a target object name by ``key``, in that order."""
    where = " AND ".join(conditions)
    head = f"SELECT {key} FROM {target}"  # noqa: S608  VQL of names
    answer = await scope.target.query(
        f"{head} WHERE {where} ORDER BY {key} MAXROWS {MAX_ITEMS}"
    )
    return [text(row, key).removeprefix(own) for row in answer.rows]


def reference_prefix(scope: Compared, planned: PlannedReading) -> str:
    """Return the prefix of a source record's id in the field of target records that refers to it."""
    return f"{scope.source.vault_id}_" if planned.traced_by == LINK else ""


def of_this_vault(scope: Compared, planned: PlannedReading) -> list[str]:
    """Return the condition of target records of this source Vault; empty where the reference itself contains its id."""
    if planned.traced_by == LINK:
        return []
    # An id without its Vault is unique in that Vault only.
    return [f"crm_org__vr.vault_id__v = {literal(str(scope.source.vault_id))}"]


async def _documents(
    scope: Compared, planned: PlannedReading, after: str, until: str
) -> Slice:
    """Return a page of documents, in the order of their dates as in runs."""
    if after.startswith(_OF_LINKS):
        return await _deleted_documents(scope, planned, after)
    reading = planned.reading
    window = Window(format_moment(BEGINNING), until)
    modified, _, record = after.partition(" ")
    cursor = Cursor(0, modified, record)
    answer = await scope.source.query(page_statement(reading, window, cursor))
    rows = answer.rows
    end = f"{_OF_LINKS} "
    if len(rows) == MAX_ITEMS:
        end = f"{rows[-1][reading.modified]} {rows[-1]['id']}"
    found = Slice(planned, Position(planned.place, end))
    found.ids = dict.fromkeys(_ids(rows))
    return found


async def _deleted_documents(
    scope: Compared, planned: PlannedReading, after: str
) -> Slice:
    """Return the documents that the next Links of the target name, and that the source no longer has."""
    _, target, last = after.split(" ", 2) if after.count(" ") > 1 else ("", "", "")
    objects = [name for name in sorted(planned.linked) if name >= target]
    if not objects:
        return Slice(planned, Position(planned.place, _ENDED))
    own = reference_prefix(scope, planned)
    name = objects[0]
    conditions = [
        f"{LINK} > {literal(own + (last if name == target else ''))}",
        f"{LINK} LIKE {literal(own + '%')}",
    ]
    items = await _page(scope, LINK, name, conditions, own)
    end = f"{_OF_LINKS} {name} {items[-1]}" if len(items) == MAX_ITEMS else _ENDED
    if end == _ENDED and len(objects) > 1:
        end = f"{_OF_LINKS} {objects[1]} "
    # The id of a document is a number; what begins with letters is a record of another object.
    numbers = [item for item in items if item.isdigit()]
    texts = statements(select("id", DOCUMENTS), "id", numbers)
    existing = {str(row["id"]) for row in await query_all(scope.source, texts)}
    found = Slice(planned, Position(planned.place, end))
    found.linked = {item: {name} for item in numbers if item not in existing}
    return found


def _ids(rows: Iterable[dict[str, object]]) -> list[str]:
    return [str(row["id"]) for row in rows]
