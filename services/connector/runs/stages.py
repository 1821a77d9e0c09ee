"""What a run reads, in which order: the readings of each integration point, group by group.

All batches of a stage are in before the next one is read, so that a record finds what it refers to.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.connector.points.point import Point, Reading
from services.connector.points.points import point_of
from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Route,
)
from services.connector.vaults.record_access import RecordAccess

Stage = tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """One run: the configuration, and the Vault that the records are for."""

    configuration: Configuration
    target: RecordAccess


async def stages(
    scope: Scope, integration: str, source_vault: int, *, planned: bool = False
) -> tuple[Stage, ...]:
    """The stages of an integration's run; raises ClientError, RuleError, and ConfigurationFault when it is inactive.

    With ``planned`` they are those of an integration that may still be inactive.
    """
    by_order: dict[int, list[Reading]] = {}
    for route in _routes(
        scope.configuration, integration, source_vault, planned=planned
    ):
        point = point_of(route)
        for reading in _readings(scope.configuration, route, point):
            narrowed = await point.narrow(scope.target, reading)
            if narrowed is not None and not point.on_demand:
                by_order.setdefault(point.order, []).append(narrowed)
    return tuple(tuple(dict.fromkeys(by_order[order])) for order in sorted(by_order))


def _routes(
    configuration: Configuration, integration: str, source_vault: int, *, planned: bool
) -> list[Route]:
    """The active points of the integration that have rules on its connection."""
    ruled = {(rule.connection, rule.integration_point) for rule in configuration.rules}
    broken = {rule.integration_point for rule in configuration.broken}
    routes = []
    for point in configuration.points:
        above = configuration.integrations.get(point.integration)
        if above is None or above.api_name != integration or not point.active:
            continue
        connection = configuration.connections.get(above.connection)
        name = point.api_name
        if connection is not None and (
            (connection.api_name, name) in ruled or name in broken
        ):
            find = configuration.planned_route if planned else configuration.route
            routes.append(find(name, source_vault))
    if not any(
        known.api_name == integration for known in configuration.integrations.values()
    ):
        raise ConfigurationFault(
            f"Integration {integration} does not exist in this Vault"
        )
    return routes


def _readings(
    configuration: Configuration, route: Route, point: Point
) -> list[Reading]:
    """Each object that the point's rules read, by its own changes and by those of related records they read."""
    readings: dict[Reading, None] = {}
    for rule in configuration.rules_of(route):
        plan = configuration.compiled(route, rule, documents=True).plan
        related = {
            selection.child for selection in plan.selections.values() if selection.child
        }
        for through in (None, *sorted(related)):
            readings[Reading(route.point.api_name, plan.object, through=through)] = None
        if point.flags_deletions:
            readings[Reading(route.point.api_name, plan.object, deleted=True)] = None
    return list(readings)
