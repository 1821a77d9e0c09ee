"""Where an outbound queue's messages go: its active queue connections, over active connections, to known Vaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.connector.vaults.configuration import Connection
from services.connector.vaults.configuration_reader import CONNECTIONS, read_connections
from shared.client.client import VaultClient
from shared.client.results import text
from shared.runtime.waiting import FreshValue, concurrently

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Destination:
    """One place a message goes to, by way of a connection: a queue of a remote Vault.

    Over an External connection it has neither: the message goes to the connection's address.
    """

    connection: str
    remote_vault_id: int | None = None
    queue: str = ""


@dataclass(frozen=True, slots=True)
class RouteFault:
    """Why a connection leads nowhere; it has no name where the queue has none at all."""

    connection: str
    reason: str
    remote_vault_id: int | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """The destinations of one outbound queue, and why any of its connections leads nowhere."""

    destinations: tuple[Destination, ...]
    faults: tuple[RouteFault, ...]

    def only_to(self, vault_id: int) -> Routes:
        """The routes of a message that is for one Vault only."""
        faults = [
            fault
            for fault in self.faults
            if not fault.connection or fault.remote_vault_id == vault_id
        ]
        found = tuple(
            destination
            for destination in self.destinations
            if destination.remote_vault_id == vault_id
        )
        if not found and not faults:
            faults = [
                RouteFault(
                    "",
                    f"the queue has no active connection with Vault {vault_id}; add or activate one",
                )
            ]
        return Routes(found, tuple(faults))


def read_routes(
    queue: str, components: Iterable[Json], connections: Iterable[Connection]
) -> Routes:
    """Routes of a queue from the Queue components and the connection records of its Vault."""
    component = next(
        (entry for entry in components if entry.get("name") == queue), None
    )
    if component is None:
        fault = RouteFault(
            "",
            f"queue {queue} is not configured in this Vault; add the Queue component",
        )
        return Routes((), (fault,))
    by_name = {connection.api_name: connection for connection in connections}
    destinations: list[Destination] = []
    faults: list[RouteFault] = []
    pending: list[RouteFault] = []
    for entry in queue_connections(component):
        name = text(entry, "connection_name")
        connection = by_name.get(name)
        found = _destination(queue, name, text(entry, "deliver_to_queue"), connection)
        if isinstance(found, Destination):
            destinations.append(found)
        else:
            fault = RouteFault(
                name, found, connection.remote_vault_id if connection else None
            )
            (pending if connection and connection.pending else faults).append(fault)
    # One that was never established is not missed where there are others.
    if not destinations and not faults:
        faults = pending
    if not destinations and not faults:
        faults.append(
            RouteFault(
                "", f"queue {queue} has no active queue connection; add or activate one"
            )
        )
    return Routes(tuple(destinations), tuple(faults))


def _destination(
    queue: str, name: str, remote_queue: str, connection: Connection | None
) -> Destination | str:
    """Where a queue connection leads, or why it leads nowhere."""
    if connection is None:
        return (
            f"connection {name} does not exist; add it or correct the queue connection"
        )
    if not connection.active:
        return f"connection {name} is inactive; activate it"
    if connection.external:
        return Destination(name)
    if connection.remote_vault_id is None:
        return f"connection {name} has no Remote Vault ID; set it"
    if not remote_queue:
        return f"queue connection {name} of queue {queue} names no queue to deliver to; set it"
    return Destination(name, connection.remote_vault_id, remote_queue)


def queue_connections(component: Json) -> list[Json]:
    """The active queue connections of a Queue component."""
    entries = component.get("Queueconnection")
    listed = (
        [entry for entry in entries if isinstance(entry, Mapping)]
        if isinstance(entries, list)
        else []
    )
    return [entry for entry in listed if entry.get("active") is not False]


class RouteReader:
    """Reads the routes of one queue, and reads them again when a message may know better."""

    def __init__(self, client: VaultClient, queue: str) -> None:
        self._client = client
        self._queue = queue
        self.fresh = FreshValue(self._load)

    async def _load(self) -> Routes:
        async with concurrently() as group:
            components = group.create_task(self._client.configuration("Queue"))
            connections = group.create_task(self._client.query(CONNECTIONS))
        return read_routes(
            self._queue,
            components.result(),
            read_connections(connections.result().rows),
        )
