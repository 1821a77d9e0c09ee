"""Reads the configuration between two Vaults by public calls, and again only what may be stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from services.connector.rules.lookups import read_lookups
from services.connector.rules.object_metadata import DOCUMENTS, ObjectMetadata
from services.connector.rules.rule import (
    BrokenRule,
    IntegrationRule,
    read_rule,
    read_rules,
)
from services.connector.vaults.configuration import (
    Configuration,
    Connection,
    Integration,
    IntegrationPoint,
)
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Json, text
from shared.runtime.concurrency import FreshValue, concurrently

CONNECTIONS = (
    "SELECT id, api_name__sys, object_type__vr.api_name__v, remote_vault_id__sys, remote_connection__sys, state__v, "
    "status__v, domain_type__sys, remote_domain_type__sys FROM connection__sys"
)


ACTIVE_STATE, PENDING_STATE = "active_state__sys", "pending_state__sys"


EXTERNAL = "external__sys"


PRODUCTION, SANDBOX = "production__sys", "sandbox__sys"


def read_connections(rows: Iterable[Json]) -> tuple[Connection, ...]:
    """Type the rows of ``connection__sys``; a connection is active when its state and its status are."""
    return tuple(
        Connection(
            id=str(row["id"]),
            api_name=text(row, "api_name__sys"),
            remote_vault_id=int(remote)
            if (remote := text(row, "remote_vault_id__sys")).isdecimal()
            else None,
            active=_is_active(row) and text(row, "state__v") == ACTIVE_STATE,
            remote_name=text(row, "remote_connection__sys"),
            pending=text(row, "state__v") == PENDING_STATE,
            external=text(row, "object_type__vr.api_name__v") == EXTERNAL,
            guarded=_domains(row) == (PRODUCTION, SANDBOX),
            reading=_domains(row) == (SANDBOX, PRODUCTION),
        )
        for row in rows
    )


def _domains(row: Json) -> tuple[str, str]:
    return text(row, "domain_type__sys"), text(row, "remote_domain_type__sys")


def _is_active(row: Json) -> bool:
    return text(row, "status__v") in ("", "active__v")


_INTEGRATIONS = "SELECT id, integration_api_name__sys, connection__sys, status__v FROM integration__sys"


_POINTS = "SELECT id, integration_point_api_name__sys, copy_of__sys, integration__sys, status__v FROM integration_point__sys"


_LOOKUPS = (
    "SELECT id, connection__sys, reference_lookup_name__sys, reference_lookup_type__sys, target_object__sys, "
    "target_key_field__sys, source_key__sys, target_key__sys, status__v FROM reference_lookup__sys "
    "WHERE status__v = 'active__v'"
)


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
