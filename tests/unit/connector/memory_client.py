"""A whole Vault in memory: its records, and the calls about components, queues, runs, sessions and signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import (
    Clock,
    LatestRevision,
    QueryResult,
    Revision,
    Row,
    read_revision,
)
from shared.protocol.error_types import ErrorType
from shared.spark.envelope import format_moment
from shared.spark.publisher import Outgoing
from shared.vault.access.caller import INTEGRATION_USER, Caller
from shared.vault.api.document_metadata import _property
from shared.vault.api.object_json import object_document
from shared.vault.components.description import configuration_json
from shared.vault.components.registry import Registry
from shared.vault.configuration.component_table import ObjectDates, Stamp
from tests.unit.connector.memory_queries import kept, known_targets
from tests.unit.connector.memory_vault import BEGINNING, DOCUMENTS, MemoryVault

Run = dict[str, object]
_DATES = ObjectDates(Stamp(1, BEGINNING, 1, BEGINNING), {})
_CONNECTOR = Caller(2, "connector@example.org", INTEGRATION_USER)


@kept
def components_of(registry: Registry, kind: str) -> tuple[Row, ...]:
    """The components of a type as ``GET /configuration/{type}`` lists them."""
    return tuple(
        configuration_json(component)
        for (type_name, _), component in registry.components.items()
        if type_name == kind
    )


@kept
def metadata_of(registry: Registry, name: str) -> Row:
    """What ``GET /metadata/vobjects/{name}`` has under ``object``."""
    target = registry.objects[name]
    return object_document(target, registry, "/api/v25.1", _DATES, _CONNECTOR)


@dataclass(frozen=True)
class MemorySession:
    """A user's session of a Vault in memory: it reads only what the user may read."""

    vault: MemoryClient
    session_id: str

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """Run a query."""
        await self.vault.user_of(self.session_id)
        for name in self.vault.shut.get(self.session_id, ()):
            if name in vql:
                message = f"no permission to read object [{name}]"
                raise VaultRefused(ErrorType.INSUFFICIENT_ACCESS, message)
        return await self.vault.query(vql, describe=describe)

    async def message_steps(self, message_id: str) -> list[Row]:
        """The steps of a message, for users who may read the queue log."""
        return await self._of_message(self.vault.message_parts, message_id, "queue_log")

    async def message_writes(self, message_id: str) -> list[Row]:
        """The writes of a message, for users who may read the audit trail."""
        return await self._of_message(self.vault.message_parts, message_id, "audit")

    async def _of_message(
        self, parts: Mapping[tuple[str, str], list[Row]], message_id: str, grant: str
    ) -> list[Row]:
        await self.vault.user_of(self.session_id)
        if grant in self.vault.shut.get(self.session_id, ()):
            raise VaultRefused(ErrorType.INSUFFICIENT_ACCESS, f"lacks {grant}")
        return parts.get((grant, message_id), [])


@dataclass(repr=False, eq=False)
class MemoryClient(MemoryVault):
    """The interface of a VaultClient without HTTP.

    ``runs`` are runs by (integration, id), ``batches`` the reported counts of batches; ``reported`` are the rows of
    delivery reports; ``users`` are rows of users by session, ``shut`` the objects that they may not read;
    ``message_parts`` are the steps ("queue_log") and writes ("audit") of messages. ``edited`` are records (ids) and
    fields that users have changed.
    """

    components: dict[str, list[Row]] = field(default_factory=dict)
    runs: dict[tuple[str, int], Run] = field(default_factory=dict)
    batches: list[tuple[int, str, Mapping[str, int]]] = field(default_factory=list)
    reported: list[Mapping[str, object]] = field(default_factory=list)
    deleted: dict[str, list[Row]] = field(default_factory=dict)
    tells_completeness: bool = True
    queue_rows: dict[str, Row] = field(default_factory=dict)
    users: dict[str, Row] = field(default_factory=dict)
    shut: dict[str, set[str]] = field(default_factory=dict)
    message_parts: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    receivers: dict[str, str] = field(default_factory=dict)
    sessions: list[str] = field(default_factory=list)
    edited: set[tuple[str, str]] = field(default_factory=set)
    revision: str | None = None
    seen: LatestRevision = field(default_factory=LatestRevision)

    @property
    def as_client(self) -> VaultClient:
        """The same, to where a VaultClient is wanted."""
        return cast("VaultClient", self)

    async def sign_in(self) -> None:
        """Sign in."""
        await self._begin("sign_in")

    def for_connection(self, api_name: str) -> VaultClient:
        """The same Vault, with the rights of the remote Vault of a connection."""
        self.sessions.append(api_name)
        return self.as_client

    def for_session(self, session_id: str) -> VaultClient:
        """The same Vault, as the user of a session reads it."""
        return cast("VaultClient", MemorySession(self, session_id))

    async def user_of(self, session_id: str) -> Row:
        """The user of a session."""
        await self._begin("user_of")
        if session_id not in self.users:
            raise VaultRefused(
                ErrorType.INVALID_SESSION_ID, "Invalid or expired session ID"
            )
        return self.users[session_id]

    async def configuration(self, component_type: str) -> list[Row]:
        """The components of a type."""
        await self._begin("configuration")
        known = self.components.get(component_type)
        return list(
            known if known is not None else components_of(self.registry, component_type)
        )

    async def objects(self) -> list[Row]:
        """Names and labels of the objects."""
        await self._begin("objects")
        known = self.registry.objects.values()
        return [{"name": each.name, "label": each.label} for each in known]

    async def object_metadata(self, object: str) -> Row:
        """The metadata of an object."""
        await self._begin("object_metadata")
        if object not in self.registry.objects:
            raise VaultRefused(ErrorType.INVALID_DATA, "There is no such object")
        return metadata_of(self.registry, object)

    async def document_metadata(self) -> Row:
        """The metadata of documents."""
        target = known_targets(self.registry).get(DOCUMENTS)
        fields = target.object.fields.values() if target else ()
        return {
            "properties": [_property(each, place) for place, each in enumerate(fields)]
        }

    async def revision_since(self, moment: datetime) -> Revision | None:
        """The revision of the configuration: from a message since the moment, else the present one."""
        seen = self.seen.at(moment)
        if seen is None and self.revision is not None:
            await self._begin("revision_since")
            return read_revision(self.revision)
        return seen

    def note_revision(self, header: str, moment: datetime) -> None:
        """Note the revision in a message."""
        self.seen.note(header, moment)

    async def origins(self, object: str, record: str) -> list[Row]:
        """The fields of a record; transfers have set all that no user has edited."""
        await self._begin("origins", object)
        return [
            {"field_name": name, "changed_since": (record, name) in self.edited}
            for name in self.get(object, record)
        ]

    # Queues

    async def queues(self) -> list[Row]:
        """The queues."""
        await self._begin("queues")
        return [
            {"name": row["name"], "type": row["type"], "status": "active"}
            for row in await self.configuration("Queue")
        ]

    async def queue(self, name: str) -> Row:
        """One queue."""
        await self._begin("queue", name)
        return {
            "name": name,
            "status": "active",
            "delivery": "enabled",
            **self.queue_rows.get(name, {}),
        }

    async def report_deliveries(
        self, name: str, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Store a report of deliveries."""
        await self._begin("report_deliveries", name)
        self.reported += rows

    async def sign_messages(
        self, connection: str, messages: Sequence[str]
    ) -> tuple[str, list[Row]]:
        """The receiver of a connection, and a header for each message."""
        await self._begin("sign_messages", connection)
        return self.receivers[connection], [
            {"X-Number": number} for number, _ in enumerate(messages)
        ]

    async def certificate(self, certificate_id: str) -> str:
        """A certificate."""
        await self._begin("certificate")
        if certificate_id not in self.certificates:
            raise VaultRefused(ErrorType.INVALID_DATA, "There is no such certificate")
        return self.certificates[certificate_id]

    # Runs

    async def clock(self) -> Clock:
        """The present time; every change is complete at once, unless this Vault cannot determine that."""
        await self._begin("clock")
        now = format_moment(self._now)
        return Clock(now, now if self.tells_completeness else None)

    async def run(self, integration: str, job: int) -> Row:
        """A run."""
        await self._begin("run")
        if (integration, job) not in self.runs:
            raise VaultRefused(ErrorType.INVALID_DATA, "There is no such run")
        return dict(self.runs[integration, job])

    async def report_run(
        self, integration: str, job: int, header: Mapping[str, object]
    ) -> Row:
        """Store the progress of a reading."""
        await self._begin("report_run")
        run = self.runs[integration, job]
        # Of two connectors that read one stage, the one behind is told where the other is.
        if header.get("stage", run["stage"]) != run["stage"]:
            return dict(run)
        run |= header
        if header.get("ended"):
            run["paged"] = True
        return dict(run)

    async def report_batch(
        self,
        integration: str,
        job: int,
        batch: int,
        integration_point: str,
        counts: Mapping[str, int],
    ) -> Row:
        """Store the counts of a batch."""
        await self._begin("report_batch")
        self.batches.append((batch, integration_point, counts))
        return dict(self.runs.get((integration, job), {}))

    async def deletions(
        self, object: str, start: str, end: str, *, limit: int, offset: int
    ) -> list[Row]:
        """The deleted records of an object."""
        del start, end
        await self._begin("deletions")
        return self.deleted.get(object, [])[offset : offset + limit]


@dataclass
class MemoryPublisher:
    """Accepts messages for the queues of one virtual host; ``faults`` are raised first, one a call."""

    published: list[Outgoing] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    async def publish(self, message: Outgoing) -> None:
        """Accept one message."""
        await self.publish_all([message])

    async def publish_all(self, messages: Sequence[Outgoing]) -> None:
        """Accept messages."""
        if self.faults:
            raise self.faults.pop(0)
        self.published += messages

    @property
    def as_any(self) -> Any:
        """The same, to where a Publisher is wanted."""
        return self
