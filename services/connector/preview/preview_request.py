"""What a preview is asked for, and the plan that it makes with the Vaults' configuration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
    """Records of the source Vault and the rule or integration point that they are to be previewed with.

    ``rule`` is the name of a saved rule, also an inactive one, or a component as
    ``GET /configuration/Integrationrule`` returns it. ``source`` is a Vault id, needed where several Vaults are
    connected by the same integration point.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    ids: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_RECORDS)]
    rule: Name | Component | None = None
    integration_point: Name | None = None
    object: Name | None = None
    source: int | None = None


async def plan_of(asked: PreviewRequest, vaults: Vaults, own: KnownVault) -> Plan:
    """The plan of a request to the Vault ``own``.

    Raises ClientError; ConfigurationFault or RuleError when the configuration does not provide for it.
    """
    component = await _component(asked, own)
    fault = ConfigurationFault("No connected Vault has the id that source names")
    for source in vaults.remotes(own):
        if asked.source not in (None, source.vault_id):
            continue
        configuration, given = await _configuration(
            vaults.configuration(source, own), component
        )
        point = asked.integration_point or _only(
            "integration_point", (rule.integration_point for rule in given)
        )
        try:
            route = configuration.planned_route(point, source.vault_id)
        except ConfigurationFault as problem:
            fault = problem
            continue
        name = asked.object or _only("object", _objects(configuration, route, given))
        reading = await vaults.source(source, route.connection)
        return Plan(reading, own.client, configuration, route, name)
    raise fault


async def _component(asked: PreviewRequest, own: KnownVault) -> Component | None:
    """The rule that is asked for; None when it is those that the integration point has."""
    if not isinstance(asked.rule, str):
        return asked.rule
    for component in await own.client.configuration("Integrationrule"):
        if component.get("name") == asked.rule:
            return component
    raise ConfigurationFault(f"This Vault has no integration rule {asked.rule}")


async def _configuration(
    reader: ConfigurationReader, component: Component | None
) -> tuple[Configuration, tuple[IntegrationRule, ...]]:
    now = datetime.now(UTC)
    if component is None:
        return await reader.since(now), ()
    return await reader.with_rule(component, now)


def _objects(
    configuration: Configuration, route: Route, given: Iterable[IntegrationRule]
) -> list[str]:
    return [
        rule.primary_query_object
        for rule in tuple(given) or configuration.rules_of(route)
    ]


def _only(name: str, candidates: Iterable[str | None]) -> str:
    """The one candidate there is."""
    found = {candidate for candidate in candidates if candidate}
    if len(found) != 1:
        raise ConfigurationFault(
            f"Say which {name} is meant: {', '.join(sorted(found)) or 'none is named by a rule'}"
        )
    return found.pop()
