"""Reads the configuration between two Vaults by public calls, and reads again what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.connector.rules.lookups import Lookups
from services.connector.rules.object_metadata import DOCUMENTS, ObjectMetadata
from services.connector.rules.rule import IntegrationRule, read_rule, read_rules
from services.connector.vaults.configuration import (
    Configuration,
    Connection,
    Integration,
    IntegrationPoint,
)
from services.connector.vaults.lookup_reading import ALL, LookupReader, by_connection
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import ANY_MOMENT, Json, Row, text
from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.runtime.waiting import FreshValue, concurrently

CONNECTIONS = (
    "SELECT id, api_name__sys, object_type__vr.api_name__v, remote_vault_id__sys, remote_connection__sys, state__v, "
    "status__v, domain_type__sys, remote_domain_type__sys FROM connection__sys"
)
_INTEGRATIONS = "SELECT id, integration_api_name__sys, connection__sys, status__v FROM integration__sys"
_POINTS = (
    "SELECT id, integration_point_api_name__sys, copy_of__sys, integration__sys, status__v "
    "FROM integration_point__sys"
)

ACTIVE_STATE, PENDING_STATE = "active_state__sys", "pending_state__sys"
EXTERNAL = "external__sys"
PRODUCTION, SANDBOX = "production__sys", "sandbox__sys"

# What a Vault answers of an object that it does not have, and of one that the caller may not read.
_NO_SUCH_OBJECT = frozenset({ErrorType.INVALID_DATA, ErrorType.INSUFFICIENT_ACCESS})

Metadata = dict[str, Json | None]
"""Object metadata, as a Vault answers it, by object name; None for an object that it does not have or show."""


@dataclass(frozen=True, slots=True)
class _Revisions:
    """The revisions by which the configuration of two Vaults is cached, and that of the target Vault's lookups."""

    configuration: tuple[str, str]
    lookups: str


class ConfigurationReader:
    """Reads the configuration between one source and one target Vault, and caches it while it is current.

    The configuration is current while both Vaults return the revisions that they had before it was read. With a Vault
    that returns no revision, it is read again for each moment after the last reading began.
    """

    def __init__(
        self,
        source: VaultClient,
        target: VaultClient,
    ) -> None:
        self._source = source
        self._target = target
        self._lookups = LookupReader(target)
        # Once for all messages that wait for it.
        self._fresh = FreshValue(self._load, self._refresh)
        self._revisions: _Revisions | None = None
        self._raw: _Answers | None = None
        self._known: Configuration | None = None

    async def since(self, moment: datetime) -> Configuration:
        """Return the configuration as it was at ``moment`` or later.

        :raises ClientError: one of the calls fails.
        """
        return await self._fresh.since(moment)

    async def with_rule(
        self,
        component: Json,
        moment: datetime,
    ) -> tuple[Configuration, tuple[IntegrationRule, ...]]:
        """Return the configuration at ``moment`` or later with a rule replaced, and the rules in the component.

        The component replaces the rules with its name.

        :raises RuleError: the rule cannot be read.
        :raises ClientError: one of the calls fails.
        """
        parts = read_rule(component)
        known = await self.since(moment)
        sources, targets = await self._described(
            {part.primary_query_object for part in parts},
            {name for part in parts for name in part.target_objects},
        )
        lookups = dict(known.lookups)
        if known.lookup_reader is not None:
            own = await self._keyed(known, parts)
            lookups |= {each: {**lookups.get(each, {}), **own[each]} for each in own}
        name = parts[0].name
        others = (rule for rule in known.rules if rule.name != name)
        broken = (each for each in known.broken if each.error.rule != name)
        changed = replace(
            known,
            rules=(*others, *parts),
            broken=tuple(broken),
            lookups=lookups,
            sources={**known.sources, **_typed(sources)},
            targets={**known.targets, **_typed(targets)},
            # The rules of the configuration that is in use stay compiled there.
            _compiled={},
        )
        return changed, parts

    async def _revisions_since(self, moment: datetime) -> _Revisions | None:
        """Return the revisions at ``moment`` or later; None when one of the Vaults has none."""
        async with concurrently() as group:
            of_source = group.create_task(self._source.revision_since(moment))
            of_target = group.create_task(self._target.revision_since(moment))
        source, target = of_source.result(), of_target.result()
        if source is None or target is None:
            return None
        both = (source.configuration, target.configuration)
        return _Revisions(both, target.lookups)

    async def _refresh(
        self,
        known: Configuration,
        moment: datetime,
    ) -> Configuration | None:
        """Return the cached configuration, with its lookups read again if only they have changed.

        Return None when more may have changed.
        """
        kept = self._revisions
        if kept is None:
            return None
        current = await self._revisions_since(moment)
        if current is None or current.configuration != kept.configuration:
            return None
        if current.lookups != kept.lookups:
            known = await self._with_lookups(known)
        self._known, self._revisions = known, current
        return known

    async def _load(self) -> Configuration:
        # Asked for before the reads: what these see is of that revision, or of a later one, noticed the next time.
        current = await self._revisions_since(ANY_MOMENT)
        loaded = await self._read(self._known, keyed=current is not None)
        # Only now: what is kept after a read that failed keeps its own revisions.
        self._known, self._revisions = loaded, current
        return loaded

    async def _with_lookups(self, known: Configuration) -> Configuration:
        """Return the configuration with the lookups as they are now."""
        rows = await self._lookups.page()
        if rows is None:
            lookups, reader = await self._keyed(known, known.rules), self._lookups
        else:
            lookups, reader = by_connection(rows), None
        if self._raw is not None:
            self._raw.lookups = rows
        return replace(known, lookups=lookups, lookup_reader=reader, _compiled={})

    async def _keyed(
        self,
        known: Configuration,
        rules: Iterable[IntegrationRule],
    ) -> dict[str, Lookups]:
        connections = {each.api_name: each.id for each in known.connections.values()}
        return await self._lookups.keyed(rules, connections)

    async def _read(
        self,
        known: Configuration | None,
        *,
        keyed: bool,
    ) -> Configuration:
        """Read the whole configuration.

        ``keyed`` allows lookups to be read key by key, since a later change is noticed.
        """
        async with concurrently() as group:
            reading = group.create_task(self._answers(keyed=keyed))
            # The objects that the rules named last time are most likely those that they name now.
            describing = group.create_task(
                self._described(
                    known.sources if known else (),
                    known.targets if known else (),
                )
            )
        answers = reading.result()
        answers.sources, answers.targets = describing.result()
        rules, _ = read_rules(answers.components)
        named = {rule.primary_query_object for rule in rules}
        written = {name for rule in rules for name in rule.target_objects}
        # Usually nothing: only objects that the rules name for the first time.
        sources, targets = await self._described(
            named - answers.sources.keys(),
            written - answers.targets.keys(),
        )
        answers.sources |= sources
        answers.targets |= targets
        # An unchanged configuration is returned as the same object, with all its rules already compiled.
        if known is not None and answers == self._raw and answers.lookups is not None:
            return known
        self._raw = answers
        read = answers.configuration()
        if answers.lookups is not None:
            return read
        lookups = await self._keyed(read, read.rules)
        return replace(read, lookups=lookups, lookup_reader=self._lookups)

    async def _answers(self, *, keyed: bool) -> _Answers:
        query = self._target.query
        async with concurrently() as group:
            components = group.create_task(
                self._target.configuration("Integrationrule")
            )
            connections = group.create_task(query(CONNECTIONS))
            integrations = group.create_task(query(_INTEGRATIONS))
            points = group.create_task(query(_POINTS))
            lookups = group.create_task(self._lookup_rows(keyed=keyed))
        return _Answers(
            components=components.result(),
            connections=connections.result().rows,
            integrations=integrations.result().rows,
            points=points.result().rows,
            lookups=lookups.result(),
            sources={},
            targets={},
        )

    async def _lookup_rows(self, *, keyed: bool) -> list[Row] | None:
        if keyed:
            return await self._lookups.page()
        answer = await self._target.query(ALL)
        return answer.rows

    async def _described(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
    ) -> tuple[Metadata, Metadata]:
        """Return the metadata of objects of the source Vault, and of the target Vault."""
        async with concurrently() as group:
            of_source = group.create_task(_metadata(self._source, sources))
            of_target = group.create_task(_metadata(self._target, targets))
        return of_source.result(), of_target.result()


@dataclass(slots=True)
class _Answers:
    """The answers of two Vaults about their configuration; equal answers make equal configurations.

    ``lookups`` are None when they are read key by key.
    """

    components: list[Row]
    connections: list[Row]
    integrations: list[Row]
    points: list[Row]
    lookups: list[Row] | None
    sources: Metadata
    targets: Metadata

    def configuration(self) -> Configuration:
        """Return the configuration in the answers."""
        rules, broken = read_rules(self.components)
        connections = read_connections(self.connections)
        integrations = [_integration(row) for row in self.integrations]
        return Configuration(
            connections={connection.id: connection for connection in connections},
            integrations={integration.id: integration for integration in integrations},
            points=tuple(_point(row) for row in self.points),
            rules=rules,
            broken=broken,
            lookups=by_connection(self.lookups or ()),
            sources=_typed(self.sources),
            targets=_typed(self.targets),
        )


def read_connections(rows: Iterable[Json]) -> tuple[Connection, ...]:
    """Read the rows of ``connection__sys``; a connection is active when its state and its status are."""
    return tuple(_connection(row) for row in rows)


def _connection(row: Json) -> Connection:
    state = text(row, "state__v")
    remote = text(row, "remote_vault_id__sys")
    domains = (text(row, "domain_type__sys"), text(row, "remote_domain_type__sys"))
    return Connection(
        id=str(row["id"]),
        api_name=text(row, "api_name__sys"),
        remote_vault_id=whole_number(remote),
        active=_is_active(row) and state == ACTIVE_STATE,
        remote_name=text(row, "remote_connection__sys"),
        pending=state == PENDING_STATE,
        external=text(row, "object_type__vr.api_name__v") == EXTERNAL,
        guarded=domains == (PRODUCTION, SANDBOX),
        reading=domains == (SANDBOX, PRODUCTION),
    )


def _integration(row: Json) -> Integration:
    return Integration(
        id=str(row["id"]),
        api_name=text(row, "integration_api_name__sys"),
        connection=text(row, "connection__sys"),
        active=_is_active(row),
    )


def _point(row: Json) -> IntegrationPoint:
    return IntegrationPoint(
        id=str(row["id"]),
        api_name=text(row, "integration_point_api_name__sys"),
        integration=text(row, "integration__sys"),
        active=_is_active(row),
        copy_of=text(row, "copy_of__sys"),
    )


def _is_active(row: Json) -> bool:
    # A record without a status is an active one.
    return text(row, "status__v") in ("", "active__v")


def _typed(answers: Mapping[str, Json | None]) -> dict[str, ObjectMetadata]:
    return {
        name: ObjectMetadata.from_json(answer)
        for name, answer in answers.items()
        if answer is not None
    }


async def _metadata(
    client: VaultClient,
    names: Iterable[str],
) -> Metadata:
    async with concurrently() as group:
        reads = {name: group.create_task(_described(client, name)) for name in names}
    return {name: read.result() for name, read in reads.items()}


async def _described(
    client: VaultClient,
    name: str,
) -> Json | None:
    try:
        if name == DOCUMENTS:
            return await client.document_metadata()
        return await client.object_metadata(name)
    except VaultRefused as refused:
        # Any other refusal is the Vault's trouble, and says nothing of its objects.
        if refused.type not in _NO_SUCH_OBJECT:
            raise
        # A rule that names such an object is refused when it is compiled, and only that rule.
        return None
