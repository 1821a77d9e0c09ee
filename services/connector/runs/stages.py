"""Plans the stages of a run: the readings of its integration points, grouped by the points' places in the order."""

from __future__ import annotations

from dataclasses import dataclass

from services.connector.points.point import Point, Reading
from services.connector.points.points import point_of
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Route,
)
from services.connector.vaults.record_access import RecordReads, SameAnswers

Stage = tuple[Reading, ...]
"""Readings whose batches may be transferred in any order.

All batches of a stage are in before the next one is read, so that a record finds what it refers to.
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of one run: the configuration, and the Vault that the records are for."""

    configuration: Configuration
    target: RecordReads


async def stages(
    scope: Scope,
    integration: str,
    source_vault: int,
    *,
    planned: bool = False,
) -> tuple[Stage, ...]:
    """Return the stages of an integration's run; with ``planned`` the integration may still be inactive.

    :raises ConfigurationFault: the integration does not exist, or is inactive.
    :raises RuleError: a rule of one of its points cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    configuration = scope.configuration
    by_order: dict[int, list[Reading]] = {}
    # Several readings of a point are narrowed by the same agreements.
    target = SameAnswers(scope.target)
    for route in routes_of(
        configuration,
        integration,
        source_vault,
        planned=planned,
    ):
        point = point_of(route)
        for reading in readings_of(configuration, route, point):
            narrowed = await point.narrow(target, reading)
            if narrowed is not None and not point.on_demand:
                by_order.setdefault(point.order, []).append(narrowed)
    # Two rules that read one object alike are one reading.
    return tuple(tuple(dict.fromkeys(by_order[order])) for order in sorted(by_order))


def routes_of(
    configuration: Configuration,
    integration: str,
    source_vault: int,
    *,
    planned: bool = False,
) -> list[Route]:
    """Return the routes of the integration's active points that have rules on its connection.

    :raises ConfigurationFault: the integration does not exist, or is inactive.
    """
    known = configuration.integrations.values()
    if all(each.api_name != integration for each in known):
        text = f"Integration {integration} does not exist in this Vault"
        raise ConfigurationFault(text)
    find = configuration.planned_route if planned else configuration.route
    ruled = {(rule.connection, rule.integration_point) for rule in configuration.rules}
    # A point whose only rule cannot be read is to stop the run, not to be left out of it.
    broken = {rule.integration_point for rule in configuration.broken}
    routes = []
    for point in configuration.points:
        above = configuration.integrations.get(point.integration)
        if above is None or above.api_name != integration or not point.active:
            continue
        connection = configuration.connections.get(above.connection)
        if connection is None:
            continue
        name = point.api_name
        if (connection.api_name, name) in ruled or name in broken:
            routes.append(find(name, source_vault))
    return routes


def readings_of(
    configuration: Configuration,
    route: Route,
    point: Point,
) -> list[Reading]:
    """Return the readings of each object that the point's rules read: by its own changes and by related ones."""
    name = route.point.api_name
    readings: dict[Reading, None] = {}
    for rule in configuration.rules_of(route):
        plan = configuration.compiled(route, rule, documents=True).plan
        children = {selection.child for selection in plan.selections.values()}
        related = sorted(child for child in children if child)
        readings[Reading(name, plan.object)] = None
        # A related record changes without its primary record, whose date then stays as it was.
        for child in related:
            readings[Reading(name, plan.object, through=child)] = None
        # Documents are listed by their own versions alone.
        paths = () if plan.object == DOCUMENTS else plan.paths
        for through, path in paths:
            readings[Reading(name, plan.object, through=through, path=path)] = None
        if point.flags_deletions:
            readings[Reading(name, plan.object, deleted=True)] = None
    return list(readings)
