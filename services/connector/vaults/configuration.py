"""Contains the target Vault's configuration for one connection: routes, rules, and permissions to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.connector.rules.compile import compile_rule
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.lookups import Lookups
from services.connector.rules.object_metadata import DOCUMENTS, ObjectMetadata
from services.connector.rules.query_plan import plan
from services.connector.rules.rule import BrokenRule, IntegrationRule, RuleError
from services.connector.vaults.lookup_reading import LookupReader
from shared.client.results import Row


class ConfigurationFault(Exception):
    """Raised for a message without a matching configuration; the text says what an administrator has to change."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One row of ``connection__sys``; ``remote_name`` is the connection's API name in the remote Vault.

    A ``guarded`` connection forbids writes into its own Vault, a ``reading`` one writes into the remote Vault.
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

    On the copy of a connection, ``copy_of`` is the API name of the original point.
    """

    id: str
    api_name: str
    integration: str
    active: bool
    copy_of: str = ""

    @property
    def role(self) -> str:
        """Return the API name that messages and the connector's code use: that of the original, on a copy."""
        return self.copy_of or self.api_name


@dataclass(frozen=True, slots=True)
class Route:
    """The integration point that a message is for, with its integration and connection."""

    connection: Connection
    integration: Integration
    point: IntegrationPoint

    @property
    def live(self) -> bool:
        """Return whether connection, integration and point are all active."""
        above = self.connection.active and self.integration.active
        return above and self.point.active


@dataclass(frozen=True)
class Configuration:
    """The whole configuration for messages between one source and one target Vault.

    With a ``lookup_reader``, lookups have no entries until ``look_up`` has read those that rows need.
    """

    connections: Mapping[str, Connection]
    integrations: Mapping[str, Integration]
    points: tuple[IntegrationPoint, ...]
    rules: tuple[IntegrationRule, ...]
    broken: tuple[BrokenRule, ...]
    lookups: Mapping[str, Lookups]
    sources: Mapping[str, ObjectMetadata]
    targets: Mapping[str, ObjectMetadata]
    lookup_reader: LookupReader | None = None
    _compiled: dict[tuple[str, str, tuple[str, ...]], CompiledRule] = field(
        default_factory=dict
    )

    def route(
        self,
        integration_point: str,
        source_vault: int,
    ) -> Route:
        """Return the active integration point of this API name on the connection with the source Vault.

        :raises ConfigurationFault: there is no such active point.
        """
        route = self.planned_route(integration_point, source_vault)
        integration = route.integration
        point = route.point
        _require(
            "Integration",
            integration.api_name,
            active=integration.active,
        )
        _require("Integration point", point.api_name, active=point.active)
        return route

    def planned_route(
        self,
        integration_point: str,
        source_vault: int,
    ) -> Route:
        """Return a route as ``route`` does, where the integration and its point may still be inactive.

        :raises ConfigurationFault: there is no such point.
        """
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
        # Copies of a connection have points of one role; the source Vault decides which of them is meant.
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
        live = [route for route in matching if route.live]
        # Without a live one, the first says what is to be activated.
        route = (live or matching)[0]
        connection = route.connection
        _require("Connection", connection.api_name, active=connection.active)
        if connection.guarded:
            raise ConfigurationFault(
                f"Connection {connection.api_name} is with a sandbox Vault, and this is a production Vault: "
                "nothing is written here from a sandbox. Connect it with a production Vault"
            )
        return route

    def connection_of(
        self,
        integration: str,
        source_vault: int,
    ) -> Connection:
        """Return the connection with the source Vault that has this integration.

        :raises ConfigurationFault: there is no such connection.
        """
        # Copies of a connection have integrations of one name, one for each remote Vault.
        for known in self.integrations.values():
            connection = self.connections.get(known.connection)
            if known.api_name != integration or connection is None:
                continue
            if connection.remote_vault_id == source_vault:
                return connection
        raise ConfigurationFault(
            f"Integration {integration} belongs to no connection with Vault {source_vault}; "
            "set the connection's Remote Vault ID"
        )

    def may_write_back(self, source_vault: int) -> bool:
        """Return whether the source Vault may be written into: a production Vault may not, from a sandbox."""
        return not any(
            connection.reading
            for connection in self.connections.values()
            if connection.remote_vault_id == source_vault
        )

    def _above(self, point: IntegrationPoint) -> Route | None:
        integration = self.integrations.get(point.integration)
        if integration is None:
            return None
        connection = self.connections.get(integration.connection)
        if connection is None:
            return None
        return Route(connection, integration, point)

    def rules_of(
        self,
        route: Route,
        role: str | None = None,
    ) -> tuple[IntegrationRule, ...]:
        """Return the active rules of a route's integration point, or of the point with ``role`` on its connection.

        :raises RuleError: one of the rules cannot be read.
        :raises ConfigurationFault: the point has no active rule.
        """
        name = self._with_role(route, role) if role else route.point.api_name
        # A point with a broken rule transfers nothing by its other rules either.
        for broken in self.broken:
            if broken.integration_point == name:
                raise broken.error
        connection = route.connection.api_name
        rules = tuple(
            rule
            for rule in self.rules
            if rule.integration_point == name and rule.connection == connection
        )
        if not rules:
            raise ConfigurationFault(
                f"Integration point {name} has no active integration rule; add or activate one, then run Retry Transfer"
            )
        return rules

    def _with_role(
        self,
        route: Route,
        role: str,
    ) -> str:
        """Return the API name of the point that has this role on the route's connection."""
        for point in self.points:
            integration = self.integrations.get(point.integration)
            if point.role != role or integration is None:
                continue
            if integration.connection == route.connection.id:
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
        """Return a rule ready to run, with ``extra`` paths of its primary object selected.

        ``documents`` says that the integration point writes fields of documents.

        :raises RuleError: the rule does not fit the objects of the two Vaults, or fills fields of documents where
            these are not written.
        """
        if DOCUMENTS in rule.target_objects and not documents:
            raise RuleError(
                rule.name,
                None,
                "its integration point fills no fields of documents; map onto fields of objects, or give the fields of "
                "documents a rule at an integration point of your own",
            )
        # Compiled at first use, once a configuration: a rule runs for every message and changes seldom.
        # A component without a primary query object is several rules of one name.
        key = (rule.name, rule.primary_query_object, extra)
        if key not in self._compiled:
            self._compiled[key] = self._compile(route, rule, extra)
        return self._compiled[key]

    async def look_up(
        self,
        rule: CompiledRule,
        rows: Iterable[Row],
    ) -> None:
        """Read the lookup rows that a rule needs for source rows, unless they are cached.

        The caller evaluates the rows before it awaits anything else, since other units may replace the cache.

        :raises ClientError: one of the calls fails.
        """
        if self.lookup_reader is not None:
            await self.lookup_reader.read(rule.keyed(rows))

    async def with_all_lookups(self) -> Configuration:
        """Return the configuration with all entries of all lookups, for checks of every entry.

        :raises ClientError: one of the calls fails.
        """
        if self.lookup_reader is None:
            return self
        lookups = await self.lookup_reader.whole()
        return replace(self, lookups=lookups, lookup_reader=None, _compiled={})

    def _compile(
        self,
        route: Route,
        rule: IntegrationRule,
        extra: tuple[str, ...],
    ) -> CompiledRule:
        name = rule.primary_query_object
        primary = self.sources.get(name)
        if primary is None:
            text = f"the source Vault has no object {name} that the connection's user may read"
            raise RuleError(rule.name, None, text)
        lookups = self.lookups.get(route.connection.id, {})
        query = plan(rule, primary, extra)
        return compile_rule(rule, query, self.targets, lookups)


def _require(
    kind: str,
    name: str,
    *,
    active: bool,
) -> None:
    if not active:
        text = f"{kind} {name} is inactive; activate it, then run Retry Transfer"
        raise ConfigurationFault(text)
