"""Finds the destinations of an outbound queue's messages over active connections, and notes which were reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import assert_never

from services.connector.vaults.configuration import Connection
from services.connector.vaults.configuration_reader import CONNECTIONS, read_connections
from shared.client.client import VaultClient
from shared.client.results import ANY_MOMENT, text
from shared.runtime.waiting import FreshValue, concurrently
from shared.spark.envelope import DESTINATION_ATTRIBUTE, Envelope, format_moment

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination of a message over a connection: an inbound queue of a remote Vault.

    An External connection has no Vault and no queue: its messages go to the connection's address.
    """

    connection: str
    remote_vault_id: int | None = None
    queue: str = ""


@dataclass(frozen=True, slots=True)
class RouteFault:
    """The reason why a connection has no destination; ``connection`` is empty when the queue has no connections."""

    connection: str
    reason: str
    remote_vault_id: int | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """The destinations of one outbound queue, and the faults of connections without one."""

    destinations: tuple[Destination, ...]
    faults: tuple[RouteFault, ...]

    def only_to(self, vault_id: int) -> Routes:
        """Return the routes of a message that is for one Vault only."""
        # A fault without a connection is the queue's own, and concerns every Vault.
        faults = tuple(
            fault
            for fault in self.faults
            if not fault.connection or fault.remote_vault_id == vault_id
        )
        destinations = tuple(
            destination
            for destination in self.destinations
            if destination.remote_vault_id == vault_id
        )
        if destinations or faults:
            return Routes(destinations, faults)
        reason = f"the queue has no active connection with Vault {vault_id}; add or activate one"
        return Routes((), (RouteFault("", reason),))


def read_routes(
    queue: str,
    components: Iterable[Json],
    connections: Iterable[Connection],
) -> Routes:
    """Return the routes of a queue from the Queue components and the connection records of its Vault."""
    named = (component for component in components if component.get("name") == queue)
    component = next(named, None)
    if component is None:
        reason = (
            f"queue {queue} is not configured in this Vault; add the Queue component"
        )
        return Routes((), (RouteFault("", reason),))
    by_name = {connection.api_name: connection for connection in connections}
    destinations: list[Destination] = []
    faults: list[RouteFault] = []
    pending: list[RouteFault] = []
    for entry in queue_connections(component):
        connection = by_name.get(text(entry, "connection_name"))
        route = _route(queue, entry, connection)
        match route:
            case Destination():
                destinations.append(route)
            case RouteFault() if connection is not None and connection.pending:
                pending.append(route)
            case RouteFault():
                faults.append(route)
            case _:
                assert_never(route)
    # One that was never established is not missed where there are others.
    if not destinations and not faults:
        faults = pending
    if not destinations and not faults:
        reason = f"queue {queue} has no active queue connection; add or activate one"
        faults.append(RouteFault("", reason))
    return Routes(tuple(destinations), tuple(faults))


def _route(
    queue: str,
    entry: Json,
    connection: Connection | None,
) -> Destination | RouteFault:
    """Return the destination of a queue connection, or why it has none."""
    name = text(entry, "connection_name")
    remote_queue = text(entry, "deliver_to_queue")
    if connection is None:
        reason = (
            f"connection {name} does not exist; add it or correct the queue connection"
        )
        return RouteFault(name, reason)
    remote_vault = connection.remote_vault_id
    if not connection.active:
        reason = f"connection {name} is inactive; activate it"
        return RouteFault(name, reason, remote_vault)
    if connection.external:
        return Destination(name)
    if remote_vault is None:
        reason = f"connection {name} has no Remote Vault ID; set it"
        return RouteFault(name, reason)
    if not remote_queue:
        reason = f"queue connection {name} of queue {queue} names no queue to deliver to; set it"
        return RouteFault(name, reason, remote_vault)
    return Destination(name, remote_vault, remote_queue)


def queue_connections(component: Json) -> list[Json]:
    """Return the active queue connections of a Queue component."""
    entries = component.get("Queueconnection")
    if not isinstance(entries, list):
        return []
    # Only an explicit false deactivates one; an entry without the attribute is active.
    return [
        entry
        for entry in entries
        if isinstance(entry, Mapping) and entry.get("active") is not False
    ]


class RouteReader:
    """Reads the routes of one queue, and reads them again for a message that may be newer."""

    def __init__(self, client: VaultClient, queue: str) -> None:
        self._client = client
        self._queue = queue
        self._revision: str | None = None
        self.fresh = FreshValue(self._load, self._refresh)

    async def _refresh(self, known: Routes, moment: datetime) -> Routes | None:
        if self._revision is None:
            return None
        revision = await self._client.revision_since(moment)
        unchanged = revision is not None and revision.configuration == self._revision
        if unchanged:
            return known
        return None

    async def _load(self) -> Routes:
        # Before the reads: what they see is of this revision, or of one that is noticed the next time.
        revision = await self._client.revision_since(ANY_MOMENT)
        async with concurrently() as group:
            components = group.create_task(self._client.configuration("Queue"))
            connections = group.create_task(self._client.query(CONNECTIONS))
        # Only now: a read that fails leaves the routes that are kept with their own revision.
        self._revision = revision.configuration if revision else None
        rows = connections.result().rows
        return read_routes(
            self._queue,
            components.result(),
            read_connections(rows),
        )


# Bytes of a body that is no message: what a Long Text field of the report's record takes.
MAX_REPORTED = 32_000


@dataclass(slots=True)
class Sending:
    """A message of an outbound queue; ``missing`` has, by connection, the reason why it is not delivered yet.

    ``revision`` is the revision of its Vault's configuration when it was queued.
    """

    envelope: Envelope
    revision: str | None = None
    attempts: int = 0
    sent: datetime = field(default_factory=lambda: datetime.now(UTC))
    reached: set[Destination] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)

    def begin(self, attempt: int) -> None:
        """Count one more attempt."""
        self.attempts = attempt
        self.sent = datetime.now(UTC)
        # Faults of the attempt before may have been mended; those that remain are found again.
        self.missing.clear()

    def routes(self, routes: Routes) -> Routes:
        """Return those routes of the queue that apply to this message."""
        attributes = self.envelope.message.attributes
        vault_id = attributes.get(DESTINATION_ATTRIBUTE)
        if not isinstance(vault_id, int):
            return routes
        return routes.only_to(vault_id)

    @property
    def delivered(self) -> bool:
        """Return whether no destination is missing."""
        return not self.missing

    def report(self) -> Iterable[dict[str, object]]:
        """Yield the rows that report the message's deliveries to its Vault, one for each connection."""
        common: dict[str, object] = {
            "message_id": self.envelope.message_id,
            "queue_time": format_moment(self.envelope.enter_queue_timestamp),
            "send_time": format_moment(self.sent),
            "attempts": self.attempts,
        }
        for destination in self.reached:
            yield {**common, "connection_name": destination.connection}
        # The body goes back only where a person may want to send it again.
        body = self.envelope.recorded(None) if self.missing else ""
        for connection, reason in self.missing.items():
            yield {
                **common,
                "connection_name": connection,
                "error": reason,
                "message": body,
            }


def unreadable(body: bytes, message_id: str, reason: str) -> dict[str, object]:
    """Return the row that reports a body that cannot be read as a message."""
    now = format_moment(datetime.now(UTC))
    beginning = body[:MAX_REPORTED].decode(errors="replace")
    # PostgreSQL stores no zero character in a text.
    text = beginning.replace("\x00", "")
    return {
        "message_id": message_id,
        "connection_name": "",
        "queue_time": now,
        "send_time": now,
        "attempts": 1,
        "error": reason,
        "message": text or "(empty)",
    }
