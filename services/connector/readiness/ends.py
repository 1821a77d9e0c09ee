"""Both ends of a connection read, by public calls, for what keeps it from working."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from services.connector.delivery.destinations import queue_connections
from services.connector.points.points import point_of
from services.connector.readiness.findings import (
    EndFacts,
    Finding,
    QueueFacts,
    Step,
    of_connection,
    of_ends,
)
from services.connector.rules.rule import IntegrationRule, RuleError
from services.connector.vaults.configuration import Configuration, Connection
from services.connector.vaults.configuration_reader import CONNECTIONS, read_connections
from services.connector.vaults.vaults import KnownVault, Vaults
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row, text
from shared.runtime.waiting import concurrently

OPEN_EXCEPTIONS = "SELECT id FROM exception_message__sys WHERE error_status__sys = 'open__sys' MAXROWS 1000"


async def findings(
    vaults: Vaults,
    own: KnownVault,
    name: str,
    consumers: Callable[[], Awaitable[str | None]],
) -> list[Finding]:
    """What is to be mended of the connection ``name``, first things first; raises ClientError.

    ``consumers`` tells why messages are not consumed, if so.
    """
    connection = await _connection(own, name)
    found = list(of_connection(own.vault_id, name, connection))
    if found or connection is None:
        return found
    if connection.external:
        # All that can be asked of the other end is whether it takes messages.
        return of_ends((await _end(vaults, own, own, connection),), await consumers())
    remote = vaults.get(connection.remote_vault_id)
    if remote is None:
        message = f"The connector has no access to Vault {connection.remote_vault_id}; add it to CONNECTOR_VAULTS"
        return [Finding(Step.REMOTE_VAULT, own.vault_id, name, message)]
    theirs = await _connection(remote, connection.remote_name)
    found = list(of_connection(remote.vault_id, connection.remote_name, theirs))
    if found or theirs is None:
        return found
    async with concurrently() as group:
        here = group.create_task(_end(vaults, own, remote, connection))
        there = group.create_task(_end(vaults, remote, own, theirs))
    return of_ends((here.result(), there.result()), await consumers())


async def _connection(vault: KnownVault, name: str) -> Connection | None:
    rows = (await vault.client.query(CONNECTIONS)).rows
    return next(
        (known for known in read_connections(rows) if known.api_name == name), None
    )


async def _end(
    vaults: Vaults, vault: KnownVault, other: KnownVault, connection: Connection
) -> EndFacts:
    """One end; ``other`` is the Vault at the other, which is this one where nothing can be asked of it."""
    now = datetime.now(UTC)
    async with concurrently() as group:
        reading = group.create_task(vaults.configuration(other, vault).since(now))
        from_other = group.create_task(vaults.configuration(vault, other).since(now))
        queues = group.create_task(_queues(vault, other, connection))
        exceptions = group.create_task(vault.client.query(OPEN_EXCEPTIONS))
    configuration = reading.result()
    integrations = tuple(
        i for i in configuration.integrations.values() if i.connection == connection.id
    )
    ids = {integration.id for integration in integrations}
    refused: tuple[tuple[str, str], ...] = ()
    if other is not vault:
        read_here = _rules(from_other.result(), connection.remote_name)
        refused = await _refused(
            vaults, vault, connection, {rule.primary_query_object for rule in read_here}
        )
    return EndFacts(
        vault_id=vault.vault_id,
        connection=connection,
        integrations=integrations,
        points=tuple(
            point for point in configuration.points if point.integration in ids
        ),
        broken_rules=tuple(_broken(configuration, connection, other.vault_id))
        if other is not vault
        else (),
        queues=queues.result(),
        refused=refused,
        exceptions=len(exceptions.result().rows),
    )


def _rules(configuration: Configuration, connection: str) -> list[IntegrationRule]:
    return [rule for rule in configuration.rules if rule.connection == connection]


def _broken(
    configuration: Configuration, connection: Connection, other: int
) -> Iterable[RuleError]:
    """The rules of the connection that cannot be carried out, of points that are to work."""
    active = {
        i.id
        for i in configuration.integrations.values()
        if i.active and i.connection == connection.id
    }
    points = {
        point.api_name
        for point in configuration.points
        if point.integration in active and point.active
    }
    yield from (
        broken.error
        for broken in configuration.broken
        if broken.integration_point in points
    )
    for rule in _rules(configuration, connection.api_name):
        if rule.integration_point in points:
            try:
                route = configuration.route(rule.integration_point, other)
                configuration.compiled(
                    route, rule, documents=point_of(route).fills_documents
                )
            except RuleError as error:
                yield error


async def _refused(
    vaults: Vaults, vault: KnownVault, connection: Connection, objects: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    """The objects of this Vault that the Vault at the other end may not read, each with the refusal's type."""

    async def ask(name: str) -> tuple[str, str] | None:
        try:
            await client.query(f"SELECT id FROM {name} MAXROWS 1")  # noqa: S608  VQL of names
        except VaultRefused as refused:
            return name, refused.type
        return None

    try:
        client = await vaults.session(vault, connection.api_name)
    except VaultRefused as refused:
        return ((connection.api_name, refused.type),)
    async with concurrently() as group:
        asked = [group.create_task(ask(name)) for name in sorted(objects)]
    return tuple(answer for task in asked if (answer := task.result()) is not None)


async def _queues(
    vault: KnownVault, other: KnownVault, connection: Connection
) -> tuple[QueueFacts, ...]:
    """The queues here that send over the connection, and those that the other end delivers to."""
    async with concurrently() as group:
        here = group.create_task(vault.client.configuration("Queue"))
        there = group.create_task(other.client.configuration("Queue"))
    names = {
        text(component, "name"): None
        for component, _ in _connected(here.result(), connection.api_name)
    }
    if other is not vault:
        names |= {
            text(e, "deliver_to_queue"): None
            for _, e in _connected(there.result(), connection.remote_name)
        }
    async with concurrently() as group:
        reads = [
            group.create_task(_queue(vault.client, name, connection.api_name))
            for name in names
            if name
        ]
    return tuple(read.result() for read in reads)


def _connected(
    components: Iterable[Row], connection: str
) -> Iterator[tuple[Row, Mapping[str, object]]]:
    """The queues that have a queue connection with the connection, and that."""
    for component in components:
        for entry in queue_connections(component):
            if text(entry, "connection_name") == connection:
                yield component, entry


async def _queue(client: VaultClient, name: str, connection: str) -> QueueFacts:
    try:
        row = await client.queue(name)
    except VaultRefused as refused:
        return QueueFacts(name, active=False, error=refused.type)
    listed = row.get("connections")
    errors = [
        entry.get("error")
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and entry.get("name") == connection
    ]
    error = errors[0] if errors else None
    return QueueFacts(
        name=name,
        active=text(row, "status") == "active",
        delivering=text(row, "delivery") != "disabled",
        error=text(error, "message") if isinstance(error, dict) else "",
    )
