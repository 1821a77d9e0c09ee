"""The target Vault's configuration of one connection's traffic, read by public calls and kept while it is current."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.connector.rules.compile import compile_rule
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.lookups import Lookups, read_lookups
from services.connector.rules.object_metadata import DOCUMENTS, ObjectMetadata
from services.connector.rules.query_plan import plan
from services.connector.rules.rule import (
    BrokenRule,
    IntegrationRule,
    RuleError,
    read_rule,
    read_rules,
)
from services.connector.vaults.connection_rows import (
    CONNECTIONS,
    Connection,
    _is_active,
    read_connections,
)
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Json, text
from shared.runtime.concurrency import FreshValue, concurrently

_INTEGRATIONS = "SELECT id, integration_api_name__sys, connection__sys, status__v FROM integration__sys"
_POINTS = "SELECT id, integration_point_api_name__sys, copy_of__sys, integration__sys, status__v FROM integration_point__sys"
_LOOKUPS = (
    "SELECT id, connection__sys, reference_lookup_name__sys, reference_lookup_type__sys, target_object__sys, "
    "target_key_field__sys, source_key__sys, target_key__sys, status__v FROM reference_lookup__sys "
    "WHERE status__v = 'active__v'"
)


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


class ConfigurationReader:
    """Reads the configuration between one source and one target Vault, and reads again only what may be stale."""

    def __init__(self, source: VaultClient, target: VaultClient) -> None:
        self._source = source
        self._target = target
        self._fresh = FreshValue(self._load)
        self._raw: object = None
        self._known: Configuration | None = None

    async def since(self, moment: datetime) -> Configuration:
        """The configuration as it was at ``moment`` or later; raises ClientError."""
        return await self._fresh.since(moment)

    async def with_rule(
        self, component: Json, moment: datetime
    ) -> tuple[Configuration, tuple[IntegrationRule, ...]]:
        """The configuration of ``moment`` or later, in which this rule is the one of its name; its parts.

        Raises ClientError, and RuleError when the rule cannot be read.
        """
        given = read_rule(component)
        known = await self.since(moment)
        async with concurrently() as group:
            sources = group.create_task(
                _metadata(self._source, {r.primary_query_object for r in given})
            )
            targets = group.create_task(
                _metadata(
                    self._target, {name for r in given for name in r.target_objects}
                )
            )
        name = given[0].name
        others = tuple(rule for rule in known.rules if rule.name != name)
        changed = replace(
            known,
            rules=(*others, *given),
            broken=tuple(
                broken for broken in known.broken if broken.error.rule != name
            ),
            sources={**known.sources, **_typed(sources.result())},
            targets={**known.targets, **_typed(targets.result())},
            _compiled={},
        )
        return changed, given

    async def _load(self) -> Configuration:
        known = self._known
        async with concurrently() as group:
            rules_read = group.create_task(
                self._target.configuration("Integrationrule")
            )
            reads = [
                group.create_task(self._target.query(statement))
                for statement in (CONNECTIONS, _INTEGRATIONS, _POINTS, _LOOKUPS)
            ]
            # The objects that the rules named last time are most likely those that they name now.
            sources_read = group.create_task(
                _metadata(self._source, known.sources if known else ())
            )
            targets_read = group.create_task(
                _metadata(self._target, known.targets if known else ())
            )
        components, tables = rules_read.result(), [read.result().rows for read in reads]
        sources, targets = sources_read.result(), targets_read.result()
        rules, broken = read_rules(components)
        async with concurrently() as group:
            more_sources = group.create_task(
                _metadata(
                    self._source,
                    {rule.primary_query_object for rule in rules} - sources.keys(),
                )
            )
            more_targets = group.create_task(
                _metadata(
                    self._target,
                    {name for rule in rules for name in rule.target_objects}
                    - targets.keys(),
                )
            )
        sources |= more_sources.result()
        targets |= more_targets.result()
        raw = (components, tables, sources, targets)
        if known is not None and raw == self._raw:
            return known  # with all its rules already compiled
        self._raw = raw
        self._known = _assemble(rules, broken, tables, sources, targets)
        return self._known


def _assemble(
    rules: tuple[IntegrationRule, ...],
    broken: tuple[BrokenRule, ...],
    tables: list[list[dict[str, object]]],
    sources: Mapping[str, Json | None],
    targets: Mapping[str, Json | None],
) -> Configuration:
    connections, integrations, points, lookups = tables
    by_connection: dict[str, list[Json]] = {}
    for row in lookups:
        by_connection.setdefault(text(row, "connection__sys"), []).append(row)
    return Configuration(
        connections={
            connection.id: connection for connection in read_connections(connections)
        },
        integrations={
            str(row["id"]): Integration(
                str(row["id"]),
                text(row, "integration_api_name__sys"),
                text(row, "connection__sys"),
                _is_active(row),
            )
            for row in integrations
        },
        points=tuple(
            IntegrationPoint(
                str(row["id"]),
                text(row, "integration_point_api_name__sys"),
                text(row, "integration__sys"),
                _is_active(row),
                text(row, "copy_of__sys"),
            )
            for row in points
        ),
        rules=rules,
        broken=broken,
        lookups={
            connection: read_lookups(rows) for connection, rows in by_connection.items()
        },
        sources=_typed(sources),
        targets=_typed(targets),
    )


def _typed(answers: Mapping[str, Json | None]) -> dict[str, ObjectMetadata]:
    return {
        name: ObjectMetadata.from_json(answer)
        for name, answer in answers.items()
        if answer is not None
    }


async def _metadata(
    client: VaultClient, names: Iterable[str]
) -> dict[str, Json | None]:
    """Metadata by object name; None for an object that the Vault does not have or show."""

    async def one(name: str) -> Json | None:
        try:
            return await (
                client.document_metadata()
                if name == DOCUMENTS
                else client.object_metadata(name)
            )
        except VaultRefused:
            return None

    async with concurrently() as group:
        reads = {name: group.create_task(one(name)) for name in names}
    return {name: read.result() for name, read in reads.items()}
