"""The target Vault's configuration of one connection's traffic, read by public calls and kept while it is current."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.connector.rules.compile import compile_rule
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.lookups import Lookups
from services.connector.rules.object_metadata import DOCUMENTS, ObjectMetadata
from services.connector.rules.query_plan import plan
from services.connector.rules.rule import (
    BrokenRule,
    IntegrationRule,
    RuleError,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One row of ``connection__sys``; ``remote_name`` is the connection's API name in the remote Vault.

    Nothing may be written over it into the Vault of a ``guarded`` one, nor into the remote Vault of a ``reading`` one.
    """

    id: str
    api_name: str
    remote_vault_id: int | None
    active: bool
    remote_name: str = ""
    external: bool = False
    pending: bool = False
    guarded: bool = False
    reading: bool = False


class ConfigurationFault(Exception):
    """A message that no configuration provides for; the text says what an administrator has to change."""


@dataclass(frozen=True, slots=True)
class Integration:
    """One row of ``integration__sys``; ``connection`` is a record id."""

    id: str
    api_name: str
    connection: str
    active: bool


@dataclass(frozen=True, slots=True)
class IntegrationPoint:
    """One row of ``integration_point__sys``; ``integration`` is a record id.

    ``copy_of`` is the API name of the point whose part it plays on the copy of a connection.
    """

    id: str
    api_name: str
    integration: str
    active: bool
    copy_of: str = ""

    @property
    def role(self) -> str:
        """What messages from the connection's remote Vault, and the connector's own code, know it by."""
        return self.copy_of or self.api_name


@dataclass(frozen=True, slots=True)
class Route:
    """The integration point that a message is for, with the integration and connection above it."""

    connection: Connection
    integration: Integration
    point: IntegrationPoint


@dataclass(frozen=True)
class Configuration:
    """Everything that decides what becomes of a message between one source and one target Vault."""

    connections: Mapping[str, Connection]
    integrations: Mapping[str, Integration]
    points: tuple[IntegrationPoint, ...]
    rules: tuple[IntegrationRule, ...]
    broken: tuple[BrokenRule, ...]
    lookups: Mapping[str, Lookups]
    sources: Mapping[str, ObjectMetadata]
    targets: Mapping[str, ObjectMetadata]
    _compiled: dict[tuple[str, str, tuple[str, ...]], CompiledRule] = field(
        default_factory=dict
    )

    def route(self, integration_point: str, source_vault: int) -> Route:
        """The active integration point of this API name on the connection with the source Vault.

        Raises ConfigurationFault when there is none.
        """
        route = self.planned_route(integration_point, source_vault)
        _require(
            "Integration", route.integration.api_name, active=route.integration.active
        )
        _require("Integration point", route.point.api_name, active=route.point.active)
        return route

    def planned_route(self, integration_point: str, source_vault: int) -> Route:
        """As ``route``, where the integration and its point may still be inactive."""
        named = [
            point
            for point in self.points
            if integration_point in (point.api_name, point.role)
        ]
        if not named:
            raise ConfigurationFault(
                f"Integration point {integration_point} does not exist in this Vault; "
                "add it, or correct the integration point in the source Vault"
            )
        routes = [self._above(point) for point in named]
        matching = [
            route
            for route in routes
            if route and route.connection.remote_vault_id == source_vault
        ]
        if not matching:
            raise ConfigurationFault(
                f"Integration point {integration_point} belongs to no connection with Vault {source_vault}; "
                "set the connection's Remote Vault ID"
            )
        route = next((route for route in matching if _live(route)), matching[0])
        _require(
            "Connection", route.connection.api_name, active=route.connection.active
        )
        if route.connection.guarded:
            raise ConfigurationFault(
                f"Connection {route.connection.api_name} is with a sandbox Vault, and this is a production Vault: "
                "nothing is written here from a sandbox. Connect it with a production Vault"
            )
        return route

    def connection_of(self, integration: str, source_vault: int) -> Connection:
        """The connection with the source Vault that has this integration; raises ConfigurationFault without one."""
        for known in self.integrations.values():
            connection = self.connections.get(known.connection)
            if (
                known.api_name == integration
                and connection
                and connection.remote_vault_id == source_vault
            ):
                return connection
        raise ConfigurationFault(
            f"Integration {integration} belongs to no connection with Vault {source_vault}; "
            "set the connection's Remote Vault ID"
        )

    def may_write_back(self, source_vault: int) -> bool:
        """Whether the source Vault may be written into: not from a sandbox when it is a production Vault."""
        return not any(
            c.reading
            for c in self.connections.values()
            if c.remote_vault_id == source_vault
        )

    def _above(self, point: IntegrationPoint) -> Route | None:
        integration = self.integrations.get(point.integration)
        connection = (
            self.connections.get(integration.connection) if integration else None
        )
        return (
            Route(connection, integration, point)
            if integration and connection
            else None
        )

    def rules_of(
        self, route: Route, role: str | None = None
    ) -> tuple[IntegrationRule, ...]:
        """The active rules of a route's integration point, or of that with another role on its connection.

        Raises RuleError when one of them cannot be read, ConfigurationFault when there is none.
        """
        name = self._with_role(route, role) if role else route.point.api_name
        for broken in self.broken:
            if broken.integration_point == name:
                raise broken.error
        rules = tuple(
            rule
            for rule in self.rules
            if rule.integration_point == name
            and rule.connection == route.connection.api_name
        )
        if not rules:
            raise ConfigurationFault(
                f"Integration point {name} has no active integration rule; add or activate one, then run Retry Transfer"
            )
        return rules

    def _with_role(self, route: Route, role: str) -> str:
        """API name of the point that has this role on the route's connection."""
        for point in self.points:
            integration = self.integrations.get(point.integration)
            if (
                point.role == role
                and integration
                and integration.connection == route.connection.id
            ):
                return point.api_name
        return role

    def compiled(
        self,
        route: Route,
        rule: IntegrationRule,
        extra: tuple[str, ...] = (),
        *,
        documents: bool = False,
    ) -> CompiledRule:
        """A rule ready to run, with ``extra`` paths of its primary object selected; compiled at first use.

        Raises RuleError when the rule does not fit the objects of the two Vaults, or fills fields of documents where
        these are not written.
        """
        if DOCUMENTS in rule.target_objects and not documents:
            raise RuleError(
                rule.name,
                None,
                "its integration point fills no fields of documents; map onto fields of objects, or give the fields of "
                "documents a rule at an integration point of your own",
            )
        key = (rule.name, rule.primary_query_object, extra)
        if key not in self._compiled:
            primary = self.sources.get(rule.primary_query_object)
            if primary is None:
                raise RuleError(
                    rule.name,
                    None,
                    f"the source Vault has no object {rule.primary_query_object} that the connection's user may read",
                )
            lookups = self.lookups.get(route.connection.id, {})
            self._compiled[key] = compile_rule(
                rule, plan(rule, primary, extra), self.targets, lookups
            )
        return self._compiled[key]


def _require(kind: str, name: str, *, active: bool) -> None:
    if not active:
        raise ConfigurationFault(
            f"{kind} {name} is inactive; activate it, then run Retry Transfer"
        )


def _live(route: Route) -> bool:
    return route.connection.active and route.integration.active and route.point.active
