"""Reads which records a slice is about: a page of the source's ids, and the target's Links between the same two ids.

A Link is the source Vault's id and the record's id, so both are in one order, and a slice needs nothing of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.connector.points.case_contacts import LINK
from services.connector.points.point import Point, Reading
from services.connector.points.points import point_of
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.rows import literal, select
from services.connector.runs.stages import readings_of, routes_of
from services.connector.runs.window import BEGINNING, Cursor, Window, page_statement
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.record_access import RecordAccess, RecordReads
from shared.client.results import text
from shared.spark.envelope import MAX_ITEMS, format_moment


class Place(NamedTuple):
    """A reading's place in the order of a reconciliation."""

    order: int
    point: str
    object: str


BEGINNING_PLACE = Place(-1, "", "")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a slice begins: after the record ``after`` of the reading at ``place``."""

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


@dataclass(frozen=True, slots=True)
class PlannedReading:
    """A reading with its place, its route, and the target objects whose Links are those of its records.

    With ``unread`` none of the source's records may be read; what the target has of them is compared all the same.
    """

    place: Place
    route: Route
    reading: Reading
    linked: frozenset[str]
    unread: bool = False


@dataclass(slots=True)
class Slice:
    """The records of one slice; ``linked`` has, by source record, the target objects with a record of it."""

    planned: PlannedReading
    following: Position
    ids: dict[str, None] = field(default_factory=dict)
    linked: dict[str, set[str]] = field(default_factory=dict)

    @property
    def all_ids(self) -> tuple[str, ...]:
        """Return the ids that either of the Vaults knows of."""
        return tuple(dict.fromkeys((*self.ids, *self.linked)))


@dataclass(frozen=True, slots=True)
class Compared:
    """The scope of a reconciliation: integration and integration point where it names them (API names)."""

    configuration: Configuration
    source: RecordReads
    target: RecordAccess
    connection: str
    integration: str | None = None
    integration_point: str | None = None


async def planned_readings(scope: Compared) -> list[PlannedReading]:
    """Return what is to be compared, in order.

    :raises RuleError: a rule of one of the points cannot be carried out.
    :raises ConfigurationFault: the configuration does not provide for one of the points.
    :raises ClientError: one of the calls fails.
    """
    planned = []
    for route in _routes(scope):
        point = point_of(route)
        if point.on_demand:
            continue
        narrow = point.narrow_all or point.narrow
        for reading in readings_of(scope.configuration, route, point):
            # Changes of related records, and deletions, say when to transfer, not what is to be there.
            if reading.through or reading.deleted:
                continue
            narrowed = await narrow(scope.target, reading)
            place = Place(point.order, route.point.api_name, reading.object)
            linked = _linked(scope, point)
            # An object that the point's rules read beside its own has no records to be there.
            if narrowed is None and reading.object != point.object:
                continue
            each = PlannedReading(
                place, route, narrowed or reading, linked, unread=narrowed is None
            )
            planned.append(each)
    # Two rules that read one object are one reading.
    by_place = {each.place: each for each in planned}
    return [by_place[place] for place in sorted(by_place)]


def _routes(scope: Compared) -> list[Route]:
    """Return the routes of the scope's active integration points, of its active integrations."""
    configuration = scope.configuration
    found: list[Route] = []
    for integration in configuration.integrations.values():
        connection = configuration.connections.get(integration.connection)
        if connection is None or connection.api_name != scope.connection:
            continue
        if scope.integration not in (None, integration.api_name):
            continue
        if not integration.active or connection.remote_vault_id is None:
            continue
        found += routes_of(
            configuration, integration.api_name, connection.remote_vault_id
        )
    wanted = scope.integration_point
    return [route for route in found if wanted in (None, route.point.api_name)]


def _linked(scope: Compared, point: Point) -> frozenset[str]:
    """Return the target objects whose Links are Global IDs of the reading's records."""
    targets = scope.configuration.targets
    return frozenset(
        name
        for name in point.linked
        if name in targets and LINK in targets[name].fields
    )


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


async def _slice(
    scope: Compared, planned: PlannedReading, after: str, until: str
) -> Slice:
    reading = planned.reading
    if reading.object == DOCUMENTS:
        return await _documents(scope, planned, after, until)
    ids = [] if planned.unread else await _listed(scope.source, reading, after)
    end = ids[-1] if len(ids) == MAX_ITEMS else _ENDED
    links: dict[str, list[str]] = {}
    for name in sorted(planned.linked):
        links[name] = await _links(scope, reading.object, name, after, end)
        # A full page may have more behind it: the slice ends where all of its pages are whole.
        if len(links[name]) == MAX_ITEMS:
            end = min(end, links[name][-1])
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
    scope: Compared, object_name: str, target: str, after: str, end: str
) -> list[str]:
    """Return the ids of the source's records between two ids of which a target object has a Link."""
    described = scope.configuration.sources.get(object_name)
    prefix = described.prefix if described else None
    # Links of other objects' records stand between these; without a prefix they could not be told apart.
    if prefix is None:
        return []
    own = f"{scope.source.vault_id}_"
    conditions = [
        f"{LINK} > {literal(own + (after or prefix))}",
        f"{LINK} LIKE {literal(own + prefix + '%')}",
    ]
    if end != _ENDED:
        conditions.append(f"{LINK} <= {literal(own + end)}")
    where = " AND ".join(conditions)
    head = f"SELECT {LINK} FROM {target}"  # noqa: S608  VQL of names
    answer = await scope.target.query(
        f"{head} WHERE {where} ORDER BY {LINK} MAXROWS {MAX_ITEMS}"
    )
    return [text(row, LINK).removeprefix(own) for row in answer.rows]


async def _documents(
    scope: Compared, planned: PlannedReading, after: str, until: str
) -> Slice:
    """Return a page of documents, which are read in the order of their dates, as runs read them."""
    reading = planned.reading
    window = Window(format_moment(BEGINNING), until)
    modified, _, record = after.partition(" ")
    cursor = Cursor(0, modified, record)
    answer = await scope.source.query(page_statement(reading, window, cursor))
    rows = answer.rows
    end = _ENDED
    if len(rows) == MAX_ITEMS:
        end = f"{rows[-1][reading.modified]} {rows[-1]['id']}"
    found = Slice(planned, Position(planned.place, end))
    found.ids = dict.fromkeys(_ids(rows))
    return found


def _ids(rows: Iterable[dict[str, object]]) -> list[str]:
    return [str(row["id"]) for row in rows]
