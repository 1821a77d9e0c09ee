"""Plans a reconciliation: the readings of its points, and the target objects that refer to their records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from services.connector.points.case_contacts import LINK
from services.connector.points.point import Point, Reading
from services.connector.points.points import point_of
from services.connector.rules.rule import IntegrationRule
from services.connector.runs.stages import readings_of, routes_of
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.record_access import (
    ChangeReads,
    ComparedRecords,
    SameAnswers,
)

_GLOBAL_ID = "global_id__sys"


class Place(NamedTuple):
    """A reading's place in the order of a reconciliation."""

    order: int
    point: str
    object: str


@dataclass(frozen=True, slots=True)
class PlannedReading:
    """A reading with its place, its route, and the target objects whose records refer to their source record.

    The field ``traced_by`` of target records has the Global ID; it is their Link as a rule. Objects in ``shared``
    are also written by rules of other points for the same source object. With ``unread`` none of the source's records
    may be read; the target's records are compared nevertheless.
    """

    place: Place
    route: Route
    reading: Reading
    linked: frozenset[str]
    traced_by: str = LINK
    shared: frozenset[str] = frozenset()
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """The scope of a reconciliation, with the API names of its integration and integration point, if it has them."""

    configuration: Configuration
    source: ChangeReads
    target: ComparedRecords
    connection: str
    integration: str | None = None
    integration_point: str | None = None


async def planned_readings(scope: Compared) -> list[PlannedReading]:
    """Return the readings to compare, in order.

    :raises RuleError: a rule of one of the points cannot be carried out.
    :raises ConfigurationFault: the configuration does not provide for one of the points.
    :raises ClientError: one of the calls fails.
    """
    planned = []
    target = SameAnswers(scope.target)
    made_by_several = _made_by_several(scope)
    for route in _routes(scope):
        point = point_of(route)
        if point.on_demand:
            continue
        narrow = point.narrow_all or point.narrow
        for reading in readings_of(scope.configuration, route, point):
            # Changes of related records, and deletions, say when to transfer, not what is to be there.
            if reading.related or reading.deleted:
                continue
            narrowed = await narrow(target, reading)
            place = Place(point.order, route.point.api_name, reading.object)
            linked = _linked(scope, route, point, reading.object)
            # An object that the point's rules read beside its own has no records to be there.
            if narrowed is None and reading.object != point.object:
                continue
            each = PlannedReading(
                place,
                route,
                narrowed or reading,
                linked,
                point.traced_by,
                linked & made_by_several[reading.object],
                unread=narrowed is None,
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


def _linked(
    scope: Compared, route: Route, point: Point, object_name: str
) -> frozenset[str]:
    """Return the target objects whose Links are Global IDs of the source object's records."""
    targets = scope.configuration.targets
    named = set(point.linked)
    for rule in scope.configuration.rules_of(route):
        if rule.primary_query_object == object_name:
            named.update(_linked_by_rule(rule, point))
    return frozenset(
        name for name in named if name in targets and LINK in targets[name].fields
    )


def _linked_by_rule(rule: IntegrationRule, point: Point) -> Iterator[str]:
    """Yield the objects whose Link the point or a field rule fills with the Global ID of the source record."""
    if LINK in point.share.fills:
        yield from point.share.written(rule)
    for part in rule.field_rules:
        of_source = part.query_object in (None, rule.primary_query_object)
        own_key = part.query_field == _GLOBAL_ID and part.identifies and of_source
        if part.target_field == LINK and own_key:
            yield part.target_object


def _made_by_several(scope: Compared) -> dict[str, set[str]]:
    """Return by source object the target objects that rules of several points of the connection write for it."""
    points: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rule in scope.configuration.rules:
        point = rule.integration_point
        if point is None or rule.connection != scope.connection:
            continue
        for target in rule.target_objects:
            points[rule.primary_query_object, target].add(point)
    found: dict[str, set[str]] = defaultdict(set)
    for (source, target), names in points.items():
        if len(names) > 1:
            found[source].add(target)
    return found
