"""Reads the configuration of both ends of a connection by public calls, and returns what is wrong with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from services.connector.delivery.destinations import queue_connections
from services.connector.points.points import point_of
from services.connector.readiness.findings import (
    EndFacts,
    Finding,
    QueueFacts,
    of_connection,
    of_ends,
)
from services.connector.rules.rule import IntegrationRule
from services.connector.rules.rule_findings import RuleFinding
from services.connector.vaults.configuration import Configuration, Connection
from services.connector.vaults.configuration_reader import CONNECTIONS, read_connections
from services.connector.vaults.rule_check import PointRules, check_rules
from services.connector.vaults.vaults import KnownVault, Vaults
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row, text
from shared.protocol.readiness_steps import ReadinessStep
from shared.protocol.redaction import without_values
from shared.runtime.waiting import concurrently

# More open exceptions than these need no exact count.
OPEN_EXCEPTIONS = "SELECT id FROM exception_message__sys WHERE error_status__sys = 'open__sys' MAXROWS 1000"


async def findings(
    vaults: Vaults,
    own: KnownVault,
    name: str,
    consumers: Callable[[], Awaitable[str | None]],
) -> list[Finding]:
    """Return the faults of the connection ``name``, in the order in which to correct them.

    ``consumers`` returns why messages are not consumed, None when they are.

    :raises ClientError: a Vault is away or refuses.
    """
    connection = await _connection(own, name)
    found = list(of_connection(own.vault_id, name, connection))
    # What follows can be read over a connection in use only, and would be wrong as a consequence.
    if found or connection is None:
        return found
    if connection.external:
        # All that can be asked of the other end is whether it takes messages.
        end = await _end(vaults, own, own, connection)
        return [*await _unsigned(own, name), *of_ends((end,), await consumers())]
    remote = vaults.get(connection.remote_vault_id)
    if remote is None:
        message = f"The connector has no access to Vault {connection.remote_vault_id}; add it to CONNECTOR_VAULTS"
        return [Finding(ReadinessStep.REMOTE_VAULT, own.vault_id, name, message)]
    opposite = await _connection(remote, connection.remote_name)
    found = list(of_connection(remote.vault_id, connection.remote_name, opposite))
    if found or opposite is None:
        return found
    async with concurrently() as group:
        here = group.create_task(_end(vaults, own, remote, connection))
        there = group.create_task(_end(vaults, remote, own, opposite))
    ends = (here.result(), there.result())
    return of_ends(ends, await consumers())


async def _connection(vault: KnownVault, name: str) -> Connection | None:
    result = await vault.client.query(CONNECTIONS)
    connections = read_connections(result.rows)
    named = (known for known in connections if known.api_name == name)
    return next(named, None)


async def _unsigned(own: KnownVault, name: str) -> list[Finding]:
    """Return why the Vault signs no messages for an External connection: its address may no longer be allowed."""
    try:
        await own.client.sign_messages(name, [])
    except VaultRefused as refused:
        message = f"The Vault signs no messages: {without_values(refused.message)}"
        return [Finding(ReadinessStep.CONNECTION, own.vault_id, name, message)]
    return []


async def _end(
    vaults: Vaults,
    vault: KnownVault,
    other: KnownVault,
    connection: Connection,
) -> EndFacts:
    """Read the facts of one end; ``other`` is the remote Vault, or ``vault`` itself for an External connection."""
    now = datetime.now(UTC)
    async with concurrently() as group:
        own_reader = vaults.configuration(other, vault)
        other_reader = vaults.configuration(vault, other)
        reading = group.create_task(own_reader.since(now))
        from_other = group.create_task(other_reader.since(now))
        queues = group.create_task(_queues(vault, other, connection))
        exceptions = group.create_task(vault.client.query(OPEN_EXCEPTIONS))
    configuration = reading.result()
    integrations = tuple(
        integration
        for integration in configuration.integrations.values()
        if integration.connection == connection.id
    )
    ids = {integration.id for integration in integrations}
    points = (point for point in configuration.points if point.integration in ids)
    of_rules: list[RuleFinding] = []
    refused: tuple[tuple[str, str], ...] = ()
    if other is not vault:
        rules = _rules(from_other.result(), connection.remote_name)
        objects = {rule.primary_query_object for rule in rules}
        refused = await _refused(vaults, vault, connection, objects)
        of_rules = await _of_rules(
            vault.client,
            configuration,
            connection,
            other.vault_id,
        )
    return EndFacts(
        vault_id=vault.vault_id,
        connection=connection,
        integrations=integrations,
        points=tuple(points),
        rules=tuple(of_rules),
        queues=queues.result(),
        refused=refused,
        exceptions=len(exceptions.result().rows),
    )


def _rules(configuration: Configuration, connection: str) -> list[IntegrationRule]:
    return [rule for rule in configuration.rules if rule.connection == connection]


async def _of_rules(
    target: VaultClient,
    configuration: Configuration,
    connection: Connection,
    other: int,
) -> list[RuleFinding]:
    """Return the faults of the connection's rules at active integration points."""
    points = _active_points(configuration, connection)
    found = [
        RuleFinding.of_error(broken.error)
        for broken in configuration.broken
        if broken.integration_point in points
    ]
    by_point: dict[str, list[IntegrationRule]] = {}
    for rule in _rules(configuration, connection.api_name):
        if rule.integration_point in points:
            by_point.setdefault(rule.integration_point, []).append(rule)
    checked = []
    for name, rules in by_point.items():
        route = configuration.route(name, other)
        point = point_of(route)
        part = PointRules(route, point.share, point.fills_documents, tuple(rules))
        checked.append(part)
    found += await check_rules(target, configuration, checked)
    return found


def _active_points(configuration: Configuration, connection: Connection) -> set[str]:
    """Return the API names of the connection's active points of active integrations."""
    integrations = {
        integration.id
        for integration in configuration.integrations.values()
        if integration.active and integration.connection == connection.id
    }
    return {
        point.api_name
        for point in configuration.points
        if point.active and point.integration in integrations
    }


async def _refused(
    vaults: Vaults,
    vault: KnownVault,
    connection: Connection,
    objects: Iterable[str],
) -> tuple[tuple[str, str], ...]:
    """Return the objects of this Vault that the remote Vault's user may not read, each with the error type."""

    async def ask(name: str) -> tuple[str, str] | None:
        statement = f"SELECT id FROM {name} MAXROWS 1"  # noqa: S608  VQL of names
        try:
            await client.query(statement)
        except VaultRefused as refused:
            return name, refused.type
        return None

    # Asked in the session of the connection's own user, since it is that user's rights that count.
    try:
        client = await vaults.session(vault, connection.api_name)
    except VaultRefused as refused:
        return ((connection.api_name, refused.type),)
    async with concurrently() as group:
        tasks = [group.create_task(ask(name)) for name in sorted(objects)]
    answers = (task.result() for task in tasks)
    return tuple(answer for answer in answers if answer is not None)


async def _queues(
    vault: KnownVault,
    other: KnownVault,
    connection: Connection,
) -> tuple[QueueFacts, ...]:
    """Return the queues of this Vault that send over the connection, and those that the remote Vault delivers to."""
    async with concurrently() as group:
        here = group.create_task(vault.client.configuration("Queue"))
        there = group.create_task(other.client.configuration("Queue"))
    names: list[str] = []
    for component, _ in _connected(here.result(), connection.api_name):
        names.append(text(component, "name"))
    if other is not vault:
        # Which queue takes messages here is configured at the other end only.
        for _, entry in _connected(there.result(), connection.remote_name):
            names.append(text(entry, "deliver_to_queue"))
    distinct = [name for name in dict.fromkeys(names) if name]
    async with concurrently() as group:
        reads = [
            group.create_task(_queue(vault.client, name, connection.api_name))
            for name in distinct
        ]
    return tuple(read.result() for read in reads)


def _connected(
    components: Iterable[Row],
    connection: str,
) -> Iterator[tuple[Row, Mapping[str, object]]]:
    """Yield each Queue component that has an active queue connection by this name, with that queue connection."""
    for component in components:
        for entry in queue_connections(component):
            if text(entry, "connection_name") == connection:
                yield component, entry


async def _queue(client: VaultClient, name: str, connection: str) -> QueueFacts:
    try:
        row = await client.queue(name)
    except VaultRefused as refused:
        return QueueFacts(name, active=False, error=refused.type)
    return QueueFacts(
        name=name,
        active=text(row, "status") == "active",
        # An inbound queue has no delivery at all, and is not to be counted as disabled.
        delivering=text(row, "delivery") != "disabled",
        error=_latest_error(row, connection),
    )


def _latest_error(queue: Row, connection: str) -> str:
    """Return why the queue's latest message over the connection was not delivered; empty when it was."""
    connections = queue.get("connections")
    if not isinstance(connections, list):
        return ""
    for entry in connections:
        if isinstance(entry, dict) and entry.get("name") == connection:
            error = entry.get("error")
            return text(error, "message") if isinstance(error, dict) else ""
    return ""
