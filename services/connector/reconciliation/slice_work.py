"""Carries out the message of a reconciliation's slice: compares the next records, and reports the differences."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.connector.messages.units import Inbound
from services.connector.points.evaluation import query_all
from services.connector.points.points import point_of
from services.connector.reconciliation.comparison import Judged, compare
from services.connector.reconciliation.planned_readings import (
    Compared,
    PlannedReading,
    planned_readings,
)
from services.connector.reconciliation.sender_traffic import SenderTraffic
from services.connector.reconciliation.slice_reading import (
    Position,
    next_slice,
    of_this_vault,
    reference_prefix,
)
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.rows import literal, modified_field, statements
from services.connector.rules.rule import RuleError
from services.connector.runs.stages import readings_of
from services.connector.runs.window import related_condition
from services.connector.vaults.configuration import ConfigurationFault, Connection
from services.connector.vaults.record_access import RecordAccess
from services.connector.vaults.vaults import (
    ConnectedVault,
    Doubts,
    KnownVault,
    Vaults,
    passing_refusals,
)
from shared.client.errors import VaultRefused
from shared.client.results import Row, mapping, text, whole
from shared.protocol.reconciliation_verdicts import Verdict
from shared.protocol.redaction import without_values
from shared.runtime.logging import get_logger
from shared.runtime.waiting import KeyLocks
from shared.spark.envelope import MAX_ITEMS, format_moment

_log = get_logger(__name__)
_RUNNING = "RUNNING"
_LOOK_AGAIN = "look_again"
_DONE = "done"
YIELD_SECONDS = 0.5
"""Between two slices, while there are transfers; a slice takes less than half of that."""
MAX_DETAILS = 50
"""Names of objects or fields that are reported of one record."""


@dataclass(frozen=True, slots=True)
class SliceWork:
    """Carries out one message, which may be repeated, also by several connectors at once.

    The message contains only the reconciliation's id (that of its job); the Vault stores the position, and accepts the
    report of a slice once. ``records`` are locked while this connector transfers them.
    """

    vaults: Vaults
    own: ConnectedVault
    message: Inbound
    reconciliation: int
    records: KeyLocks = field(default_factory=KeyLocks)
    doubts: Doubts = field(default_factory=Doubts)

    async def run(self) -> None:
        """Compare the next slice; end the reconciliation with the reason when it cannot be compared.

        :raises VaultUnavailable: a Vault is away or in trouble, and the message is to be carried out again.
        """
        try:
            with passing_refusals():
                await self._compare()
        except (ConfigurationFault, RuleError) as fault:
            await self.give_up(str(fault))
        except VaultRefused as refused:
            self.doubts.begin_again(refused)
            reason = without_values(refused.message)
            await self.give_up(f"A Vault refused the call: {refused.type}: {reason}")

    async def yield_to_units(self) -> None:
        """Wait for a limited time while this connector transfers records.

        Both Vaults are shared with the transfers, which users wait for; but traffic that never ends must not stop a
        reconciliation.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(YIELD_SECONDS):
                await self.records.all_free()

    async def give_up(self, reason: str) -> None:
        """End the reconciliation as failed, with a reason.

        :raises VaultUnavailable: the Vault is away.
        """
        job = self.reconciliation
        _log.warning("reconciliation given up", reconciliation=job)
        try:
            await self.own.client.report_reconciliation(job, {"error": reason})
        except VaultRefused as refused:
            # It was cancelled or deleted; nobody waits for its error.
            _log.warning(
                "reconciliation not ended",
                reconciliation=job,
                error_type=refused.type,
            )

    async def _compare(self) -> None:
        client = self.own.client
        state = await client.reconciliation(self.reconciliation)
        if not _has_more_slices(state):
            return
        source = self._source()
        if not state.get("source_time"):
            clock = await source.client.clock()
            progress = {"source_time": clock.date_time}
            state = await client.report_reconciliation(self.reconciliation, progress)
        reader = self.vaults.configuration(source, self.own)
        # As it is now: of a slice that is compared long after the first, too.
        configuration = await reader.since(datetime.now(UTC))
        name = text(state, "connection")
        connection = _connection(configuration.connections, name)
        reading = await self.vaults.source(source, connection)
        scope = Compared(
            configuration,
            reading,
            client,
            name,
            text(state, "integration") or None,
            text(state, "integration_point") or None,
        )
        traffic = None
        # A Vault at the other end of an External connection has queues of its own kind.
        if not connection.external:
            traffic = SenderTraffic(source.client, connection.remote_name, self.records)
        work = SliceComparison(scope, reading, state, traffic)
        if state.get("phase") == _LOOK_AGAIN:
            report = await work.look_again()
        else:
            report = await work.compare_next()
        number = whole(state.get("slice"), "slice") + 1
        await client.report_slice(self.reconciliation, number, report)

    def _source(self) -> KnownVault:
        vault_id = self.message.source(self.own.vault_id)
        source = self.vaults.get(vault_id)
        if source is None:
            raise ConfigurationFault(
                "The Vault at the other end of the connection is not among the connector's Vaults; add it"
            )
        return source


def _has_more_slices(state: Row) -> bool:
    running = state.get("status") == _RUNNING
    return running and state.get("phase") != _DONE and not state.get("error")


def _connection(connections: Mapping[str, Connection], name: str) -> Connection:
    for connection in connections.values():
        if connection.api_name == name:
            return connection
    raise ConfigurationFault(f"Connection {name} does not exist in this Vault")


@dataclass(frozen=True, slots=True)
class SliceComparison:
    """One slice of the reconciliation that ``state`` describes; ``traffic`` has the sender's messages under way."""

    scope: Compared
    writable: RecordAccess
    state: Row
    traffic: SenderTraffic | None = None

    async def compare_next(self) -> dict[str, object]:
        """Compare the records after the position, and return the report."""
        planned = await planned_readings(self.scope)
        position = Position.decode(text(self.state, "position"))
        until = text(self.state, "source_time")
        part = await next_slice(self.scope, planned, position, until)
        if part is None:
            return {"ended": True}
        judged = await compare(
            self.scope, self.writable, part.planned, part.all_ids, part.linked
        )
        # Nothing is there and nothing is to be there: not even worth a second look.
        kept = {
            item: each
            for item, each in judged.items()
            if each.verdict is not Verdict.NOT_EXPECTED
        }
        report = _report(part.planned, kept)
        return {**report, "position": part.following.encode()}

    async def look_again(self) -> dict[str, object]:
        """Compare records again that differed at the first look, and return the report."""
        candidates = mapping(self.state.get("candidates"), "candidates")
        point = text(candidates, "integration_point")
        name = text(candidates, "object")
        listed = candidates.get("items")
        ids = [str(item) for item in (listed if isinstance(listed, list) else ())]
        planned = await planned_readings(self.scope)
        for each in planned:
            place = (each.route.point.api_name, each.reading.object)
            if place == (point, name):
                judged = await self._compare_again(each, ids)
                return _report(each, judged, counted=False)
        # Its integration or its rules were made inactive meanwhile: nothing is expected any more.
        gone = dict.fromkeys(ids, Judged(Verdict.NOT_EXPECTED))
        return {
            "integration_point": point,
            "object": name,
            "items": [_item(item, each) for item, each in gone.items()],
        }

    async def _compare_again(
        self, planned: PlannedReading, ids: Sequence[str]
    ) -> dict[str, Judged]:
        linked = await self._linked(planned, ids)
        judged = await compare(self.scope, self.writable, planned, ids, linked)
        differing = [item for item, each in judged.items() if each.may_be_transferred]
        if not differing:
            return judged
        explained: set[str] = set()
        changed = await self._changed(planned, differing)
        if self.traffic is not None:
            changed |= self.traffic.in_hand(planned, differing)
            explained = await self.traffic.undelivered(planned, differing)
        under_way = dict.fromkeys(changed, Judged(Verdict.UNDER_WAY))
        return judged | dict.fromkeys(explained, Judged(Verdict.EXPLAINED)) | under_way

    async def _linked(
        self, planned: PlannedReading, ids: Sequence[str]
    ) -> dict[str, set[str]]:
        """Return the target objects that have a record of each source record."""
        own = reference_prefix(self.scope, planned)
        key = planned.traced_by
        within = " AND ".join(of_this_vault(self.scope, planned)) or None
        found: dict[str, set[str]] = {}
        for name in sorted(planned.linked):
            head = f"SELECT {key} FROM {name}"  # noqa: S608  VQL of names
            wanted = [own + item for item in ids]
            texts = statements(head, key, wanted, conditions=within)
            for row in await query_all(self.scope.target, texts):
                item = text(row, key).removeprefix(own)
                found.setdefault(item, set()).add(name)
        return found

    async def _changed(self, planned: PlannedReading, ids: Sequence[str]) -> set[str]:
        """Return the records that were changed since the window began, or whose related records were."""
        begun = datetime.fromisoformat(text(self.state, "source_time"))
        minutes = whole(self.state.get("window_minutes"), "window_minutes")
        window = begun - timedelta(minutes=minutes)
        if self.traffic is not None:
            window = await self.traffic.changed_since(window, begun)
        since = format_moment(window)
        route, name = planned.route, planned.reading.object
        modified = modified_field(name)
        conditions = [f"{modified} >= {literal(since)}"]
        conditions += [
            related_condition(reading, since)
            for reading in readings_of(self.scope.configuration, route, point_of(route))
            if reading.object == name and reading.related and name != DOCUMENTS
        ]
        changed: set[str] = set()
        for condition in conditions:
            head = f"SELECT id FROM {name}"  # noqa: S608  VQL of names
            texts = statements(head, "id", ids, conditions=condition)
            rows = await query_all(self.scope.source, texts)
            changed.update(str(row["id"]) for row in rows)
        if point_of(route).flags_deletions:
            changed |= await self._deleted(name, begun, since)
        return changed & set(ids)

    async def _deleted(self, object_name: str, begun: datetime, since: str) -> set[str]:
        """Return the records that the source has deleted since the window began."""
        # Also those of the time since the beginning, however long that is.
        until = format_moment(begun + timedelta(days=1))
        found: set[str] = set()
        offset = 0
        while True:
            rows = await self.scope.source.deletions(
                object_name, since, until, limit=MAX_ITEMS, offset=offset
            )
            found.update(str(row["id"]) for row in rows)
            offset += len(rows)
            if len(rows) < MAX_ITEMS:
                return found


def _report(
    planned: PlannedReading, judged: Mapping[str, Judged], *, counted: bool = True
) -> dict[str, object]:
    """Return the report on records; with ``counted``, equal records are only counted."""
    listed = {
        item: each
        for item, each in judged.items()
        if not counted or each.verdict is not Verdict.EQUAL
    }
    return {
        "integration_point": planned.route.point.api_name,
        "object": planned.reading.object,
        "equal": len(judged) - len(listed),
        "items": [_item(item, each) for item, each in listed.items()],
    }


def _item(item: str, each: Judged) -> str:
    """Return a line of a report: verdict, record id and names, separated by blanks."""
    return " ".join([each.verdict, item, *each.details[:MAX_DETAILS]])
