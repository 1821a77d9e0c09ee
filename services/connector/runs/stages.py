"""What a run reads, in which order: the readings of each integration point, group by group.

All batches of a stage are in before the next one is read, so that a record finds what it refers to. An integration
point that is not named here is read as a whole, after those that are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from services.connector.points import clm_content as content
from services.connector.points import country, inquiry, medical_case
from services.connector.points import crm_metadata as metadata
from services.connector.points.on_demand import CRM_LOOKUP
from services.connector.points.pull_rules import (
    ACCOUNT_POINT,
    COUNTRIES,
    read_pull_rules,
    readable,
)
from services.connector.rules.vql_text import contains, literal
from services.connector.runs.window import Reading
from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Route,
)
from services.connector.vaults.vaults import ConnectedVault

ACCOUNT = "account__v"
INQUIRY_RETURN_POINT = "inquiry_inbound__v"
ORDER: Mapping[str, int] = {ACCOUNT_POINT: 0, inquiry.POINT: 1, **metadata.ORDER}
LAST = 100
FLAGGING = frozenset({content.POINT, country.POINT, *metadata.ORDER})
"""The points that are told of deletions, too: what is gone in the source is flagged, or withdrawn."""

Stage = tuple[Reading, ...]
Narrow = Callable[["Scope", Reading], Awaitable[Reading | None]]
"""Narrows what is read of an object for an integration point; None when nothing is."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One run: the configuration, the connection's route, and the Vault that the records are for."""

    configuration: Configuration
    own: ConnectedVault


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
        role = route.point.role
        for reading in _readings(scope.configuration, route):
            narrow = NARROWED.get(role)
            narrowed = reading if narrow is None else await narrow(scope, reading)
            if narrowed is not None:
                by_order.setdefault(ORDER.get(role, LAST), []).append(narrowed)
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


def _readings(configuration: Configuration, route: Route) -> list[Reading]:
    """Each object that the point's rules read, by its own changes and by those of related records they read."""
    readings: dict[Reading, None] = {}
    for rule in configuration.rules_of(route):
        plan = configuration.compiled(route, rule, documents=True).plan
        related = {
            selection.child for selection in plan.selections.values() if selection.child
        }
        for through in (None, *sorted(related)):
            readings[Reading(route.point.api_name, plan.object, through=through)] = None
        if route.point.role in FLAGGING:
            readings[Reading(route.point.api_name, plan.object, deleted=True)] = None
    return list(readings)


async def _accounts(scope: Scope, reading: Reading) -> Reading | None:
    """Accounts of countries whose agreement lets them be pulled at all; no other account is even listed."""
    if reading.object != ACCOUNT:
        return None  # a rule for what inquiries say of themselves
    condition = readable(
        read_pull_rules((await scope.own.client.query(COUNTRIES)).rows)
    )
    if condition is None:
        return None
    return Reading(
        reading.integration_point, reading.object, condition, reading.through
    )


async def _inquiries(_scope: Scope, reading: Reading) -> Reading | None:
    """Inquiries that were to be transferred and are not yet: a run mends what a message could not."""
    condition = contains("transfer_status__v", ("pending__v", "failed__v"))
    return Reading(
        reading.integration_point, reading.object, condition, reading.through
    )


async def _case_requests(scope: Scope, reading: Reading) -> Reading | None:
    """Case Requests that originated in this CRM Vault: their Link is the Global ID of an inquiry of it."""
    condition = f"link__sys LIKE {literal(f'{scope.own.vault_id}_%')}"
    return Reading(
        reading.integration_point, reading.object, condition, reading.through
    )


async def _cases(_scope: Scope, reading: Reading) -> Reading | None:
    """Case Requests that were started in the Medical Vault; those that are inquiries already have a Link."""
    return Reading(
        reading.integration_point, reading.object, medical_case.STARTED, reading.through
    )


async def _nothing(_scope: Scope, _reading: Reading) -> Reading | None:
    """What is read on demand only."""
    return None


NARROWED: Mapping[str, Narrow] = {
    ACCOUNT_POINT: _accounts,
    inquiry.POINT: _inquiries,
    INQUIRY_RETURN_POINT: _case_requests,
    CRM_LOOKUP: _nothing,
    medical_case.POINT: _cases,
}
