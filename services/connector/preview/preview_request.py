"""Defines preview requests, and plans a preview from a request and the Vaults' configuration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.connector.asking.caller_reads import CallerSessions
from services.connector.preview.record_preview import Plan
from services.connector.rules.rule import IntegrationRule
from services.connector.vaults.configuration import (
    Configuration,
    ConfigurationFault,
    Route,
)
from services.connector.vaults.configuration_reader import ConfigurationReader
from services.connector.vaults.vaults import KnownVault, Vaults

MAX_RECORDS = 20
Name = Annotated[str, Field(min_length=1, max_length=100)]
Component = dict[str, object]
"""A component as the Vault's configuration endpoint returns it."""


class PreviewRequest(BaseModel):
    """The records of the source Vault to preview, and the rule or integration point to preview them with.

    ``rule`` is the name of a saved rule, also an inactive one, or a component as ``GET /configuration/Integrationrule``
    returns it. ``source`` is a Vault id, needed where several Vaults are connected by the same integration point.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    ids: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_RECORDS)]
    rule: Name | Component | None = None
    integration_point: Name | None = None
    object: Name | None = None
    source: int | None = None


async def plan_of(
    request: PreviewRequest,
    vaults: Vaults,
    own: KnownVault,
    caller: CallerSessions,
) -> Plan:
    """Return the plan of a request to the Vault ``own``.

    :raises NotReadable: the caller has no session of the source Vault.
    :raises ConfigurationFault: the configuration does not provide for the request.
    :raises RuleError: the rule cannot be carried out.
    :raises ClientError: a Vault is away or refuses.
    """
    component = await _component(request, own)
    fault = ConfigurationFault("No connected Vault has the id that source names")
    for source in vaults.remotes(own):
        if request.source not in (None, source.vault_id):
            continue
        reader = vaults.configuration(source, own)
        configuration, rules = await _configuration(reader, component)
        points = (rule.integration_point for rule in rules)
        point = request.integration_point or _only("integration_point", points)
        try:
            route = configuration.planned_route(point, source.vault_id)
        except ConfigurationFault as problem:
            # Another Vault may have the point; the last fault is reported when none has.
            fault = problem
            continue
        objects = _objects(configuration, route, rules)
        name = request.object or _only("object", objects)
        reading = await vaults.source(source, route.connection)
        return Plan(
            caller.source(reading),
            caller.own(own.client),
            configuration,
            route,
            name,
        )
    raise fault


async def _component(request: PreviewRequest, own: KnownVault) -> Component | None:
    """Return the rule of the request; None when the request asks for the rules of the integration point."""
    if not isinstance(request.rule, str):
        return request.rule
    # All of them, because the connector's own configuration leaves out inactive rules.
    for component in await own.client.configuration("Integrationrule"):
        if component.get("name") == request.rule:
            return component
    raise ConfigurationFault(f"This Vault has no integration rule {request.rule}")


async def _configuration(
    reader: ConfigurationReader,
    component: Component | None,
) -> tuple[Configuration, tuple[IntegrationRule, ...]]:
    """Return the configuration with the rule of the request in it, and the typed rules of its component, if any."""
    now = datetime.now(UTC)
    if component is not None:
        return await reader.with_rule(component, now)
    configuration = await reader.since(now)
    return configuration, ()


def _objects(
    configuration: Configuration,
    route: Route,
    rules: Iterable[IntegrationRule],
) -> list[str]:
    chosen = tuple(rules) or configuration.rules_of(route)
    return [rule.primary_query_object for rule in chosen]


def _only(name: str, candidates: Iterable[str | None]) -> str:
    """Return the one name that all candidates have; None and empty ones do not count.

    :raises ConfigurationFault: there is no name, or several; the text asks for the member ``name`` of the request.
    """
    found = {candidate for candidate in candidates if candidate}
    if len(found) != 1:
        listed = ", ".join(sorted(found)) or "none is named by a rule"
        raise ConfigurationFault(f"Say which {name} is meant: {listed}")
    return found.pop()
